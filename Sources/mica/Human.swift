import Glibc

/// Sizes, ages and times as docker prints them.
enum Human {
    /// `1.38GB`: decimal units, three significant digits at least.
    static func size(_ bytes: UInt64) -> String {
        var value = Double(bytes)
        var unit = 0
        let units = ["B", "kB", "MB", "GB", "TB", "PB", "EB"]
        while value >= 999.5, unit < units.count - 1 {
            value /= 1000
            unit += 1
        }
        if unit == 0 { return "\(bytes)B" }
        let decimals = value < 9.995 ? 2 : value < 99.95 ? 1 : 0
        return "\(fixed(value, decimals))\(units[unit])"
    }

    /// `3 hours ago`.
    static func age(_ created: Int64, now: Int64 = Int64(time(nil))) -> String {
        let (difference, overflow) = now.subtractingReportingOverflow(created)
        let seconds = overflow ? 0 : max(0, difference)
        let units: [(Int64, String)] = [
            (365 * 86400, "year"), (30 * 86400, "month"), (7 * 86400, "week"), (86400, "day"),
            (3600, "hour"), (60, "minute"), (1, "second"),
        ]
        for (length, name) in units where seconds >= length * (name == "year" ? 2 : 1) {
            let count = seconds / length
            return "\(count) \(name)\(count == 1 ? "" : "s") ago"
        }
        return "just now"
    }

    /// Rounded half up, without Foundation's formats.
    static func fixed(_ value: Double, _ decimals: Int) -> String {
        guard value.isFinite, value >= 0, value < 1e15 else { return "?" }
        var scale: UInt64 = 1
        for _ in 0..<decimals { scale *= 10 }
        let scaled = UInt64(value * Double(scale) + 0.5)
        guard decimals > 0 else { return "\(scaled)" }
        let fraction = String(scaled % scale)
        return "\(scaled / scale)." + String(repeating: "0", count: decimals - fraction.count) + fraction
    }
}
