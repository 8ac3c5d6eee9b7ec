import Foundation
import MountFixtures
import Testing

/// How much is tried: a few thousand operations, more where $MICA_OPERATIONS or $MICA_SEEDS ask for it, from
/// $MICA_FIRST_SEED on.
enum Effort {
    /// Operations a seed.
    static let operations = number("MICA_OPERATIONS") ?? 1500
    /// Where a sequence has remounts: one after so many operations.
    static let remountEvery = max(min(operations / 10, 1000), 1)
    static let seeds: [UInt64] = {
        let first = UInt64(number("MICA_FIRST_SEED") ?? 1)
        return Array(first..<first + UInt64(number("MICA_SEEDS") ?? 2))
    }()

    /// What a case may take at most: far more than it does.
    static let minutes = 20 * (1 + operations / 10_000)

    private static func number(_ name: String) -> Int? {
        ProcessInfo.processInfo.environment[name].flatMap { Int($0) }.map { max($0, 1) }
    }
}

/// What a mount did otherwise than the model.
struct Difference: Error, CustomStringConvertible {
    /// How many operations had been done, the one that failed included.
    var count: Int
    var description: String
}

/// One of the cases that the tests run: a form of lower, arguments of micafs, and a seed.
struct Case: Sendable, CustomTestStringConvertible {
    var form: LowerForm
    var options: [String] = []
    /// Of the upper; without it, the one that has the tests' files.
    var filesystem: Filesystem?
    var seed: UInt64

    /// Those in which the data of a changed file may be in two places: of an image it always may.
    static let all =
        LowerForm.served.flatMap { form in Effort.seeds.map { Case(form: form, seed: $0) } }
        + Effort.seeds.map { Case(form: .directory, options: ["-o", "metacopy=on"], seed: $0) }

    /// The same, and one in which what was written is lost with the daemon.
    static let unkilled =
        all + Effort.seeds.map { Case(form: .image, options: ["-o", "writeback=1"], seed: $0) }

    /// On each filesystem: an image in a store beside the upper, which may share blocks, and a directory elsewhere.
    static let everywhere = Filesystem.all.flatMap { filesystem in
        Effort.seeds.flatMap { seed in
            [
                Case(form: .image, filesystem: filesystem, seed: seed),
                Case(form: .directory, options: ["-o", "metacopy=on"], filesystem: filesystem, seed: seed),
            ]
        }
    }

    var testDescription: String {
        let place = filesystem.map { ["on \($0)"] } ?? []
        return "\(([form.description] + options + place).joined(separator: " ")), seed \(seed)"
    }
}

/// Makes a sequence that fails shorter, as long as it still fails: runs of operations are left out, half of all at
/// first and single ones in the end.
///
/// - Parameters:
///   - attempts: how often `run` is called at most.
///   - run: from the start, on a new mount; nil where the sequence passes.
func shrink<Operation>(
    _ operations: [Operation],
    after difference: Difference,
    attempts: Int = 400,
    _ run: ([Operation]) throws -> Difference?
) rethrows -> (operations: [Operation], difference: Difference) {
    var best = Array(operations.prefix(difference.count))
    var difference = difference
    var length = best.count / 2
    var left = attempts
    while length > 0, left > 0 {
        var start = 0
        while start < best.count, left > 0 {
            var shorter = best
            shorter.removeSubrange(start..<min(start + length, best.count))
            left -= 1
            if let found = try run(shorter) {
                best = Array(shorter.prefix(found.count))
                difference = found
            } else {
                start += length
            }
        }
        length = length == 1 ? 0 : max(length / 2, 1)
    }
    return (best, difference)
}
