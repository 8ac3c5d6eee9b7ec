package import Linux

import CLinux
import Glibc
import SystemPackage

/// What the kernel's overlayfs leaves in a work directory with `index=on`: `index/<handle>` is a further link of the
/// upper file that was copied up from the lower file with this handle. The other names of such a file have nothing in
/// the upper; they are to show the copy as well.
extension UnionTree {
    /// Puts the copies among those that wait for their names, for `recover` to finish. The index is gone afterwards: the
    /// upper says it all then.
    func takeKernelIndex(_ upper: Upper) throws(FSError) {
        let name = FileName("index")
        let entries: [(name: [UInt8], kind: UInt8)]
        do throws(Errno) {
            entries = try upper.work.open(name, O_RDONLY | O_DIRECTORY).entries()
        } catch .noSuchFileOrDirectory {
            return
        } catch {
            throw .system(error)
        }
        guard !upper.isCramped || entries.isEmpty else { throw .system(.noSpace) }
        for entry in entries where Int(entry.kind) != Int(DT_DIR) && Int(entry.kind) != Int(DT_CHR) {
            guard let handle = KernelHandle(name: entry.name), let number = try lower.number(of: handle)
            else {
                continue
            }
            let pending = Upper.pendingName(try lower.mark(of: number))
            try FSError.wrap { () throws(Errno) in
                let index = try upper.work.open(name, O_PATH | O_DIRECTORY)
                do throws(Errno) {
                    try index.link(FileName(entry.name), to: upper.links, pending)
                } catch .fileExists {}
            }
        }
        try FSError.wrap { () throws(Errno) in try upper.work.removeAll(name) }
    }
}

/// A file of a lower as the kernel's overlayfs notes it: `struct ovl_fb` of fs/overlayfs/overlayfs.h.
package struct KernelHandle: Sendable {
    /// Of the filesystem's own.
    let type: CInt
    let bytes: [UInt8]

    /// Version, magic, length, flags, type, and the filesystem's UUID.
    private static let header = 5 + 16

    /// `name`: in hexadecimal digits; nil for anything else.
    init?(name: [UInt8]) {
        let digits = name.map { Character(UnicodeScalar($0)).hexDigitValue }
        guard digits.count.isMultiple(of: 2), !digits.contains(nil) else { return nil }
        let all = stride(from: 0, to: digits.count, by: 2).map {
            UInt8(truncatingIfNeeded: (digits[$0] ?? 0) << 4 | (digits[$0 + 1] ?? 0))
        }
        guard all.count > Self.header, all[0] == 0, all[1] == 0xfb, Int(all[2]) == all.count else {
            return nil
        }
        type = CInt(all[4])
        bytes = Array(all[Self.header...])
    }
}

extension DirectoryStack {
    /// nil where no layer has the file any more, or the process may not look for it.
    package func number(of handle: KernelHandle) throws(FSError) -> UInt32? {
        try scan()
        for (position, layer) in layers.enumerated() {
            let root = try FSError.wrapOwned { () throws(Errno) in try layer.open([], O_RDONLY | O_DIRECTORY)
            }
            let fd = root.use { raw in
                handle.bytes.withUnsafeBytes { bytes in
                    bytes.baseAddress.map {
                        clinux_open_by_handle(raw, handle.type, $0, UInt32(clamping: bytes.count))
                    } ?? -EINVAL
                }
            }
            guard fd >= 0 else { continue }
            let file = OwnedFD(adopting: fd)
            let (status, own) = try FSError.wrap { () throws(Errno) in (try file.status(), try root.status())
            }
            guard status.st_dev == own.st_dev else { continue }
            let identity = Identity(ino: UInt64(status.st_ino), layer: UInt16(clamping: position))
            if let number = tables.locked({ numbers[identity] }) { return number }
        }
        return nil
    }
}
