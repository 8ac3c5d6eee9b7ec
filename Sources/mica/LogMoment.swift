import ArgumentParser
import Linux
import OCI

import Glibc

/// A moment as `logs --since` takes it: a time (RFC 3339; local time without a zone), seconds since 1970, or how
/// long ago (`90s`, `1h30m`).
struct LogMoment: ExpressibleByArgument {
    /// Unix nanoseconds.
    let nanoseconds: Int64

    init?(argument: String) {
        guard let found = LogMoment.ago(argument) ?? LogMoment.epoch(argument) ?? LogMoment.time(argument)
        else {
            return nil
        }
        nanoseconds = found
    }

    private static func ago(_ text: String) -> Int64? {
        var rest = text[...]
        var seconds = 0.0
        while !rest.isEmpty {
            let digits = rest.prefix { $0.isNumber || $0 == "." }
            rest = rest.dropFirst(digits.count)
            let units: [(String, Double)] = [("ms", 0.001), ("h", 3600), ("m", 60), ("s", 1)]
            guard let number = Double(digits), let unit = units.first(where: { rest.hasPrefix($0.0) }) else {
                return nil
            }
            seconds += number * unit.1
            rest = rest.dropFirst(unit.0.count)
        }
        guard !text.isEmpty, seconds.isFinite, seconds < 1e10 else { return nil }
        return KernelClock.now(CLOCK_REALTIME) - Int64(seconds * 1e9)
    }

    private static func epoch(_ text: String) -> Int64? {
        let parts = text.split(separator: ".", maxSplits: 1, omittingEmptySubsequences: false)
        guard let first = parts.first, let seconds = Int64(first), (0..<9_000_000_000).contains(seconds)
        else {
            return nil
        }
        guard parts.count > 1 else { return seconds * 1_000_000_000 }
        return fraction(parts[1]).map { seconds * 1_000_000_000 + $0 }
    }

    private static func time(_ text: String) -> Int64? {
        if let seconds = Timestamp.seconds(text), (0..<9_000_000_000).contains(seconds) {
            let part = text.dropFirst(19).first == "." ? text.dropFirst(20).prefix { $0.isNumber } : ""
            return seconds * 1_000_000_000 + (fraction(part) ?? 0)
        }
        // Without a zone, or as a date alone, the fields are local time.
        for ending in ["Z", "T00:00:00Z"] {
            guard var seconds = Timestamp.seconds(text + ending).map({ time_t($0) }) else { continue }
            var fields = tm()
            guard gmtime_r(&seconds, &fields) != nil else { return nil }
            fields.tm_isdst = -1
            seconds = mktime(&fields)
            return (0..<9_000_000_000).contains(seconds) ? Int64(seconds) * 1_000_000_000 : nil
        }
        return nil
    }

    /// A decimal fraction of a second, in nanoseconds.
    private static func fraction(_ digits: some StringProtocol) -> Int64? {
        guard digits.utf8.allSatisfy({ (0x30...0x39).contains($0) }) else { return nil }
        let nine = String(digits.prefix(9))
        return Int64(nine + String(repeating: "0", count: 9 - nine.count))
    }
}
