import Glibc
import Linux
import Overlay
import SystemPackage

/// Finds the lower directories that were renamed before this mount, of which only the redirects say where they are
/// now. They are needed only when a file with several names has one in a directory that is not where it was: so
/// mounting does not read the upper for them, but the first such question does.
extension UnionTree {
    /// Gives every renamed directory, and those above it, a node that stays. False where the upper was read before.
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

    /// Sets a redirect. EXDEV where the upper's filesystem can't store an attribute that long: the caller can then
    /// copy the directory instead of renaming it.
    func setRedirect(
        _ held: HeldNames,
        _ name: FileName,
        in directory: OpenFile,
        to path: [UInt8],
        _ upper: Upper
    ) throws(FSError) {
        do throws(Errno) {
            try upper.marks.setRedirect(name, in: directory.fd, to: path)
        } catch {
            // ext4 has one block for all attributes of a file.
            let isTooLong = path.count > 500 && [ENOSPC, E2BIG, ERANGE].contains(error.rawValue)
            throw .system(isTooLong ? .improperLink : error)
        }
    }

    /// A directory on the path of the walk, and its node if one was needed.
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
