import Linux
import Tar

/// A file of any type in a tree that is copied from or into. Links are never followed by it.
protocol TreeFile {
    var attributes: TreeAttributes { get }
    /// The same for all names of a file that has several; nil for one that has one name.
    var identity: TreeIdentity? { get }
    /// The text of a symbolic link.
    func target() throws -> [UInt8]
    func xattrs() throws -> [TarEntry.Xattr]
    /// In the order of their bytes; empty for all but directories.
    func names() throws -> [[UInt8]]
    /// nil where this is no directory, or has no such name.
    func child(_ name: [UInt8]) throws -> (any TreeFile)?
    /// The data of a regular file.
    func content() throws -> any ByteSource
}

extension TreeFile {
    var isDirectory: Bool { attributes.kind == .directory }
}

/// A tree of files: the context of a build, or a stack of layers.
protocol FileTree: Sendable {
    /// The directory of that name is as good as absolute: nothing is above it.
    func root() throws -> any TreeFile
}

struct TreeAttributes {
    /// nil: a socket.
    var kind: TarEntry.Kind?
    /// The twelve permission bits.
    var mode: UInt32
    var uid: UInt32
    var gid: UInt32
    /// Bytes; 0 for all but regular files.
    var size: UInt64
    var modified: TarEntry.Time
    var device = TarEntry.Device(major: 0, minor: 0)
}

enum TreeIdentity: Hashable {
    case host(device: UInt64, inode: UInt64)
    case index(UInt32)
}
