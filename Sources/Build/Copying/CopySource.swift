import Dockerfile
import Linux
import Tar

/// One thing that is copied.
struct CopySource {
    /// What errors call it.
    var name: String
    /// Its last name, under which a file comes into a directory.
    var base: [UInt8]
    var file: any TreeFile
    /// Its directories, from the top, that are made as well (`--parents`).
    var parents: [(name: [UInt8], file: any TreeFile)] = []
    /// It is made under its own name, also where it is a directory (`--parents`).
    var keepsName = false

    /// The one thing that the source of a mount stands for.
    static func only(_ source: String, in tree: any FileTree) throws -> CopySource {
        let found = try find(source, in: tree, keepingParents: false)
        guard let one = found.first, found.count == 1 else { throw missing(source) }
        return one
    }

    /// What a source of `COPY` or `ADD` stands for, in `tree`: a path, or all that match its wildcards, in the order of
    /// their bytes. Links on the way and at the end are followed inside the tree.
    static func find(_ source: String, in tree: any FileTree, keepingParents: Bool) throws -> [CopySource] {
        if keepingParents { return try withParents(source, in: tree) }
        guard let wildcards = Wildcards(source) else {
            let names = TreePath.names(source.utf8)
            let place = try TreePath.resolve(names, in: Opaque(tree))
            guard let file = place.file else { throw missing(source) }
            return [CopySource(name: source, base: names.last ?? [], file: file)]
        }
        let top = try TreePath.resolve(TreePath.names(wildcards.directory), in: Opaque(tree))
        guard let top = top.file else { return [] }
        var found: [CopySource] = []
        try match(wildcards, top, below: []) { path, _ in
            let names = TreePath.names(wildcards.directory) + path
            // What matches may be a link.
            guard let file = try TreePath.resolve(names, in: Opaque(tree)).file else { return }
            found.append(CopySource(name: TreePath.text(names), base: path.last ?? [], file: file))
        }
        return found
    }

    static func missing(_ source: String) -> Failure {
        Failure("\"\(source)\" is not there, or excluded", kind: .notFound)
    }

    private static func match(
        _ wildcards: Wildcards,
        _ directory: any TreeFile,
        below names: [[UInt8]],
        _ body: ([[UInt8]], any TreeFile) throws -> Void
    ) throws {
        for name in try directory.names() {
            guard let child = try directory.child(name) else { continue }
            let names = names + [name]
            let path = TreePath.bytes(names)
            if wildcards.match(path) {
                try body(names, child)
            } else if child.isDirectory, wildcards.mayMatch(below: path) {
                try match(wildcards, child, below: names, body)
            }
        }
    }

    /// `a/./b/c*`: the directories behind the point are made, too. Without a point that is all of them.
    private static func withParents(_ source: String, in tree: any FileTree) throws -> [CopySource] {
        let parts = pivot(source)
        let place = try TreePath.resolve(TreePath.names(parts.above.utf8), in: Opaque(tree))
        guard let top = place.file else { throw missing(source) }
        var found: [CopySource] = []
        let names = TreePath.names(parts.below.utf8)
        func add(_ names: [[UInt8]]) throws {
            var parents: [(name: [UInt8], file: any TreeFile)] = []
            var file = top
            for name in names {
                guard let child = try file.child(name) else { return }
                parents.append((name, child))
                file = child
            }
            let last = parents.popLast()
            found.append(
                CopySource(
                    name: TreePath.text(names),
                    base: last?.name ?? [],
                    file: file,
                    parents: parents,
                    keepsName: true
                )
            )
        }
        if let wildcards = Wildcards(parts.below) {
            let start = TreePath.names(wildcards.directory)
            var directory: (any TreeFile)? = top
            for name in start { directory = try directory?.child(name) }
            guard let directory else { return [] }
            try match(wildcards, directory, below: []) { path, _ in
                try add(start + path)
            }
        } else {
            try add(names)
            if found.isEmpty { throw missing(source) }
        }
        return found
    }

    private static func pivot(_ source: String) -> (above: String, below: String) {
        let bytes = Array(source.utf8)
        let mark = Array("/./".utf8)
        guard bytes.count >= 3 else { return ("/", source) }
        for start in 0...(bytes.count - 3) where bytes[start..<start + 3].elementsEqual(mark) {
            return (
                String(decoding: bytes[..<start], as: UTF8.self),
                String(decoding: bytes[(start + 3)...], as: UTF8.self)
            )
        }
        return ("/", source)
    }
}

/// A tree of any kind, where one of some kind is wanted.
struct Opaque: FileTree {
    private let base: any FileTree
    init(_ base: any FileTree) { self.base = base }
    func root() throws -> any TreeFile { try base.root() }
}

/// A here-document, as a file.
struct DocumentFile: TreeFile {
    let bytes: [UInt8]
    let time: Int64

    var attributes: TreeAttributes {
        TreeAttributes(
            kind: .file,
            mode: 0o644,
            uid: 0,
            gid: 0,
            size: UInt64(bytes.count),
            modified: .init(seconds: time)
        )
    }
    var identity: TreeIdentity? { nil }
    func target() throws -> [UInt8] { [] }
    func xattrs() throws -> [TarEntry.Xattr] { [] }
    func names() throws -> [[UInt8]] { [] }
    func child(_ name: [UInt8]) throws -> (any TreeFile)? { nil }
    func content() throws -> any ByteSource { MemorySource(bytes) }
}
