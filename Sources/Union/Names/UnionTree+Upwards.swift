import Glibc
import Linux
import SystemPackage

extension UnionTree {
    /// One request asks for a directory, and for the directory that it is in.
    private static let steps = 3

    /// Opens a directory by `..` from an open one inside it, if each is still there under its name.
    func parent(_ held: HeldNames, _ node: Node) -> OpenFile? {
        guard !node.isOrphan, let inside = directories.findInside(held, node, levels: UnionTree.steps) else {
            return nil
        }
        var (below, known) = (inside, inside.opened)
        while below !== node, let file = known {
            guard let above = below.parent, let open = parent(of: file, below.name) else { return nil }
            if above !== node, above.opened == nil { directories.insert(held, open, above) }
            (below, known) = (above, open)
        }
        return known
    }

    /// Opens `..` of a directory; nil unless that has the directory as `name`.
    private func parent(of file: OpenFile, _ name: FileName) -> OpenFile? {
        do throws(Errno) {
            let open = OpenFile(try file.fd.open(FileName(".."), O_PATH | O_DIRECTORY))
            let (expected, found) = (try file.fd.status(), try open.fd.status(of: name))
            return expected.st_ino == found.st_ino && expected.st_dev == found.st_dev ? open : nil
        } catch {
            return nil
        }
    }
}
