package import Layers
package import SystemPackage

import Linux
import Overlay

/// Looks whether what an upper's marks refer to is in the layers below.
package struct UpperCheck {
    private let tree: MergedTree

    package init(_ upper: FilePath, over chain: LayerIndex, _ layout: StoreLayout) throws {
        tree = try MergedTree(chain: chain, upper: upper, layout: layout)
    }

    /// What is wrong, with the path in the mount.
    package func problems() throws -> [String] {
        var problems: [String] = []
        var path: [UInt8] = []
        let way = DirectoryWay()
        var places: [(children: ArraySlice<TreeChild>, directory: WayDirectory?, length: Int)] = []
        func enter(_ directory: TreeNode) throws {
            do {
                let entries = try tree.upperEntries(of: directory)
                way.enter(entries.directory)
                places.append((entries.children[...], entries.directory, path.count))
            } catch is TreeChanged {}
        }
        try enter(tree.root)
        while !places.isEmpty {
            let depth = places.count - 1
            path.removeSubrange(places[depth].length...)
            guard let child = places[depth].children.popFirst() else {
                try way.leave(places.removeLast().directory)
                continue
            }
            path.append(0x2f)
            path += child.name
            if let problem = problem(with: child.node) {
                problems.append("\(String(decoding: path, as: UTF8.self)) \(problem)")
            }
            if child.node.isDirectory { try enter(child.node) }
        }
        return problems
    }

    private func problem(with node: TreeNode) -> String? {
        guard let upper = node.upper, node.lower == nil else { return nil }
        if node.isDirectory {
            guard let redirect = upper.marks.redirect, upper.marks.opaque != .yes else { return nil }
            return
                "was renamed from \(String(decoding: redirect, as: UTF8.self)), which the image does not have"
        }
        guard node.attributes.isRegular else { return nil }
        switch upper.marks.data {
        case .here: return nil
        case .below, .partial: return "has data in the image, which has no such file"
        case .unknown: return "is marked in a way that is not known"
        }
    }
}
