import MountFixtures

import Glibc

/// Layers and changes on so few names that they meet all the time.
struct RandomTrees {
    private var random: SeededGenerator
    private let names: [Path] = ["a", "b", "c"]

    init(seed: UInt64) { random = SeededGenerator(seed: seed) }

    private mutating func path() -> Path {
        (0..<random.pick([1, 1, 2, 2, 3])).reduce(.root) { path, _ in path / random.pick(names) }
    }

    /// A layer in which every path occurs once and every parent is a directory or not mentioned.
    mutating func layer(entries: Int) -> Layer {
        var layer: Layer = []
        /// What the layer has made so far. A path that is in no other's way is free.
        var kinds: [Path: Bool] = [:]  // Whether it is a directory.
        var files: [Path] = []
        for number in 0..<entries {
            let path = path()
            let parents = path.ancestors
            guard kinds[path] == nil, parents.allSatisfy({ kinds[$0] != false }) else { continue }
            var entry = LayerEntry(path: path, kind: .directory, mode: 0o700 | UInt32(random.below(64)))
            entry.time.seconds = 1_000_000_000 + number
            (entry.uid, entry.gid) = (UInt32(random.below(3)), UInt32(random.below(3)))
            switch random.below(10) {
            case 0...2: break
            case 3:
                // Where no other layer has anything below it: what goes through links has a test of its own, since the
                // kernel's layers can't say it.
                entry.path = path / "link"
                entry.kind = .symlink(Array("target\(number)".utf8))
            case 4 where !files.isEmpty: entry.kind = .hardLink(random.pick(files))
            case 5...6: entry.kind = .whiteout
            case 7 where number % 2 == 0: entry.kind = .fifo
            default:
                entry.kind = .file(
                    Array(repeating: UInt8(truncatingIfNeeded: number), count: random.below(9000))
                )
                files.append(path)
            }
            if case .directory = entry.kind {
                kinds[path] = true
                if random.below(4) == 0 { layer.append(.opaque(path)) }
            } else {
                kinds[entry.path] = false
            }
            for parent in entry.path.ancestors { kinds[parent] = true }
            layer.append(entry)
        }
        return layer
    }

    mutating func change() -> Change {
        let (one, two) = (path(), path())
        let text = String(repeating: "\(random.below(10))", count: random.below(5000))
        switch random.below(23) {
        case 0, 1: return .create(one, text)
        case 2: return .write(one, text, at: random.below(10_000))
        case 3: return .write(one, text, flags: O_TRUNC)
        case 4: return .append(one, text)
        case 5: return .truncate(one, to: random.below(10_000))
        case 6, 22: return .mkdir(one, 0o700 | UInt32(random.below(64)))
        case 7: return .rmdir(one)
        case 8, 9: return .unlink(one)
        // Rarely: it ends what came of many changes.
        case 10: return random.below(3) == 0 ? .remove(one) : .mkdir(one)
        case 11: return .link(one, to: two)
        case 12: return .symlink("to \(random.below(100))", at: one)
        case 13, 14: return .rename(one, to: two)
        case 15: return .rename(one, to: two, flags: 1)
        case 16: return .rename(one, to: two, flags: 2)
        case 17: return .chmod(one, 0o600 | UInt32(random.below(128)))
        case 18: return .chown(one, UInt32(random.below(5)), UInt32(random.below(5)))
        case 19: return .setTime(one, 1_100_000_000 + random.below(1000), random.below(1000))
        case 20: return .setXattr(one, "trusted.n\(random.below(3))", [UInt8(random.below(256))])
        default: return .read(one, at: random.below(3000))
        }
    }
}
