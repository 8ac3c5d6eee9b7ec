package import Linux
package import SystemPackage

import Glibc

/// Reading what fuse-overlayfs has written into an upper.
extension Upper {
    /// Whether fuse-overlayfs made a directory opaque. A file that says so is replaced by the attribute.
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

    /// Turns names into whiteouts of the kernel's form, one after the other. A crash in between may leave both forms
    /// of one, which means the same.
    package func convertWhiteouts(_ names: [[UInt8]], in directory: borrowing OwnedFD) throws(Errno) {
        for name in names {
            let hidden = Array(name.dropFirst(ForeignMarks.whiteoutPrefix.count))
            // `.wh..wh.…` are other marks, which were read before.
            if !hidden.isEmpty, !hidden.starts(with: ForeignMarks.whiteoutPrefix) {
                do throws(Errno) {
                    try makeWhiteout(FileName(hidden), in: directory)
                } catch .fileExists {}
            }
            try directory.removeTree(name)
        }
    }
}
