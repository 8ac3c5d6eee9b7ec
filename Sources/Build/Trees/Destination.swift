import Linux
import Tar

/// What is copied into: a stack of layers, with what the step has made in it so far.
final class Destination: FileTree, @unchecked Sendable {
    // Used by one thread.
    struct Made {
        var attributes: TreeAttributes
        /// Of a symbolic link.
        var target: [UInt8] = []
    }

    private let base: any FileTree
    fileprivate var made: [[UInt8]: Made] = [:]

    init(_ base: any FileTree) { self.base = base }

    func root() throws -> any TreeFile {
        DestinationFile(destination: self, path: [], below: try base.root(), made: nil)
    }

    func make(_ names: [[UInt8]], _ new: Made) { made[TreePath.bytes(names)] = new }

    /// What was made in a directory whose place something else takes.
    func forget(_ names: [[UInt8]]) {
        let directory = TreePath.bytes(names) + [UInt8(ascii: "/")]
        made = made.filter { !$0.key.starts(with: directory) }
    }

    /// What is under a path whose directories are no links; nil: nothing.
    func file(_ names: [[UInt8]]) throws -> (any TreeFile)? {
        var file: (any TreeFile)? = try root()
        for name in names { file = try file?.child(name) }
        return file
    }
}

private struct DestinationFile: TreeFile {
    let destination: Destination
    let path: [UInt8]
    let below: (any TreeFile)?
    let made: Destination.Made?

    var attributes: TreeAttributes {
        made?.attributes ?? below?.attributes
            ?? TreeAttributes(
                kind: .directory,
                mode: 0o755,
                uid: 0,
                gid: 0,
                size: 0,
                modified: .init(seconds: 0)
            )
    }
    var identity: TreeIdentity? { nil }
    func target() throws -> [UInt8] { try made?.target ?? below?.target() ?? [] }
    func xattrs() throws -> [TarEntry.Xattr] { [] }
    func names() throws -> [[UInt8]] { [] }
    func content() throws -> any ByteSource { try below?.content() ?? MemorySource([]) }

    func child(_ name: [UInt8]) throws -> (any TreeFile)? {
        guard isDirectory else { return nil }
        let path = path.isEmpty ? name : path + [UInt8(ascii: "/")] + name
        let made = destination.made[path]
        let below = try below?.child(name)
        guard made != nil || below != nil else { return nil }
        return DestinationFile(destination: destination, path: path, below: below, made: made)
    }
}
