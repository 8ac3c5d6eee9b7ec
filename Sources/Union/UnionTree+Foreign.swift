import Glibc
import Linux
import SystemPackage

/// Forms of marks that this union reads but never writes: newer ones of the kernel's overlayfs, and those of
/// fuse-overlayfs.
extension UnionTree {
    private static let whiteoutPrefix = Array(".wh.".utf8)
    private static let opaqueFile = FileName(".wh..wh..opq")
    /// Under which fuse-overlayfs notes that a directory hides what is below, by privileges.
    private static let opaqueNames: [XattrName] = [
        "user.fuseoverlayfs.opaque", "trusted.overlay.opaque", "user.overlay.opaque",
    ]

    /// Whether whiteouts in a directory may be empty files with an attribute: Linux 6.8.
    func hasWhiteoutFiles(_ directory: OpenFile) throws(Errno) -> Bool {
        guard let upper else { return false }
        return try directory.fd.attribute(upper.marks.opaque, of: FileName("."), limit: 16)
            == [UInt8(ascii: "x")]
    }

    func isWhiteoutFile(_ name: FileName, _ directory: OpenFile) throws(Errno) -> Bool {
        guard let upper else { return false }
        let status = try directory.fd.status(of: name)
        guard status.st_mode & S_IFMT == S_IFREG, status.st_size == 0 else { return false }
        return try directory.fd.attribute(upper.marks.whiteout, of: name, limit: 16) != nil
    }

    /// Whether an empty file stands for a device; see `WhiteoutData`.
    func isWhiteoutData(_ name: FileName, _ directory: OpenFile) throws(FSError) -> Bool {
        let mark = try writable().marks.device
        return try FSError.wrap { () throws(Errno) in
            try directory.fd.attribute(mark, of: name, limit: 16) != nil
        }
    }

    /// Whether fuse-overlayfs made a directory opaque. Where a file says so, the attribute replaces it.
    func isOpaqueElsewhere(_ name: FileName, _ directory: OpenFile) throws(FSError) -> Bool {
        let mark = try writable().marks.opaque
        return try FSError.wrap { () throws(Errno) in
            for attribute in UnionTree.opaqueNames
            where try directory.fd.attribute(attribute, of: name, limit: 16) == [UInt8(ascii: "y")] {
                return true
            }
            let fd = try directory.fd.open(name, O_PATH | O_DIRECTORY)
            do throws(Errno) {
                _ = try fd.status(of: UnionTree.opaqueFile)
            } catch .noSuchFileOrDirectory {
                return false
            }
            try fd.keepingTimes { () throws(Errno) in
                try fd.setAttribute(mark, of: FileName("."), to: [UInt8(ascii: "y")])
                try fd.unlink(UnionTree.opaqueFile)
            }
            return true
        }
    }

    /// Turns `.wh.` files into whiteouts of the kernel's form, one step after the other: a crash in between
    /// leaves both, which is the same.
    func convertWhiteouts(in node: Node, _ directory: OpenFile) throws(Errno) {
        let fd = try directory.fd.open(FileName("."), O_RDONLY | O_DIRECTORY)
        let found = try fd.names().filter { $0.starts(with: UnionTree.whiteoutPrefix) }
        guard !found.isEmpty else { return }
        try node.keepingTimes(fd) { () throws(Errno) in
            for bytes in found {
                let hidden = FileName(Array(bytes.dropFirst(UnionTree.whiteoutPrefix.count)))
                // `.wh..wh.…` are marks of their own, read by now.
                if !bytes.dropFirst(UnionTree.whiteoutPrefix.count).starts(with: UnionTree.whiteoutPrefix),
                    bytes.count > UnionTree.whiteoutPrefix.count
                {
                    do throws(Errno) {
                        try upper?.makeWhiteout(hidden, in: fd)
                    } catch .fileExists {}
                }
                try fd.removeTree(bytes)
            }
        }
    }
}
