package import Linux
package import Digests
package import SystemPackage

/// Builds an index in memory and writes it.
///
/// Inodes are numbered in the order in which they are added; the first must be the root directory. A directory's
/// entries are set once, when all its children have their numbers. Link counts are counted here.
package struct IndexBuilder {
    package let kind: IndexKind
    package let layers: [Digest]
    private var inodes: [InodeRecord] = []
    private var entries: [UInt8] = []
    package private(set) var entryCount: UInt32 = 0
    private var names: [UInt8] = []
    private var xattrs: [UInt8] = []
    private var xattrOffsets: [[UInt8]: UInt32] = [:]
    private var objects: [(digest: Digest, size: UInt64)] = []
    private var objectNumbers: [Digest: UInt32] = [:]
    /// For a chain: the names of inodes that have several.
    private var links: [(inode: UInt32, slot: UInt32, directory: UInt32)] = []

    /// `layers`: diffIDs, bottom to top. A layer's own diffID is known only at the end, hence `write(layer:)`.
    package init(kind: IndexKind, layers: [Digest] = []) {
        self.kind = kind
        self.layers = layers
    }

    /// A name whose bytes are in the index already.
    package struct Name {
        let offset: UInt32
        let length: UInt16
        let prefix: UInt64
    }

    /// One entry of a directory. A whiteout has kind `IndexEntry.whiteout` and no inode.
    package struct Entry {
        let name: Name
        let kind: UInt8
        let inode: UInt32

        package init(_ name: Name, inode: UInt32, kind: UInt8) {
            self.name = name
            self.kind = kind
            self.inode = inode
        }

        package init(whiteout name: Name) {
            self.init(name, inode: .max, kind: IndexEntry.whiteout)
        }
    }

    package var inodeCount: Int { inodes.count }

    /// Makes room for what is about to be added: memory that turns out not to be needed is never touched. An array that
    /// grows is there twice while it is copied.
    mutating func reserve(inodes count: Int, entries: Int) {
        inodes.reserveCapacity(count)
        self.entries.reserveCapacity(entries * IndexFormat.entryStride)
    }

    package subscript(inode: UInt32) -> InodeRecord {
        get { inodes[Int(inode)] }
        set { inodes[Int(inode)] = newValue }
    }

    /// Throws EOVERFLOW when the index is full: 4 GiB of names, 4 billion inodes.
    package mutating func addInode(_ record: InodeRecord) throws(Errno) -> UInt32 {
        guard inodes.count < Int(UInt32.max) - 16 else { throw .overflow }
        inodes.append(record)
        return UInt32(inodes.count - 1)
    }

    package mutating func addName(_ name: UnsafeRawBufferPointer) throws(Errno) -> Name {
        guard name.count <= Int(UInt16.max) else { throw .fileNameTooLong }
        return Name(
            offset: try addText(name),
            length: UInt16(name.count),
            prefix: NamePrefix.of(name)
        )
    }

    /// The value for a symbolic link's `content`, with `contentKind` inline and `size` the target's length.
    package mutating func addTarget(_ target: UnsafeRawBufferPointer) throws(Errno) -> UInt64 {
        UInt64(try addText(target))
    }

    /// The target of a symbolic link that was added; empty for any other inode.
    func text(of record: InodeRecord) -> [UInt8] {
        guard record.contentKind == ContentKind.inline.rawValue, let start = Int(exactly: record.content),
            let count = Int(exactly: record.size), start <= names.count, count <= names.count - start
        else { return [] }
        return Array(names[start..<start + count])
    }

    private mutating func addText(_ text: UnsafeRawBufferPointer) throws(Errno) -> UInt32 {
        guard names.count <= Int(UInt32.max) - text.count else { throw .overflow }
        defer { names.append(contentsOf: text) }
        return UInt32(names.count)
    }

    /// The value for `InodeRecord.xattrs`. Lists that are equal are stored once.
    package mutating func addXattrs(_ list: [(name: [UInt8], value: [UInt8])]) throws(Errno) -> UInt32 {
        guard !list.isEmpty else { return 0 }
        var encoded: [UInt8] = []
        func append(_ value: some FixedWidthInteger) {
            withUnsafeBytes(of: value.littleEndian) { encoded.append(contentsOf: $0) }
        }
        append(UInt32(list.count))
        for (name, value) in list {
            guard name.count <= Int(UInt16.max), value.count <= Int(UInt32.max) else { throw .overflow }
            append(UInt16(name.count))
            append(UInt32(value.count))
            encoded += name
            encoded += value
        }
        if let offset = xattrOffsets[encoded] { return offset }
        guard xattrs.count + encoded.count < Int(UInt32.max) else { throw .overflow }
        let offset = UInt32(xattrs.count) + 1
        xattrs += encoded
        xattrOffsets[encoded] = offset
        return offset
    }

    /// The number of an object, for `content`. The same digest has one number.
    package mutating func addObject(_ digest: Digest, size: UInt64) -> UInt32 {
        if let number = objectNumbers[digest] { return number }
        let number = UInt32(objects.count)
        objects.append((digest, size))
        objectNumbers[digest] = number
        return number
    }

    /// Sorts `list` and makes it the directory's. Throws EEXIST where a name occurs twice.
    package mutating func setEntries(of directory: UInt32, _ list: [Entry]) throws(Errno) {
        let sorted = names.withUnsafeBytes { names in
            func text(_ name: Name) -> UnsafeRawBufferPointer {
                UnsafeRawBufferPointer(
                    rebasing: names[Int(name.offset)..<Int(name.offset) + Int(name.length)]
                )
            }
            func order(_ left: Entry, _ right: Entry) -> Int {
                if left.name.prefix != right.name.prefix {
                    return left.name.prefix < right.name.prefix ? -1 : 1
                }
                return NamePrefix.compare(text(left.name), text(right.name))
            }
            let sorted = list.sorted { order($0, $1) < 0 }
            let isUnique = zip(sorted, sorted.dropFirst()).allSatisfy { order($0, $1) != 0 }
            return isUnique ? sorted : nil
        }
        guard let sorted else { throw .fileExists }
        guard list.count <= Int(UInt32.max - entryCount) else { throw .overflow }
        inodes[Int(directory)].firstEntry = entryCount
        inodes[Int(directory)].entryCount = UInt32(list.count)
        inodes[Int(directory)].nlink = 2
        for (slot, entry) in zip(entryCount..., sorted) {
            append(entry)
            guard entry.kind != IndexEntry.whiteout else { continue }
            if kind == .chain { note(slot, of: entry.inode, in: directory) }
            let isFirstName = inodes[Int(entry.inode)].nlink == 0
            if inodes[Int(entry.inode)].isDirectory {
                inodes[Int(directory)].nlink += 1
                inodes[Int(entry.inode)].parent = directory
            } else {
                if isFirstName { inodes[Int(entry.inode)].parent = directory }
                inodes[Int(entry.inode)].nlink += 1
            }
        }
        entryCount += UInt32(list.count)
    }

    /// Records which entry leads to an inode. Precondition: the link count is that of the names before.
    private mutating func note(_ slot: UInt32, of inode: UInt32, in directory: UInt32) {
        let record = inodes[Int(inode)]
        guard !record.isDirectory else { return inodes[Int(inode)].content = UInt64(slot) }
        guard record.nlink > 0 else { return inodes[Int(inode)].firstEntry = slot }
        if record.nlink == 1 { links.append((inode, record.firstEntry, record.parent)) }
        links.append((inode, slot, directory))
    }

    /// Says in the inodes which names those with several have, and returns the section of links.
    private mutating func link() throws(Errno) -> [UInt8] {
        guard !links.isEmpty else { return [] }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(links.count * IndexFormat.linkStride)
        let sorted = links.sorted { ($0.inode, $0.slot) < ($1.inode, $1.slot) }
        guard sorted.count <= Int(UInt32.max) else { throw .overflow }
        for (position, link) in sorted.enumerated() {
            let isFirst = position == 0 || sorted[position - 1].inode != link.inode
            if isFirst {
                inodes[Int(link.inode)].firstEntry = UInt32(position)
                inodes[Int(link.inode)].entryCount = 0
            }
            inodes[Int(link.inode)].entryCount += 1
            for number in [link.slot, link.directory] {
                withUnsafeBytes(of: number.littleEndian) { bytes.append(contentsOf: $0) }
            }
        }
        return bytes
    }

    private mutating func append(_ entry: Entry) {
        func put(_ value: some FixedWidthInteger) {
            withUnsafeBytes(of: value.littleEndian) { entries.append(contentsOf: $0) }
        }
        put(entry.name.prefix)
        put(entry.name.offset)
        put(entry.inode)
        put(entry.name.length)
        put(entry.kind)
        put(UInt8(0))
        put(UInt32(0))
    }

    /// Writes the index at the file's start and returns its size in bytes. Does not sync.
    @discardableResult
    package consuming func write(to fd: borrowing OwnedFD, layer: Digest? = nil) throws(Errno) -> UInt64 {
        let links = try link()
        let objectBytes = objects.flatMap { object in
            object.digest.bytes + withUnsafeBytes(of: object.size.littleEndian) { [UInt8]($0) }
        }
        var small = [objectBytes, (layer.map { [$0] } ?? layers).flatMap(\.bytes)]
        if kind == .chain { small.append(links) }
        var size = UInt64(IndexFormat.headerSize)
        var table: [(offset: UInt64, size: UInt64)] = []
        var checksum: UInt32 = 0
        // An index may be larger than all else that an import has in memory, so its sections are never put together.
        try forEachSection(small) { (bytes, padding) throws(Errno) in
            table.append((size, UInt64(bytes.count)))
            size += UInt64(bytes.count + padding.count)
            checksum = IndexChecksum.body(bytes, after: checksum)
            checksum = padding.withUnsafeBytes { IndexChecksum.body($0, after: checksum) }
        }
        try fd.writeAll(header(size: size, table, checksum: checksum))
        try forEachSection(small) { (bytes, padding) throws(Errno) in
            try fd.writeAll(bytes)
            if !padding.isEmpty { try fd.writeAll(padding) }
        }
        return size
    }

    /// In the order of the file, each with the zeros behind it. `small`: those that are not in this form in memory.
    private func forEachSection(
        _ small: [[UInt8]],
        _ body: (UnsafeRawBufferPointer, [UInt8]) throws(Errno) -> Void
    ) throws(Errno) {
        func pass(_ bytes: UnsafeRawBufferPointer) throws(Errno) {
            try body(bytes, [UInt8](repeating: 0, count: (8 - bytes.count % 8) % 8))
        }
        try inodes.span.withUnsafeBytes { (bytes: UnsafeRawBufferPointer) throws(Errno) in try pass(bytes) }
        for section in [entries, names, xattrs] + small {
            try section.span.withUnsafeBytes { (bytes: UnsafeRawBufferPointer) throws(Errno) in
                try pass(bytes)
            }
        }
    }

    private func header(size: UInt64, _ table: [(offset: UInt64, size: UInt64)], checksum: UInt32) -> [UInt8]
    {
        var header: [UInt8] = []
        func put(_ value: some FixedWidthInteger) {
            withUnsafeBytes(of: value.littleEndian) { header.append(contentsOf: $0) }
        }
        put(IndexFormat.magic)
        put(kind.version)
        put(kind.rawValue)
        put(size)
        put(UInt32(0))
        put(checksum)
        for (offset, size) in table {
            put(offset)
            put(size)
        }
        header += [UInt8](repeating: 0, count: IndexFormat.headerSize - header.count)
        let own = header.withUnsafeBytes { IndexChecksum.header($0) }
        withUnsafeBytes(of: own.littleEndian) { bytes in
            for (offset, byte) in bytes.enumerated() { header[IndexFormat.headerChecksum + offset] = byte }
        }
        return header
    }
}
