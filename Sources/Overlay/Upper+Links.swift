package import Linux
package import SystemPackage

import Glibc

/// Files with several names that were copied up, and whose names are not all in place yet.
extension Upper {
    /// The name in work/links of a file with the lower's `mark`: hexadecimal digits.
    package static func pendingName(_ mark: [UInt8]) -> FileName {
        let digits = Array("0123456789abcdef".utf8)
        return FileName(mark.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] })
    }

    /// The files that a crash left in work/links. EINVAL for a name that is no mark.
    package func pendingLinks() throws(Errno) -> [(name: FileName, mark: [UInt8])] {
        var found: [(name: FileName, mark: [UInt8])] = []
        for name in isCramped ? [] : try links.names() {
            guard let mark = [UInt8](hexadecimal: name) else { throw .invalidArgument }
            found.append((FileName(name), mark))
        }
        return found
    }

    /// Takes over what the kernel's overlayfs leaves in a work directory with `index=on`: `index/<handle>` is a
    /// further link of the upper file that was copied up from the lower file with this handle. The other names of
    /// such a file are not in the upper, and must show the copy as well.
    ///
    /// Puts the copies among those that wait for their names, and removes the index: the upper says it all then.
    /// `mark`: the mark of a handle's lower file, nil where there is none.
    package func takeKernelIndex(_ mark: (KernelHandle) throws(FSError) -> [UInt8]?) throws(FSError) {
        let name = FileName("index")
        let entries: [(name: [UInt8], kind: UInt8)]
        do throws(Errno) {
            entries = try work.open(name, O_RDONLY | O_DIRECTORY).entries()
        } catch .noSuchFileOrDirectory {
            return
        } catch {
            throw .system(error)
        }
        guard !isCramped || entries.isEmpty else { throw .system(.noSpace) }
        for entry in entries where Int(entry.kind) != Int(DT_DIR) && Int(entry.kind) != Int(DT_CHR) {
            guard let handle = KernelHandle(name: entry.name), let mark = try mark(handle) else { continue }
            try FSError.wrap { () throws(Errno) in
                let index = try work.open(name, O_PATH | O_DIRECTORY)
                do throws(Errno) {
                    try index.link(FileName(entry.name), to: links, Upper.pendingName(mark))
                } catch .fileExists {}
            }
        }
        try FSError.wrap { () throws(Errno) in try work.removeTree(name.bytes) }
    }
}

extension [UInt8] {
    /// nil unless the text has an even number of digits.
    init?(hexadecimal text: [UInt8]) {
        let digits = text.map { Character(UnicodeScalar($0)).hexDigitValue }
        guard digits.count.isMultiple(of: 2), !digits.contains(nil) else { return nil }
        self = stride(from: 0, to: digits.count, by: 2).map {
            UInt8(truncatingIfNeeded: (digits[$0] ?? 0) << 4 | (digits[$0 + 1] ?? 0))
        }
    }
}
