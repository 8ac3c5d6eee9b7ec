import Glibc
import Linux
import Overlay
import SystemPackage

/// The lower directories that were renamed before this mount. Nothing but the redirect says where such a one is now, and
/// it is asked for only where a file with several names has one in a directory that is not where it was: no mount reads
/// the upper for it, but the first such question does.
extension UnionTree {
    /// Gives every renamed directory its node, which stays, and those above it. Whether there was something to be read:
    /// false where it has been before.
    func findRedirects(_ held: HeldNames) throws(FSError) -> Bool {
        guard hasUnknownRedirects, let upper else { return false }
        var path: [Level] = []
        try FSError.wrap { () throws(Errno) in
            try TreeWalk.walk(
                Array(".".utf8),
                in: upper.root,
                open: { (parent, name) throws(Errno) in
                    let directory = try parent.openDirectory(name)
                    path.append(Level(name: FileName(name), node: path.isEmpty ? root : nil))
                    return directory
                },
                arrive: { (directory) throws(Errno) in
                    if try upper.marks.redirect(.dot, in: directory) != nil { try makeNodes(held, &path) }
                    return try directory.subdirectories()
                },
                leave: { (_, _) throws(Errno) in path.removeLast() }
            )
        }
        hasUnknownRedirects = false
        return true
    }

    /// A directory on the way to the one that is looked at, and its node, if it was needed.
    private struct Level {
        let name: FileName
        var node: Node?
    }

    private func makeNodes(_ held: HeldNames, _ path: inout [Level]) throws(Errno) {
        guard let known = path.lastIndex(where: { $0.node != nil }) else { return }
        for position in path.indices.dropFirst(known + 1) {
            guard let parent = path[position - 1].node else { return }
            do throws(FSError) {
                let node = try node(held, path[position].name, in: parent)
                node.isPinned = true
                path[position].node = node
            } catch {
                throw Errno(rawValue: error.errno)
            }
        }
    }
}
