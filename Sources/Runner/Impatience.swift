import Glibc
import Linux

/// A user who asks repeatedly for an end: three times SIGINT or SIGTERM within ten seconds. (Over an hour a program
/// may well get more, such as an interpreter whose lines are interrupted by Ctrl-C.)
package struct Impatience {
    private static let times = 3
    private static let seconds = 10

    private var last: [Int] = []

    package init() {}

    /// `now`: in seconds of a steady clock.
    package mutating func isEnough(with signal: Int32, at now: Int = Impatience.now) -> Bool {
        guard [SIGINT, SIGTERM].contains(signal) else { return false }
        last = last.filter { now - $0 < Impatience.seconds } + [now]
        return last.count >= Impatience.times
    }

    package static var now: Int { Int(KernelClock.now(CLOCK_MONOTONIC) / 1_000_000_000) }
}
