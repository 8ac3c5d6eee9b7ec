import Linux
import SystemPackage

extension LayerTree {
    /// The index of the finished tree. Breadth first, names in byte order: the same tar always gives the same index.
    consuming func finish() throws(Errno) -> IndexBuilder {
        // In the index, by the number here.
        var numbers = [UInt32](repeating: .max, count: inodes.count)
        builder.reserve(inodes: inodes.count, entries: entryCount)
        var queue: [UInt32] = [0]
        numbers[0] = try builder.addInode(inodes[0].withoutSlot)
        var next = 0
        var found: UInt8 = 0
        while next < queue.count {
            let directory = queue[next]
            next += 1
            var (names, whiteouts) = takeSorted(directory)
            var entries: [IndexBuilder.Entry] = []
            entries.reserveCapacity(names.count + whiteouts.count)
            for (name, child) in names {
                var record = inodes[Int(child)].withoutSlot
                if !whiteouts.isEmpty, whiteouts.remove(name) != nil, record.isDirectory {
                    // A whiteout beside a directory of the same name leaves only what this layer has of it.
                    record.flags |= InodeRecord.opaque
                    record.flags &= ~InodeRecord.implied
                }
                if record.isImplied { found |= InodeRecord.omitsDirectories }
                if record.isDeferredLink { found |= InodeRecord.defersLinks }
                if record.isDirectory { queue.append(child) }
                if numbers[Int(child)] == .max { numbers[Int(child)] = try builder.addInode(record) }
                let number = numbers[Int(child)]
                entries.append(IndexBuilder.Entry(try add(name), inode: number, kind: record.kind))
            }
            for name in whiteouts.sorted(by: { $0.lexicographicallyPrecedes($1) }) {
                entries.append(IndexBuilder.Entry(whiteout: try add(name)))
            }
            try builder.setEntries(of: numbers[Int(directory)], entries)
        }
        builder[0].flags |= found
        return builder
    }

    /// What is in a directory, which is empty afterwards: the names are half of the tree's memory.
    private mutating func takeSorted(
        _ number: UInt32
    ) -> ([(key: [UInt8], value: UInt32)], Set<[UInt8]>) {
        let slot = slot(number)
        let directory = directories[slot]
        directories[slot] = Directory()
        let names = directory.children
            .filter { !$0.key.starts(with: ".wh.".utf8) }
            .sorted { $0.key.lexicographicallyPrecedes($1.key) }
        return (names, directory.whiteouts)
    }

    private mutating func add(_ name: [UInt8]) throws(Errno) -> IndexBuilder.Name {
        try name.span.withUnsafeBytes { (bytes: UnsafeRawBufferPointer) throws(Errno) in
            try builder.addName(bytes)
        }
    }
}

extension InodeRecord {
    fileprivate var withoutSlot: InodeRecord {
        var record = self
        record.firstEntry = 0
        return record
    }
}
