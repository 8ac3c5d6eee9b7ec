package import Linux
import Overlay

import Glibc
import SystemPackage

/// Bringing everything that an upper has left in the lower, so that others can read it.
extension UnionTree {
    /// Files that are open, and whose data is about to be synced, at once.
    private static let batch = 64

    /// Brings the data of every file that has only attributes, or only a part of its data, in the upper; on disk
    /// when this returns, unless the upper is volatile. Nothing may be mounted.
    ///
    /// - Parameter lost: hears of files whose data is nowhere, with their paths in the upper.
    /// - Returns: how many files were completed.
    package func settle(lost: ([UInt8]) -> Void) throws(FSError) -> Int {
        let upper = try writable()
        var pending: [PartialFile] = []
        var count = 0
        func finish() throws(FSError) {
            guard !pending.isEmpty else { return }
            // The data before the marks that make it count: one sync for many files.
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
            // Under another of its names it may be waiting already.
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

    /// A directory that is being walked through.
    private struct Place {
        let node: Node
        /// What of it was not passed yet.
        var children: ArraySlice<(node: Node, name: FileName)>
        /// Bytes of its path.
        let length: Int
    }

    /// Passes every file of the upper that is not a directory.
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
        // No kernel is there to have handles.
        forgotten.remove(node.id)
    }

    /// Those in a directory, which stay until they are let go.
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
            // Another of its names must not let it go meanwhile.
            node.lookups += 1
            children.append((node, name))
        }
        return children
    }
}
