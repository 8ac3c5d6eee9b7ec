import Glibc
import Linux

/// A directory of a stack, merged from its pieces.
///
/// Names and pieces never change; numbers are set once, before other threads see the directory.
final class StackDirectory: @unchecked Sendable {
    // Safe to share: `entries` is written only under the stack's lock, before the directory is published.
    struct Entry {
        var offset: UInt32
        var length: UInt8
        /// DT_*.
        var kind: UInt8
        /// The position in `pieces` of the topmost piece that has the name.
        var piece: UInt16
        var inode: UInt32
    }

    let pieces: [StackPiece]
    /// By the slot of a subdirectory that several pieces have: which pieces, top first.
    let merged: [UInt32: [UInt16]]
    private let names: [UInt8]
    /// In ascending order of the bytes of their names.
    private(set) var entries: [Entry]

    init(pieces: [StackPiece], merged: [UInt32: [UInt16]], names: [UInt8], entries: [Entry]) {
        self.pieces = pieces
        self.merged = merged
        self.names = names
        self.entries = entries
    }

    func setInode(_ slot: Int, _ inode: UInt32) { entries[slot].inode = inode }

    func name(_ slot: Int) -> [UInt8] {
        let entry = entries[slot]
        return Array(names[Int(entry.offset)..<Int(entry.offset) + Int(entry.length)])
    }

    /// The piece that is in `layer`.
    func piece(in layer: Int) -> StackPiece? { pieces.first { $0.layer == layer } }

    func withName(
        _ slot: Int,
        _ body: (UnsafeRawBufferPointer) throws(FSError) -> Bool
    ) throws(FSError) -> Bool {
        let entry = entries[slot]
        let range = Int(entry.offset)..<Int(entry.offset) + Int(entry.length)
        // A span of a local copy: the compiler says that the span of a property would escape.
        let names = names
        return try names.span.withUnsafeBytes { (bytes: UnsafeRawBufferPointer) throws(FSError) -> Bool in
            try body(UnsafeRawBufferPointer(rebasing: bytes[range]))
        }
    }

    func find(_ name: UnsafeRawBufferPointer) -> Entry? {
        names.withUnsafeBytes { bytes in
            var low = 0
            var high = entries.count
            while low < high {
                let middle = (low + high) / 2
                let entry = entries[middle]
                let range = Int(entry.offset)..<Int(entry.offset) + Int(entry.length)
                let order = Self.compare(UnsafeRawBufferPointer(rebasing: bytes[range]), name)
                if order == 0 { return entry }
                if order < 0 { low = middle + 1 } else { high = middle }
            }
            return nil
        }
    }

    /// Compares as strcmp(3) does, by unsigned bytes.
    static func compare(_ one: UnsafeRawBufferPointer, _ other: UnsafeRawBufferPointer) -> Int {
        let common = min(one.count, other.count)
        if common > 0, let left = one.baseAddress, let right = other.baseAddress {
            let order = memcmp(left, right, common)
            if order != 0 { return Int(order) }
        }
        return one.count - other.count
    }
}

/// The names that were read of a directory's pieces, in any order.
struct StackContents {
    struct Item {
        var offset: UInt32
        var length: UInt8
        /// DT_*; DT_UNKNOWN for a whiteout.
        var kind: UInt8
        var piece: UInt16
        var isWhiteout: Bool
        /// d_ino.
        var ino: UInt64
    }

    private(set) var names: [UInt8] = []
    private(set) var items: [Item] = []

    mutating func append(
        _ name: UnsafeRawBufferPointer,
        kind: UInt8,
        piece: Int,
        ino: UInt64,
        isWhiteout: Bool = false
    ) {
        items.append(
            Item(
                offset: UInt32(clamping: names.count),
                length: UInt8(clamping: name.count),
                kind: kind,
                piece: UInt16(clamping: piece),
                isWhiteout: isWhiteout,
                ino: ino
            )
        )
        names.append(contentsOf: name)
    }

    /// Merges: the topmost item of a name counts; subdirectories are merged down to the first item that is no
    /// directory.
    consuming func merge(pieces: [StackPiece]) -> (directory: StackDirectory, inos: [UInt64]) {
        var items = items
        let names = names
        var entries: [StackDirectory.Entry] = []
        var inos: [UInt64] = []
        var merged: [UInt32: [UInt16]] = [:]
        var shown: [UInt8] = []
        names.withUnsafeBytes { bytes in
            func name(_ item: Item) -> UnsafeRawBufferPointer {
                let range = Int(item.offset)..<Int(item.offset) + Int(item.length)
                return UnsafeRawBufferPointer(rebasing: bytes[range])
            }
            // A layer's whiteouts hide nothing in the layer itself.
            items.sort { one, other in
                let order = StackDirectory.compare(name(one), name(other))
                if order != 0 { return order < 0 }
                if one.piece != other.piece { return one.piece < other.piece }
                return !one.isWhiteout && other.isWhiteout
            }
            entries.reserveCapacity(items.count)
            inos.reserveCapacity(items.count)
            var position = 0
            while position < items.count {
                let first = items[position]
                var found = [first.piece]
                var isOpen = !first.isWhiteout && first.kind == UInt8(DT_DIR)
                position += 1
                while position < items.count, StackDirectory.compare(name(items[position]), name(first)) == 0
                {
                    let item = items[position]
                    isOpen = isOpen && !item.isWhiteout && item.kind == UInt8(DT_DIR)
                    if isOpen { found.append(item.piece) }
                    position += 1
                }
                guard !first.isWhiteout else { continue }
                if found.count > 1 { merged[UInt32(clamping: entries.count)] = found }
                entries.append(
                    StackDirectory.Entry(
                        offset: UInt32(clamping: shown.count),
                        length: first.length,
                        kind: first.kind,
                        piece: first.piece,
                        inode: 0
                    )
                )
                inos.append(first.ino)
                shown.append(contentsOf: name(first))
            }
        }
        return (StackDirectory(pieces: pieces, merged: merged, names: shown, entries: entries), inos)
    }
}
