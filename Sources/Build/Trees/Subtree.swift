/// A directory of what is copied into, as a tree of its own: nothing is above it, and absolute links begin there.
struct Subtree: FileTree {
    let tree: Destination
    /// Names without links in them.
    let top: [[UInt8]]

    func root() throws -> any TreeFile {
        guard let file = try tree.file(top) else { throw CopySource.missing(TreePath.text(top)) }
        return file
    }
}
