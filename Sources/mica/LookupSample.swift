import Layers
import Linux

/// Names spread evenly over a tree, in the tree's order, stored in one block of memory.
struct LookupSample {
    /// The number of lookups needed to reach all of them from the root with cold caches.
    private(set) var lookups = 0
    private var directories: [UInt32] = []
    /// Paths from the root, each followed by a NUL. A path's last name is what is looked up in the index.
    private var bytes: [UInt8] = []
    private var ends: [(path: Int, name: Int, end: Int)] = []

    var count: Int { ends.count }

    /// - Parameter suffix: appended to every name, so that it names nothing.
    init(of index: LayerIndex, limit: Int, suffix: String) throws {
        let step = max(1, (index.entryCount + limit - 1) / limit)
        var seen = 0
        try add(from: 0, path: [], reached: true, every: step, seen: &seen, Array(suffix.utf8), in: index)
    }

    /// - Parameter reached: whether `directory` itself was looked up already.
    /// - Returns: whether anything in `directory` is part of the sample.
    @discardableResult
    private mutating func add(
        from directory: UInt32,
        path: [UInt8],
        reached: Bool,
        every step: Int,
        seen: inout Int,
        _ suffix: [UInt8],
        in index: LayerIndex
    ) throws -> Bool {
        var used = false
        for slot in try index.inode(directory).entries {
            let entry = try index.entry(slot)
            let isSampled = seen % step == 0
            seen += 1
            if isSampled {
                append(directory, path, Array(entry.name) + suffix)
                used = true
            }
            guard entry.kind == 4 else { continue }
            let isUsed = try add(
                from: entry.inode,
                path: path + Array(entry.name) + [0x2f],
                reached: isSampled,
                every: step,
                seen: &seen,
                suffix,
                in: index
            )
            used = used || isUsed
        }
        if used, !reached { lookups += 1 }
        return used
    }

    private mutating func append(_ directory: UInt32, _ path: [UInt8], _ name: [UInt8]) {
        directories.append(directory)
        let start = bytes.count
        bytes += path + name + [0]
        ends.append((start, start + path.count, bytes.count - 1))
        lookups += 1
    }

    @inline(__always)
    func withName<R, E: Error>(
        _ i: Int,
        _ body: (UnsafeRawBufferPointer, UInt32) throws(E) -> R
    ) throws(E) -> R {
        let range = ends[i].name..<ends[i].end
        return try bytes.span.withUnsafeBytes { (all) throws(E) -> R in
            try body(UnsafeRawBufferPointer(rebasing: all[range]), directories[i])
        }
    }

    /// A terminated path, relative to the root.
    @inline(__always)
    func withPath<R>(_ i: Int, _ body: (UnsafePointer<CChar>) -> R) -> R {
        let start = ends[i].path
        return bytes.withUnsafeBytes { all in
            // Every path is terminated and none is empty.
            body(all.baseAddress.unsafelyUnwrapped.advanced(by: start).assumingMemoryBound(to: CChar.self))
        }
    }
}
