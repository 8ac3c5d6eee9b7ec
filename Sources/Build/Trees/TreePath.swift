import Linux

import Glibc
import Tar

/// Paths in a tree, as lists of names.
enum TreePath {
    /// Links that one path may lead over, as in the kernel.
    private static let mostLinks = 40

    /// The names of a path, with `.` and `..` taken out: nothing is above the root.
    static func names(_ path: some Sequence<UInt8>) -> [[UInt8]] {
        var names: [[UInt8]] = []
        for name in Array(path).split(separator: UInt8(ascii: "/")) {
            if name.elementsEqual(".".utf8) { continue }
            if name.elementsEqual("..".utf8) { _ = names.popLast() } else { names.append(Array(name)) }
        }
        return names
    }

    static func text(_ names: some Sequence<[UInt8]>) -> String {
        "/" + names.map { String(decoding: $0, as: UTF8.self) }.joined(separator: "/")
    }

    static func bytes(_ names: some Sequence<[UInt8]>) -> [UInt8] {
        Array(names.joined(separator: [UInt8(ascii: "/")]))
    }

    /// Where a path leads.
    struct Place {
        /// Without links in it, as far as there is something.
        var names: [[UInt8]]
        /// nil: nothing is there.
        var file: (any TreeFile)?
    }

    /// Follows every link in `path`, the last name too, and none of them out of the tree: absolute ones begin at its
    /// root, and nothing is above that. ELOOP.
    static func resolve(_ path: [[UInt8]], in tree: some FileTree) throws -> Place {
        var pending = Array(path.reversed())
        var files: [any TreeFile] = [try tree.root()]
        var names: [[UInt8]] = []
        // Names that are missing, behind `names`.
        var missing: [[UInt8]] = []
        var links = 0
        while let name = pending.popLast() {
            if name.isEmpty || name.elementsEqual(".".utf8) { continue }
            if name.elementsEqual("..".utf8) {
                if missing.popLast() == nil, names.popLast() != nil { files.removeLast() }
                continue
            }
            guard missing.isEmpty, let child = try files.last?.child(name) else {
                missing.append(name)
                continue
            }
            if child.attributes.kind == .symbolicLink {
                links += 1
                guard links <= mostLinks else {
                    throw Failure("\(text(path)) leads over too many symbolic links")
                }
                let target = try child.target()
                if target.first == UInt8(ascii: "/") {
                    files.removeSubrange(1...)
                    names = []
                }
                pending += target.split(separator: UInt8(ascii: "/")).map(Array.init).reversed()
                continue
            }
            names.append(name)
            files.append(child)
        }
        return Place(names: names + missing, file: missing.isEmpty ? files.last : nil)
    }
}
