package import Linux
package import Digests
package import SystemPackage

import CCodecs

/// The directory tree of a layer, or of a folded stack, mapped read-only.
///
/// A lookup is a binary search in mapped memory: no system call, no lock, no allocation. Every offset is checked
/// before it is used, so a damaged index answers `FSError.corruptIndex`; the header's checksum is always verified on
/// opening, the body's on request.
package struct LayerIndex: Sendable {
    private let file: MappedFile
    package let kind: IndexKind
    package let path: FilePath
    // Safe to share: immutable, and `file` keeps them alive.
    private nonisolated(unsafe) let inodeTable: UnsafeRawBufferPointer
    private nonisolated(unsafe) let entryTable: UnsafeRawBufferPointer
    private nonisolated(unsafe) let names: UnsafeRawBufferPointer
    private nonisolated(unsafe) let xattrs: UnsafeRawBufferPointer
    private nonisolated(unsafe) let objectTable: UnsafeRawBufferPointer
    private nonisolated(unsafe) let layerTable: UnsafeRawBufferPointer
    private nonisolated(unsafe) let linkTable: UnsafeRawBufferPointer
    package let inodeCount: UInt32

    /// Throws a `Failure` that names `path` for anything but a whole index of this version. `verifying` reads all of
    /// it once, to compare the checksum.
    package init(_ path: FilePath, verifying: Bool) throws {
        let file: MappedFile
        do { file = try MappedFile(path) } catch { throw Failure("open the index \(path)", error) }
        func damaged(_ what: String) -> Failure { Failure("the index \(path) is damaged: \(what)") }
        let bytes = file.bytes
        guard bytes.count >= IndexFormat.headerSize else { throw damaged("it has only \(bytes.count) bytes") }
        guard bytes.load(as: UInt64.self) == IndexFormat.magic else { throw damaged("it is not an index") }
        let version = bytes.load(fromByteOffset: 8, as: UInt32.self)
        guard let kind = IndexKind(rawValue: bytes.load(fromByteOffset: 12, as: UInt32.self)) else {
            throw damaged("unknown kind")
        }
        guard version == kind.version else {
            throw Failure("the index \(path) has version \(version), this mica knows \(kind.version)")
        }
        guard bytes.load(fromByteOffset: 16, as: UInt64.self) == UInt64(bytes.count) else {
            throw damaged("it has \(bytes.count) bytes and should have another size")
        }
        let header = UnsafeRawBufferPointer(rebasing: bytes[..<IndexFormat.headerSize])
        guard
            IndexChecksum.header(header)
                == bytes.load(fromByteOffset: IndexFormat.headerChecksum, as: UInt32.self)
        else { throw damaged("wrong checksum of the header") }
        if verifying {
            guard LayerIndex.hasRightChecksum(bytes) else { throw damaged("wrong checksum") }
        }
        func section(_ section: IndexFormat.Section) throws -> UnsafeRawBufferPointer {
            let at = IndexFormat.sections + 16 * section.rawValue
            let offset = bytes.load(fromByteOffset: at, as: UInt64.self)
            let size = bytes.load(fromByteOffset: at + 8, as: UInt64.self)
            guard offset % 8 == 0, offset <= UInt64(bytes.count), size <= UInt64(bytes.count) - offset else {
                throw damaged("section \(section) is out of bounds")
            }
            return UnsafeRawBufferPointer(rebasing: bytes[Int(offset)..<Int(offset + size)])
        }
        self.file = file
        self.kind = kind
        self.path = path
        inodeTable = try section(.inodes)
        entryTable = try section(.entries)
        names = try section(.names)
        xattrs = try section(.xattrs)
        objectTable = try section(.objects)
        layerTable = try section(.layers)
        linkTable = try section(.links)
        let count = inodeTable.count / InodeRecord.stride
        guard count >= 1, count <= Int(UInt32.max) - 16 else { throw damaged("\(count) inodes") }
        inodeCount = UInt32(count)
    }

    /// Whether the index is unchanged. Reads all of it.
    package var hasRightChecksum: Bool { LayerIndex.hasRightChecksum(file.bytes) }

    private static func hasRightChecksum(_ bytes: UnsafeRawBufferPointer) -> Bool {
        let body = UnsafeRawBufferPointer(rebasing: bytes[IndexFormat.headerSize...])
        return IndexChecksum.body(body)
            == bytes.load(fromByteOffset: IndexFormat.bodyChecksum, as: UInt32.self)
    }

    package var entryCount: Int { entryTable.count / IndexFormat.entryStride }
    package var byteCount: Int { file.bytes.count }

    /// The diffIDs of the stack, bottom to top; one for a layer.
    package var layers: [Digest] {
        (0..<layerTable.count / Digest.count).compactMap {
            Digest(
                bytes: UnsafeRawBufferPointer(
                    rebasing: layerTable[$0 * Digest.count..<($0 + 1) * Digest.count]
                )
            )
        }
    }

    package var objectCount: Int { objectTable.count / IndexFormat.objectStride }

    /// Digest and size in bytes of object `number`.
    package func object(_ number: Int) throws(FSError) -> (digest: Digest, size: UInt64) {
        guard number >= 0, number < objectCount else {
            throw .corruptIndex(offset: UInt64(objectTable.count))
        }
        let at = number * IndexFormat.objectStride
        guard
            let digest = Digest(bytes: UnsafeRawBufferPointer(rebasing: objectTable[at..<at + Digest.count]))
        else { throw .corruptIndex(offset: UInt64(at)) }
        return (digest, objectTable.loadUnaligned(fromByteOffset: at + Digest.count, as: UInt64.self))
    }

    @inline(__always)
    package func inode(_ number: UInt32) throws(FSError) -> InodeRecord {
        guard number < inodeCount else { throw .corruptIndex(offset: UInt64(number)) }
        return inodeTable.loadUnaligned(
            fromByteOffset: Int(number) * InodeRecord.stride,
            as: InodeRecord.self
        )
    }

    /// The entry in `slot`, a number that counts the entries of all directories.
    @inline(__always)
    package func entry(_ slot: UInt32) throws(FSError) -> IndexEntry {
        let at = Int(slot) * IndexFormat.entryStride
        guard at + IndexFormat.entryStride <= entryTable.count else {
            throw .corruptIndex(offset: UInt64(at))
        }
        let start = Int(entryTable.loadUnaligned(fromByteOffset: at + 8, as: UInt32.self))
        let count = Int(entryTable.loadUnaligned(fromByteOffset: at + 16, as: UInt16.self))
        return IndexEntry(
            name: try text(start, count),
            inode: entryTable.loadUnaligned(fromByteOffset: at + 12, as: UInt32.self),
            kind: entryTable.load(fromByteOffset: at + 18, as: UInt8.self)
        )
    }

    /// The link of a chain at `position`: the slot of an entry, and its directory.
    func link(_ position: UInt32) throws(FSError) -> (slot: UInt32, directory: UInt32) {
        let at = Int(position) * IndexFormat.linkStride
        guard at + IndexFormat.linkStride <= linkTable.count else { throw .corruptIndex(offset: UInt64(at)) }
        let directory = linkTable.loadUnaligned(fromByteOffset: at + 4, as: UInt32.self)
        guard directory < inodeCount else { throw .corruptIndex(offset: UInt64(at)) }
        return (linkTable.loadUnaligned(fromByteOffset: at, as: UInt32.self), directory)
    }

    /// Finds `name` in a directory, or nil. In a layer it may be a whiteout.
    package func lookup(
        _ name: UnsafeRawBufferPointer,
        in directory: InodeRecord
    ) throws(FSError) -> IndexEntry? {
        guard let slot = try slot(of: name, in: directory) else { return nil }
        return try entry(slot)
    }

    package func lookup(
        _ name: UnsafeRawBufferPointer,
        in directory: UInt32
    ) throws(FSError) -> IndexEntry? {
        try lookup(name, in: inode(directory))
    }

    /// The slot of `name`, by binary search on the eight bytes in the entry itself, so that most probes touch one
    /// cache line, and on the whole name only where those are equal.
    @inline(__always)
    func slot(of name: UnsafeRawBufferPointer, in directory: InodeRecord) throws(FSError) -> UInt32? {
        let range = directory.entries
        guard Int(range.upperBound) <= entryCount else {
            throw .corruptIndex(offset: UInt64(range.upperBound))
        }
        guard let table = entryTable.baseAddress else { return nil }
        let wanted = NamePrefix.of(name)
        var low = range.lowerBound
        var high = range.upperBound
        while low < high {
            let middle = low + (high - low) / 2
            let record = table + Int(middle) * IndexFormat.entryStride
            let prefix = record.loadUnaligned(as: UInt64.self)
            if prefix < wanted {
                low = middle + 1
            } else if prefix > wanted {
                high = middle
            } else {
                let start = Int(record.loadUnaligned(fromByteOffset: 8, as: UInt32.self))
                let count = Int(record.loadUnaligned(fromByteOffset: 16, as: UInt16.self))
                let order = NamePrefix.compare(name, try text(start, count))
                if order == 0 { return middle }
                if order < 0 { high = middle } else { low = middle + 1 }
            }
        }
        return nil
    }

    /// The target of a symbolic link; empty for any other inode.
    package func target(of inode: InodeRecord) throws(FSError) -> UnsafeRawBufferPointer {
        guard inode.contentKind == ContentKind.inline.rawValue else {
            return UnsafeRawBufferPointer(start: nil, count: 0)
        }
        guard inode.content <= UInt64(names.count), inode.size <= UInt64(names.count) else {
            throw .corruptIndex(offset: inode.content)
        }
        return try text(Int(inode.content), Int(inode.size))
    }

    /// Calls `body` with each attribute's name and value, until it returns false.
    package func forEachXattr(
        of inode: InodeRecord,
        _ body: (UnsafeRawBufferPointer, UnsafeRawBufferPointer) throws(FSError) -> Bool
    ) throws(FSError) {
        guard inode.xattrs != 0 else { return }
        var at = Int(inode.xattrs) - 1
        func take(_ count: Int) throws(FSError) -> UnsafeRawBufferPointer {
            guard at >= 0, count >= 0, count <= xattrs.count, at <= xattrs.count - count else {
                throw .corruptIndex(offset: UInt64(inode.xattrs))
            }
            defer { at += count }
            return UnsafeRawBufferPointer(rebasing: xattrs[at..<at + count])
        }
        let count = try take(4).loadUnaligned(as: UInt32.self)
        for _ in 0..<count {
            let nameLength = Int(try take(2).loadUnaligned(as: UInt16.self))
            let valueLength = Int(try take(4).loadUnaligned(as: UInt32.self))
            let name = try take(nameLength)
            guard try body(name, take(valueLength)) else { return }
        }
    }

    @inline(__always)
    private func text(_ start: Int, _ count: Int) throws(FSError) -> UnsafeRawBufferPointer {
        guard start >= 0, count >= 0, count <= names.count, start <= names.count - count else {
            throw .corruptIndex(offset: UInt64(UInt(bitPattern: start)))
        }
        guard count > 0 else { return UnsafeRawBufferPointer(start: nil, count: 0) }
        return UnsafeRawBufferPointer(start: names.baseAddress.map { $0 + start }, count: count)
    }
}
