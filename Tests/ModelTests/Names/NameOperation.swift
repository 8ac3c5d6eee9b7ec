import MountFixtures

import Glibc

/// One operation on the names below a directory. `slot` is one of a few open descriptors. An operation means
/// something after any others, so that a sequence can be shortened.
enum NameOperation: Sendable {
    case create(Name, tag: Int)
    case makeDirectory(Name)
    case symlink(Name, tag: Int)
    case makeFIFO(Name)
    case link(Name, Name)
    case unlink(Name)
    case removeDirectory(Name)
    case rename(Name, Name, flags: UInt32)
    case chmod(Name, UInt32)
    case chown(Name, UInt32, UInt32)
    case setTime(Name, Int)
    case setXattr(Name, tag: Int)
    case removeXattr(Name)
    case write(Name, tag: Int)
    case open(slot: Int, Name)
    case close(slot: Int)
    case statOpen(slot: Int)
    case writeOpen(slot: Int, tag: Int)
    case chmodOpen(slot: Int, UInt32)
    case linkOpen(slot: Int, Name)
    case synchronizeOpen(slot: Int)
    case stat(Name)
    case list(Name)
    case checkAll
    case remount

    /// A path below the tested directory, as components.
    typealias Name = [String]
}

/// Sequences of operations on so few names that they meet all the time.
struct NameOperations {
    static let slots = 3
    private var random: SeededGenerator
    private let names = ["a", "b", "c", "d"]

    init(seed: UInt64) { random = SeededGenerator(seed: seed) }

    /// What makes a tree to start with. No FIFO has two names: GNU tar, by which it becomes an image, does not tell.
    mutating func tree(_ count: Int) -> [NameOperation] {
        let model = NameModel()
        return candidates(count).filter { operation in
            if case .link(let old, _) = operation, (try? model.find(old))?.kind == .fifo { return false }
            try? model.apply(operation)
            return true
        }
    }

    private mutating func candidates(_ count: Int) -> [NameOperation] {
        (0..<count).map { _ in
            switch random.below(12) {
            case 0...4: .makeDirectory(name())
            case 5...7: .create(name(), tag: random.below(1000))
            case 8: .symlink(name(), tag: random.below(1000))
            case 9: .makeFIFO(name())
            case 10: .setXattr(name(), tag: random.below(1000))
            default: .link(name(), name())
            }
        }
    }

    /// - Parameter remountEvery: a remount after so many operations; never without it.
    mutating func sequence(_ count: Int, remountEvery: Int? = nil) -> [NameOperation] {
        (1...count).map { number in
            if let remountEvery, number % remountEvery == 0 { return .remount }
            return next()
        }
    }

    private mutating func name() -> NameOperation.Name {
        (0..<random.pick([1, 1, 2, 2, 2, 3, 3, 4])).map { _ in random.pick(names) }
    }

    private mutating func next() -> NameOperation {
        let (one, two) = (name(), name())
        let tag = random.below(1000)
        let slot = random.below(NameOperations.slots)
        switch random.below(100) {
        case 0..<10: return .create(one, tag: tag)
        case 10..<20: return .makeDirectory(one)
        case 20..<22: return .symlink(one, tag: tag)
        case 22..<24: return .makeFIFO(one)
        case 24..<31: return .link(one, two)
        case 31..<38: return .unlink(one)
        case 38..<43: return .removeDirectory(one)
        case 43..<55: return .rename(one, two, flags: random.pick([0, 0, 0, 1, 2]))
        case 55..<59: return .chmod(one, 0o700 | UInt32(random.below(64)))
        case 59..<62: return .chown(one, UInt32(random.below(3)), UInt32(random.below(3)))
        case 62..<65: return .setTime(one, 1_000_000_000 + tag)
        case 65..<68: return .setXattr(one, tag: tag)
        case 68..<69: return .removeXattr(one)
        case 69..<74: return .write(one, tag: tag)
        case 74..<79: return .open(slot: slot, one)
        case 79..<80: return .close(slot: slot)
        case 80..<83: return .statOpen(slot: slot)
        case 83..<86: return .writeOpen(slot: slot, tag: tag)
        case 86..<88: return .chmodOpen(slot: slot, 0o600 | UInt32(random.below(64)))
        case 88..<90: return .linkOpen(slot: slot, one)
        case 90..<91: return .synchronizeOpen(slot: slot)
        case 91..<95: return .stat(one)
        case 95..<99: return .list(one)
        default: return .checkAll
        }
    }
}
