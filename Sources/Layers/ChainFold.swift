import Glibc
import Linux
import Digests
import SystemPackage

/// Folds a stack of layers into one tree without whiteouts.
///
/// Directories are merged breadth first, names in byte order, and inodes numbered as they are first met: the numbers
/// depend on the merged tree alone. So a stack folds to the same numbers at once or onto an earlier chain, and a
/// chain index can be deleted and made again under mounted uppers that have recorded its inode numbers.
///
/// If a layer changes something through a symbolic link of a layer below, or links to a file of one, folding notices
/// on the way; then the tree is that of `AppliedLayers`, numbered in the same way.
package struct ChainFold {
    /// A layer, or a chain that has the layers below.
    private struct Input {
        let index: LayerIndex
        /// The position of its first layer in the result.
        let base: Int
        /// The numbers of its objects in the result; nil until met.
        var objects: [UInt32?]
        /// Whether this layer has directories that its tar omits, over other layers, which may have links there.
        var omitsDirectories: Bool
    }

    /// Thrown where merging directories of the same path is not enough.
    private struct ReachesElsewhere: Error {}

    /// A directory to merge: one inode of each input that has a part in it, topmost first.
    private struct Job {
        let directory: UInt32
        let parts: [(input: Int, inode: UInt32)]
    }

    private struct Source: Hashable {
        let input: Int
        let inode: UInt32
    }

    private var inputs: [Input] = []
    private var builder: IndexBuilder
    private var queue: [Job] = []
    private var files: [Source: UInt32] = [:]
    private var xattrLists: [Source: UInt32] = [:]
    private let mayReachElsewhere: Bool

    /// `stack`: bottom to top; the first may be a chain, the others are layers.
    package static func fold(_ stack: [LayerIndex]) throws -> IndexBuilder {
        do {
            var fold = try ChainFold(stack)
            do { try fold.run() } catch is ReachesElsewhere {
                fold = try ChainFold(stack)
                try fold.write(AppliedLayers(stack))
            }
            return fold.builder
        } catch let error as FSError {
            throw Failure("fold \(stack.count) layers: an index is damaged (\(error))")
        } catch let errno as Errno {
            throw Failure("fold \(stack.count) layers", errno)
        }
    }

    private init(_ stack: [LayerIndex]) throws(FSError) {
        var layers: [Digest] = []
        for index in stack {
            let root = try index.inode(0)
            let isAbove = !inputs.isEmpty && root.omitsDirectories
            inputs.append(
                Input(
                    index: index,
                    base: layers.count,
                    objects: [UInt32?](repeating: nil, count: index.objectCount),
                    omitsDirectories: isAbove
                )
            )
            layers += index.layers
        }
        builder = IndexBuilder(kind: .chain, layers: layers)
        mayReachElsewhere = inputs.contains(where: \.omitsDirectories)
        // What is hidden is counted as well.
        builder.reserve(
            inodes: stack.reduce(0) { $0 + Int($1.inodeCount) },
            entries: stack.reduce(0) { $0 + $1.entryCount }
        )
    }

    private mutating func run() throws {
        // Every layer has a root, and the roots always merge; the topmost opaque one hides those below.
        var parts = Parts()
        for input in inputs.indices.reversed() {
            // A layer that is hidden may have changed something elsewhere before.
            if parts.isClosed, inputs[input].omitsDirectories { throw ReachesElsewhere() }
            try parts.add(input, 0, inputs[input].index.inode(0))
        }
        if parts.list.isEmpty {
            let number = try builder.addInode(ChainFold.newDirectory)
            try builder.setEntries(of: number, [])
            return
        }
        queue.append(Job(directory: try addDirectory(parts), parts: parts.list))
        var next = 0
        while next < queue.count {
            let job = queue[next]
            next += 1
            try merge(job)
            // Done jobs would otherwise hold every directory's parts until the end.
            if next == 4096 {
                queue.removeFirst(next)
                next = 0
            }
        }
    }

    /// The parts of a directory, topmost first.
    private struct Parts {
        private(set) var list: [(input: Int, inode: UInt32)] = []
        /// The source of the attributes: the topmost part that its tar really has, even if an opaque mark hides the
        /// contents of that part.
        private(set) var attributes: (input: Int, inode: UInt32)?
        private(set) var lowest: (input: Int, inode: UInt32)?
        /// An opaque mark hides the contents of the parts below.
        private(set) var isClosed = false
        var isComplete: Bool { isClosed && attributes != nil }

        mutating func add(_ input: Int, _ inode: UInt32, _ record: InodeRecord) {
            if !isClosed { list.append((input, inode)) }
            lowest = (input, inode)
            if attributes == nil, !record.isImplied { attributes = (input, inode) }
            if record.isOpaque { isClosed = true }
        }
    }

    private static var newDirectory: InodeRecord {
        var record = InodeRecord()
        record.mode = S_IFDIR | 0o755
        return record
    }

    private mutating func addDirectory(_ parts: Parts) throws -> UInt32 {
        guard let source = parts.attributes ?? parts.lowest else {
            return try builder.addInode(ChainFold.newDirectory)
        }
        return try addInode(source.input, source.inode)
    }

    private mutating func addInode(_ input: Int, _ number: UInt32) throws -> UInt32 {
        var record = try inputs[input].index.inode(number)
        let layer = inputs[input].base + Int(record.layer)
        guard layer < builder.layers.count, let position = UInt16(exactly: layer) else {
            throw FSError.corruptIndex(offset: UInt64(number))
        }
        record.layer = position
        record.nlink = 0
        record.parent = 0
        record.flags = 0
        record.firstEntry = 0
        record.entryCount = 0
        if record.isDirectory { record.content = 0 }
        record.xattrs = try copyXattrs(input, record)
        switch ContentKind(rawValue: record.contentKind) {
        case .object:
            record.content = UInt64(try object(input, Int(truncatingIfNeeded: record.content)))
        case .inline:
            record.content = try builder.addTarget(inputs[input].index.target(of: record))
        case .packed, .some(.none): break
        case nil: throw FSError.corruptIndex(offset: UInt64(number))
        }
        return try builder.addInode(record)
    }

    private mutating func object(_ input: Int, _ number: Int) throws -> UInt32 {
        let object = try inputs[input].index.object(number)
        if let known = inputs[input].objects[number] { return known }
        let added = builder.addObject(object.digest, size: object.size)
        inputs[input].objects[number] = added
        return added
    }

    private mutating func copyXattrs(_ input: Int, _ record: InodeRecord) throws -> UInt32 {
        guard record.xattrs != 0 else { return 0 }
        let source = Source(input: input, inode: record.xattrs)
        if let known = xattrLists[source] { return known }
        var list: [(name: [UInt8], value: [UInt8])] = []
        try inputs[input].index.forEachXattr(of: record) { (name, value) throws(FSError) in
            list.append(([UInt8](name), [UInt8](value)))
            return true
        }
        let added = try builder.addXattrs(list)
        xattrLists[source] = added
        return added
    }

    /// Walks the parts' sorted entries side by side.
    private mutating func merge(_ job: Job) throws {
        var cursors: [(input: Int, slots: Range<UInt32>)] = []
        for part in job.parts {
            cursors.append((part.input, try inputs[part.input].index.inode(part.inode).entries))
        }
        var merged: [IndexBuilder.Entry] = []
        var candidates: [(input: Int, entry: IndexEntry)] = []
        while true {
            candidates.removeAll(keepingCapacity: true)
            var holders: [Int] = []
            for (position, cursor) in cursors.enumerated() where !cursor.slots.isEmpty {
                let entry = try inputs[cursor.input].index.entry(cursor.slots.lowerBound)
                let order = candidates.first.map { NamePrefix.compare(entry.name, $0.entry.name) } ?? 0
                if order > 0 { continue }
                if order < 0 {
                    candidates.removeAll(keepingCapacity: true)
                    holders.removeAll(keepingCapacity: true)
                }
                candidates.append((cursor.input, entry))
                holders.append(position)
            }
            if candidates.isEmpty { break }
            for holder in holders {
                let slots = cursors[holder].slots
                cursors[holder].slots = slots.lowerBound + 1..<slots.upperBound
            }
            if let entry = try winner(of: candidates) { merged.append(entry) }
        }
        try builder.setEntries(of: job.directory, merged)
    }

    /// The resulting entry of one name. `candidates`: topmost first.
    private mutating func winner(
        of candidates: [(input: Int, entry: IndexEntry)]
    ) throws -> IndexBuilder.Entry? {
        let (input, entry) = candidates[0]
        if mayReachElsewhere, candidates.count > 1 { try checkReach(of: candidates) }
        if entry.isWhiteout { return nil }
        let record = try inputs[input].index.inode(entry.inode)
        guard record.isDirectory else {
            if record.isDeferredLink { throw ReachesElsewhere() }
            let source = Source(input: input, inode: entry.inode)
            let number = try files[source] ?? addInode(input, entry.inode)
            // Only a file with several names is met again.
            if record.nlink > 1 { files[source] = number }
            return IndexBuilder.Entry(try builder.addName(entry.name), inode: number, kind: entry.kind)
        }
        var parts = Parts()
        for (input, entry) in candidates {
            guard !entry.isWhiteout else { break }
            let part = try inputs[input].index.inode(entry.inode)
            guard part.isDirectory else { break }
            parts.add(input, entry.inode, part)
            if parts.isComplete { break }
        }
        let number = try addDirectory(parts)
        queue.append(Job(directory: number, parts: parts.list))
        return IndexBuilder.Entry(try builder.addName(entry.name), inode: number, kind: entry.kind)
    }

    /// Throws where an omitted directory meets a link of the layer below, or is hidden by now.
    private func checkReach(of candidates: [(input: Int, entry: IndexEntry)]) throws {
        var isHidden = false
        for (upper, lower) in zip(candidates, candidates.dropFirst()) {
            let isDirectory = upper.entry.kind == UInt8(DT_DIR)
            if isDirectory, inputs[upper.input].omitsDirectories {
                let record = try inputs[upper.input].index.inode(upper.entry.inode)
                let isLink = lower.entry.kind == UInt8(DT_LNK)
                if isHidden ? isLink || lower.entry.kind == UInt8(DT_DIR) : isLink && record.isImplied {
                    throw ReachesElsewhere()
                }
                if record.isOpaque { isHidden = true }
            } else if isDirectory {
                isHidden = try isHidden || inputs[upper.input].index.inode(upper.entry.inode).isOpaque
            } else {
                isHidden = true
            }
        }
    }

    /// Numbers the tree as merging does.
    private mutating func write(_ tree: AppliedLayers) throws {
        func add(_ node: AppliedLayers.Node) throws -> UInt32 {
            guard let source = node.source else { return try builder.addInode(ChainFold.newDirectory) }
            let key = Source(input: source.input, inode: source.inode)
            if node.kind != UInt8(DT_DIR), let known = files[key] { return known }
            let number = try addInode(source.input, source.inode)
            if node.kind != UInt8(DT_DIR) { files[key] = number }
            return number
        }
        var queue: [(node: UInt32, number: UInt32)] = [(0, try add(tree.nodes[0]))]
        var next = 0
        while next < queue.count {
            let directory = queue[next]
            next += 1
            var entries: [IndexBuilder.Entry] = []
            for (name, child) in tree.sortedChildren(of: directory.node) {
                let node = tree.nodes[Int(child)]
                let number = try add(node)
                if node.kind == UInt8(DT_DIR) { queue.append((child, number)) }
                let text = try name.span.withUnsafeBytes { (bytes: UnsafeRawBufferPointer) throws(Errno) in
                    try builder.addName(bytes)
                }
                entries.append(IndexBuilder.Entry(text, inode: number, kind: node.kind))
            }
            try builder.setEntries(of: directory.number, entries)
        }
    }
}
