import MountFixtures

import Glibc

/// One operation on the data of a few files. `slot` is one of a few open descriptors, each with a mapping of its
/// own; what a slot is, and whether it is open, is the runner's to know. An operation means something after any
/// others, so that a sequence can be shortened.
enum DataOperation: Sendable {
    case open(slot: Int, file: Int, Access)
    case close(slot: Int)
    case read(slot: Int, offset: Int, count: Int)
    case write(slot: Int, offset: Int, count: Int, fill: UInt8)
    case truncate(slot: Int, size: Int)
    case allocate(slot: Int, mode: CInt, offset: Int, length: Int)
    case seek(slot: Int, offset: Int, forData: Bool)
    case map(slot: Int)
    case readMap(slot: Int, offset: Int, count: Int)
    case writeMap(slot: Int, offset: Int, count: Int, fill: UInt8, isSynchronous: Bool)
    case copy(from: Int, offset: Int, to: Int, at: Int, count: Int)
    case synchronize(slot: Int, dataOnly: Bool)
    /// posix_fadvise(2): the next reads come from micafs.
    case dropCache(slot: Int)
    case unlink(file: Int)
    /// Reads a whole file through a descriptor of its own.
    case check(file: Int)
    case remount

    var isUnlink: Bool { if case .unlink = self { true } else { false } }

    enum Access: CInt, Sendable, CaseIterable { case read, write, append, truncate }

    /// fallocate(2): extend, keep the size, punch, zero, zero and keep the size, collapse, insert.
    static let modes: [CInt] = [0, 1, 3, 0x10, 0x11, 8, 0x20]
}

/// Sequences of operations: most of them within a few pages, where they meet.
struct DataOperations {
    static let slots = 4
    private var random: SeededGenerator
    private let files: Int

    init(seed: UInt64, files: Int) { (random, self.files) = (SeededGenerator(seed: seed), files) }

    /// - Parameter remountEvery: a remount after so many operations; never without it.
    mutating func sequence(_ count: Int, remountEvery: Int? = nil) -> [DataOperation] {
        (1...count).map { number in
            if let remountEvery, number % remountEvery == 0 { return .remount }
            return next()
        }
    }

    private mutating func offset() -> Int {
        let limit = random.pick([300, 9000, 9000, 40_000, 140_000, 140_000, 400_000])
        let offset = random.below(limit)
        // Edges of pages and of what is packed are where mistakes are.
        return random.below(3) == 0 ? offset & ~4095 : offset
    }

    private mutating func length() -> Int {
        let limit = random.pick([2, 200, 5000, 5000, 20_000, 70_000])
        return random.below(8) == 0 ? (random.below(limit) + 4096) & ~4095 : random.below(limit)
    }

    private mutating func next() -> DataOperation {
        let slot = random.below(DataOperations.slots)
        let file = random.below(files)
        let fill = UInt8(truncatingIfNeeded: random.next())
        switch random.below(100) {
        case 0..<12:
            return .open(
                slot: slot,
                file: file,
                random.pick([.read, .read, .write, .write, .append, .truncate])
            )
        case 12..<14: return .close(slot: slot)
        case 14..<30: return .read(slot: slot, offset: offset(), count: length())
        case 30..<48: return .write(slot: slot, offset: offset(), count: length(), fill: fill)
        case 48..<53: return .truncate(slot: slot, size: offset())
        case 53..<60:
            let mode = random.pick(DataOperation.modes)
            return .allocate(slot: slot, mode: mode, offset: offset(), length: length())
        case 60..<65: return .seek(slot: slot, offset: offset(), forData: random.below(2) == 0)
        case 65..<68: return .map(slot: slot)
        case 68..<74: return .readMap(slot: slot, offset: offset(), count: length())
        case 74..<81:
            let isSynchronous = random.below(2) == 0
            return .writeMap(
                slot: slot,
                offset: offset(),
                count: length(),
                fill: fill,
                isSynchronous: isSynchronous
            )
        case 81..<88:
            let to = random.below(DataOperations.slots)
            return .copy(from: slot, offset: offset(), to: to, at: offset(), count: length())
        case 88..<90: return .synchronize(slot: slot, dataOnly: random.below(2) == 0)
        case 90..<94: return .dropCache(slot: slot)
        case 94..<95: return .unlink(file: file)
        default: return .check(file: file)
        }
    }
}
