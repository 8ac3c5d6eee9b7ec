import Glibc
import Linux

/// Tries again what failed for a while: after half a second, one, two, four; or when the registry says.
struct Retry {
    /// Why.
    struct Reason: Error {
        let text: String
        /// In seconds, as the registry asked for.
        var pause: Double?
    }

    private var attempts = 0
    private static let most = 5
    /// In seconds. What a registry asks for is heard up to this.
    private static let longest = 60.0

    /// Sleeps. Failure, with the last reason, after too many.
    mutating func wait(_ reason: Reason, _ what: String) throws {
        attempts += 1
        guard attempts < Retry.most else { throw Failure("\(what): \(reason.text), \(attempts) times") }
        // What a registry says need not be a number.
        let asked = reason.pause.flatMap { $0 > 0 ? $0 : nil } ?? 0
        let pause = max(asked, 0.25 * Double(1 << attempts))
        usleep(UInt32(min(pause, Retry.longest) * 1_000_000))
    }
}
