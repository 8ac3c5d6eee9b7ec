import Digests
import Dockerfile
import Layers
import Linux
import OCI
import Snapshots
import SystemPackage
import Tar

import Glibc

extension Build {
    static func epoch(_ request: BuildRequest) throws -> Int64? {
        let name = "SOURCE_DATE_EPOCH"
        guard let text = request.arguments[name] ?? getenv(name).map({ String(cString: $0) }) else {
            return nil
        }
        guard let seconds = Int64(text), seconds >= 0 else {
            throw Failure("\(name) is \"\(text)\" and should be seconds since 1970")
        }
        return seconds
    }

    static func context(_ request: BuildRequest, _ store: Store) throws -> any FileTree {
        let tree: any FileTree
        switch request.context {
        case .none: return EmptyTree()
        case .directory(let path): tree = try HostTree(path)
        case .layer(let diffID): tree = try LayerFileTree([diffID], store.layout)
        }
        for name in IgnoreFile.names(besides: request.path ?? "Dockerfile") {
            let place = try TreePath.resolve(TreePath.names(name.utf8), in: Opaque(tree))
            guard let file = place.file, file.attributes.kind == .file else { continue }
            let bytes = try file.bytes(limit: IgnoreFile.sizeLimit, name: name)
            return FilteredTree(base: tree, patterns: try IgnoreFile.patterns(bytes, name: name))
        }
        return tree
    }
}

/// No files at all.
struct EmptyTree: FileTree {
    func root() throws -> any TreeFile { EmptyDirectory() }
}

private struct EmptyDirectory: TreeFile {
    var attributes: TreeAttributes {
        TreeAttributes(kind: .directory, mode: 0o755, uid: 0, gid: 0, size: 0, modified: .init(seconds: 0))
    }
    var identity: TreeIdentity? { nil }
    func target() throws -> [UInt8] { [] }
    func xattrs() throws -> [TarEntry.Xattr] { [] }
    func names() throws -> [[UInt8]] { [] }
    func child(_ name: [UInt8]) throws -> (any TreeFile)? { nil }
    func content() throws -> any ByteSource { MemorySource([]) }
}

extension TreeFile {
    /// All data of a small file.
    func bytes(limit: Int, name: String) throws -> [UInt8] {
        guard attributes.size <= UInt64(limit) else { throw Failure("\(name) has more than \(limit) bytes") }
        var source = try content()
        var bytes: [UInt8] = []
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 16, alignment: 16)
        defer { buffer.deallocate() }
        while true {
            let count = try source.read(into: buffer)
            if count == 0 { return bytes }
            guard bytes.count + count <= limit else { throw Failure("\(name) has more than \(limit) bytes") }
            bytes += buffer[..<count]
        }
    }
}
