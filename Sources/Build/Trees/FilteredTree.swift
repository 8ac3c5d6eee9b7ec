import Dockerfile
import Linux
import Tar

/// A tree without what patterns exclude: the context and its `.dockerignore`, or the source of a `COPY --exclude`.
struct FilteredTree: FileTree {
    let base: any FileTree
    let patterns: PathPatterns

    func root() throws -> any TreeFile { try patterns.filter(base.root()) }
}

extension PathPatterns {
    /// What is in `file` and not excluded; paths begin there.
    func filter(_ file: any TreeFile) -> any TreeFile {
        isEmpty ? file : FilteredFile(base: file, path: [], standing: nil, patterns: self)
    }
}

private struct FilteredFile: TreeFile {
    let base: any TreeFile
    let path: [UInt8]
    let standing: PathPatterns.Standing?
    let patterns: PathPatterns

    var attributes: TreeAttributes { base.attributes }
    var identity: TreeIdentity? { base.identity }
    func target() throws -> [UInt8] { try base.target() }
    func xattrs() throws -> [TarEntry.Xattr] { try base.xattrs() }
    func content() throws -> any ByteSource { try base.content() }
    func names() throws -> [[UInt8]] { try base.names().filter { try child($0) != nil } }

    func child(_ name: [UInt8]) throws -> (any TreeFile)? {
        let path = path.isEmpty ? name : path + [UInt8(ascii: "/")] + name
        let standing = patterns.judge(path, in: standing)
        guard let file = try base.child(name) else { return nil }
        let child = FilteredFile(base: file, path: path, standing: standing, patterns: patterns)
        guard standing.isExcluded else { return child }
        // It is there for the sake of what is in it.
        guard file.isDirectory, !patterns.canSkip(path, standing) else { return nil }
        return try child.names().isEmpty ? nil : child
    }
}
