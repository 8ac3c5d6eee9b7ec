package import Linux
import Overlay

import Glibc
import SystemPackage

/// Completing every file of an upper, so that other overlays can read it.
extension UnionTree {
    /// How many files are open at once and wait for one sync.
    private static let batch = 64

    /// Completes every file that has only attributes, or only a part of its data, in the upper; all is on
    /// disk when this returns, unless the upper is volatile. The tree must not be mounted.
    ///
    /// - Parameter lost: receives the path in the upper of each file whose data is nowhere.
    /// - Returns: how many files were completed.
    package func materialize(lost: ([UInt8]) -> Void) throws(FSError) -> Int {
        let upper = try writable()
        var pending: [PartialFile] = []
        var count = 0
        func finish() throws(FSError) {
            guard !pending.isEmpty else { return }
            // The data must be on disk before the marks that make it count go: one sync for many files.
            try synchronize(upper)
            for file in pending {
                file.data.lock.lockAlone()
                defer { file.data.lock.unlock() }
                try file.finish()
            }
            count += pending.count
            pending.removeAll()
        }
        try forEachFile { (node, path) throws(FSError) in
            switch node.data {
            case .upper: return
            case .lost, .damaged:
                lost(path)
                return
            case .lower: try complete(node, .blocks)
            case .partial: break
            }
            guard case .partial(let data) = node.data else {
                count += 1
                return
            }
            let file = try partial(node, data)
            var position: UInt64 = 0
            while try file.fill(from: &position, count: 1 << 20) {}
            // The file may be waiting already under another of its names.
            if !pending.contains(where: { $0.node.id == node.id }) { pending.append(file) }
            if pending.count >= UnionTree.batch { try finish() }
        }
        try finish()
        try synchronize(upper)
        return count
    }

    private func synchronize(_ upper: Upper) throws(FSError) {
        guard !upper.isVolatile else { return }
        try FSError.wrap { () throws(Errno) in try upper.work.synchronizeFilesystem() }
    }

    /// A directory on the path of the walk.
    private struct Place {
        let node: Node
        /// Its entries that were not passed yet.
        var children: ArraySlice<(node: Node, name: FileName)>
        /// The length of its path in bytes.
        let length: Int
    }

    /// Passes every file of the upper, but no directories.
    private func forEachFile(_ body: (Node, [UInt8]) throws(FSError) -> Void) throws(FSError) {
        var path: [UInt8] = []
        var places = [Place(node: root, children: try children(of: root)[...], length: 0)]
        while !places.isEmpty {
            let depth = places.count - 1
            path.removeSubrange(places[depth].length...)
            guard let (node, name) = places[depth].children.popFirst() else {
                letGo(places.removeLast().node)
                continue
            }
            path.append(UInt8(ascii: "/"))
            path += name.bytes
            if node.isDirectory {
                places.append(Place(node: node, children: try children(of: node)[...], length: path.count))
            } else {
                try body(node, path)
                letGo(node)
            }
        }
    }

    private func letGo(_ node: Node) {
        guard node !== root else { return }
        let held = names.lock()
        defer { names.unlock() }
        node.lookups -= 1
        dropIfUnused(held, node)
        // No kernel has file handles of this tree.
        forgotten.remove(node.id)
    }

    /// The nodes in a directory, each with a reference until `letGo`.
    private func children(of directory: Node) throws(FSError) -> [(node: Node, name: FileName)] {
        let held = names.lock()
        defer { names.unlock() }
        var found: [FileName] = []
        try listing(held, of: directory).forEachEntry { (name) in
            found.append(name)
            return true
        }
        var children: [(node: Node, name: FileName)] = []
        for name in found {
            let node = try node(held, name, in: directory)
            // The reference keeps the node when `letGo` is called for another of its names.
            node.lookups += 1
            children.append((node, name))
        }
        return children
    }
}
