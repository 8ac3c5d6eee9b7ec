import Glibc
import Linux
import Digests
import SystemPackage

/// Folds a stack of layers into one tree in which nothing is left to hide.
///
/// Directories are merged breadth first, names in byte order, and inodes numbered as they are first met: the
/// numbers depend on the merged tree alone. So the same stack folds to the same numbers whether it is folded at
/// once or onto an earlier chain, and a chain index can be thrown away and made again under mounted uppers'
/// recorded inode numbers.
package struct ChainFold {
    /// A layer, or a chain of which the layers below are made.
    private struct Input {
        let index: LayerIndex
        /// What its layer 0 is in the result.
        let base: Int
        /// Its object numbers in the result; nil until met.
        var objects: [UInt32?]
    }

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

    /// `stack`: bottom to top; the first may be a chain, the others are layers.
    package static func fold(_ stack: [LayerIndex]) throws -> IndexBuilder {
        var fold = ChainFold(stack)
        do {
            try fold.run()
        } catch let error as FSError {
            throw Failure("fold \(stack.count) layers: an index is damaged (\(error))")
        } catch let errno as Errno {
            throw Failure("fold \(stack.count) layers", errno)
        }
        return fold.builder
    }

    private init(_ stack: [LayerIndex]) {
        var layers: [Digest] = []
        for index in stack {
            inputs.append(
                Input(
                    index: index,
                    base: layers.count,
                    objects: [UInt32?](repeating: nil, count: index.objectCount)
                )
            )
            layers += index.layers
        }
        builder = IndexBuilder(kind: .chain, layers: layers)
    }

    private mutating func run() throws {
        // Every layer has a root, and the roots always merge; the topmost opaque one hides those below.
        var parts: [(input: Int, inode: UInt32)] = []
        for input in inputs.indices.reversed() {
            parts.append((input, 0))
            if try inputs[input].index.inode(0).isOpaque { break }
        }
        if parts.isEmpty {
            var root = InodeRecord()
            root.mode = S_IFDIR | 0o755
            let number = try builder.addInode(root)
            try builder.setEntries(of: number, [])
            return
        }
        queue.append(Job(directory: try addDirectory(parts), parts: parts))
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

    /// Attributes come from the topmost part that its tar really mentioned.
    private mutating func addDirectory(_ parts: [(input: Int, inode: UInt32)]) throws -> UInt32 {
        for part in parts where try !inputs[part.input].index.inode(part.inode).isImplied {
            return try addInode(part.input, part.inode)
        }
        return try addInode(parts[0].input, parts[0].inode)
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

    /// What stays of one name. `candidates`: topmost first.
    private mutating func winner(
        of candidates: [(input: Int, entry: IndexEntry)]
    ) throws -> IndexBuilder.Entry? {
        let (input, entry) = candidates[0]
        if entry.isWhiteout { return nil }
        let record = try inputs[input].index.inode(entry.inode)
        guard record.isDirectory else {
            let source = Source(input: input, inode: entry.inode)
            let number = try files[source] ?? addInode(input, entry.inode)
            // Only a file with several names can be met again.
            if record.nlink > 1 { files[source] = number }
            return IndexBuilder.Entry(try builder.addName(entry.name), inode: number, kind: entry.kind)
        }
        var parts: [(input: Int, inode: UInt32)] = []
        for (input, entry) in candidates {
            guard !entry.isWhiteout else { break }
            let part = try inputs[input].index.inode(entry.inode)
            guard part.isDirectory else { break }
            parts.append((input, entry.inode))
            if part.isOpaque { break }
        }
        let number = try addDirectory(parts)
        queue.append(Job(directory: number, parts: parts))
        return IndexBuilder.Entry(try builder.addName(entry.name), inode: number, kind: entry.kind)
    }
}
