package import Linux
package import SystemPackage

import Glibc

/// What fuse-overlayfs has written into an upper.
extension Upper {
    /// Whether it made a directory opaque. Where a file says so, the attribute replaces it.
    func isOpaqueElsewhere(_ name: FileName, in directory: borrowing OwnedFD) throws(Errno) -> Bool {
        for attribute in ForeignMarks.opaqueNames
        where try directory.attribute(attribute, of: name, limit: 16) == [UInt8(ascii: "y")] {
            return true
        }
        let fd = try directory.open(name, O_PATH | O_DIRECTORY)
        let file = FileName(ForeignMarks.opaqueFile)
        do throws(Errno) {
            _ = try fd.status(of: file)
        } catch .noSuchFileOrDirectory {
            return false
        }
        try fd.keepingTimes { () throws(Errno) in
            try marks.makeOpaque(.dot, in: fd)
            try fd.unlink(file)
        }
        return true
    }

    /// The names in a directory, open for reading, that are to become whiteouts.
    package func foreignWhiteouts(in directory: borrowing OwnedFD) throws(Errno) -> [[UInt8]] {
        guard isForeign else { return [] }
        return try directory.names().filter { $0.starts(with: ForeignMarks.whiteoutPrefix) }
    }

    /// Turns them into whiteouts of the kernel's form, one step after the other: a crash in between leaves both, which is
    /// the same.
    package func convertWhiteouts(_ names: [[UInt8]], in directory: borrowing OwnedFD) throws(Errno) {
        for name in names {
            let hidden = Array(name.dropFirst(ForeignMarks.whiteoutPrefix.count))
            // `.wh..wh.…` are marks of their own, read by now.
            if !hidden.isEmpty, !hidden.starts(with: ForeignMarks.whiteoutPrefix) {
                do throws(Errno) {
                    try makeWhiteout(FileName(hidden), in: directory)
                } catch .fileExists {}
            }
            try directory.removeTree(name)
        }
    }
}
