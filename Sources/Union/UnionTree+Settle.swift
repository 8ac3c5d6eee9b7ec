package import Linux

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
        try forEachFile(in: root, []) { (node, path) throws(FSError) in
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

    /// Passes every file of the upper that is not a directory.
    private func forEachFile(
        in directory: Node,
        _ path: [UInt8],
        _ body: (Node, [UInt8]) throws(FSError) -> Void
    ) throws(FSError) {
        for (node, path) in try children(of: directory, path) {
            if node.isDirectory {
                try forEachFile(in: node, path, body)
            } else {
                try body(node, path)
            }
            names.lock()
            node.lookups -= 1
            dropIfUnused(node)
            // No kernel is there to have handles.
            forgotten.remove(node.id)
            names.unlock()
        }
    }

    private func children(of directory: Node, _ path: [UInt8]) throws(FSError) -> [(Node, [UInt8])] {
        names.lock()
        defer { names.unlock() }
        var found: [FileName] = []
        try listing(of: directory).forEachEntry { (name) in
            found.append(name)
            return true
        }
        var children: [(Node, [UInt8])] = []
        for name in found {
            let node = try node(name, in: directory)
            // Another of its names must not let it go meanwhile.
            node.lookups += 1
            children.append((node, path + [UInt8(ascii: "/")] + name.bytes))
        }
        return children
    }
}
