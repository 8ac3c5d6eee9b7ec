import Foundation

/// SplitMix64: the same seed gives the same trees and changes on every machine.
package struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64

    package init(seed: UInt64) { state = seed }

    package mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var z = state
        z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
        return z ^ (z >> 31)
    }

    package mutating func below(_ limit: Int) -> Int { Int.random(in: 0..<limit, using: &self) }

    package mutating func pick<T>(_ choices: [T]) -> T { choices[below(choices.count)] }
}

/// The seeds to try: 1 to 12, or to $MICA_SEEDS for a night's run.
package enum Seeds {
    package static let all =
        1...(wanted ?? 12)

    /// The same of what takes long: 1 to `count`, if the caller does not ask for more.
    package static func few(_ count: UInt64) -> ClosedRange<UInt64> { 1...(wanted ?? count) }

    private static let wanted = ProcessInfo.processInfo.environment["MICA_SEEDS"].flatMap { UInt64($0) }
}
