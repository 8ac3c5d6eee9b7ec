import CLinux
import Glibc
import Linux
import Overlay
import SystemPackage

/// A directory that is one layer of a stack.
///
/// Paths in it are bytes, without a `/` at either end; the empty path is the layer's root. Symbolic links below the
/// root are not followed, so none leads out.
final class StackLayer: Sendable {
    let root: OpenFile
    /// Reading changes no access time, however a file is opened.
    private let isQuiet: Bool

    /// Follows symbolic links in `path` itself.
    init(_ path: FilePath) throws {
        // A private copy of the mount, without what is mounted below it: the view that the kernel's overlayfs has. A
        // process that may not make one sees other mounts inside the layer.
        let copy = path.withPlatformString { clinux_open_tree_copy($0) }
        isQuiet = copy >= 0
        root = try naming("open the lower directory \(path)") {
            let root = copy >= 0 ? OwnedFD(adopting: copy) : try OwnedFD.open(path, O_PATH)
            guard try root.status().st_mode & S_IFMT == S_IFDIR else { throw Errno.notDirectory }
            return OpenFile(root)
        }
    }

    /// openat2(2) with O_CLOEXEC and O_NOFOLLOW, from the layer's root or an open directory in the layer.
    func open(
        _ path: [UInt8],
        in directory: OpenFile? = nil,
        _ flags: CInt
    ) throws(Errno) -> OwnedFD {
        var path = path[...]
        var directory = directory ?? root
        while path.count >= Self.longest {
            // A path longer than a system call takes is opened in parts, each of which is a directory.
            guard let slash = path.prefix(Self.longest).lastIndex(of: UInt8(ascii: "/")) else {
                throw .fileNameTooLong
            }
            directory = OpenFile(try Self.open(Array(path[..<slash]), in: directory, O_PATH | O_DIRECTORY))
            path = path[(slash + 1)...]
        }
        guard !isQuiet, flags & O_PATH == 0 else { return try Self.open(Array(path), in: directory, flags) }
        do throws(Errno) {
            return try Self.open(Array(path), in: directory, flags | __O_NOATIME)
        } catch .notPermitted {
            // The file belongs to another user.
            return try Self.open(Array(path), in: directory, flags)
        }
    }

    private static let longest = 4000

    private static func open(
        _ path: [UInt8],
        in directory: OpenFile,
        _ flags: CInt
    ) throws(Errno) -> OwnedFD {
        let flags = UInt64(flags | O_NOFOLLOW | O_CLOEXEC)
        let name = path.isEmpty ? .dot : FileName(path)
        let fd = directory.fd.use { raw in
            name.withCString { clinux_open_beneath(raw, $0, flags, 0, 0) }
        }
        guard fd >= 0 else { throw Errno(rawValue: -fd) }
        return OwnedFD(adopting: fd)
    }
}

/// What one layer contributes to a directory of the stack.
struct StackPiece: Sendable {
    /// Counted from the top, from 0.
    let layer: Int
    let path: [UInt8]

    /// The path of `name` in this directory.
    func path(of name: some Sequence<UInt8>) -> [UInt8] {
        path.isEmpty ? Array(name) : path + [UInt8(ascii: "/")] + name
    }
}

extension FileMarks {
    /// The marks of an open file or directory in a layer.
    init(stacked file: OpenFile, _ marks: OverlayMarks) throws(Errno) {
        try self.init(.itself, in: file.fd, [marks], takesForeign: true)
    }
}
