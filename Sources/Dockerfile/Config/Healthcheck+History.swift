import OCI

extension ImageConfig.Healthcheck {
    /// `HEALTHCHECK {Test:[CMD a] Interval:1m30s Timeout:0s StartPeriod:0s StartInterval:0s Retries:0}`
    var historyLine: String {
        func text(_ nanoseconds: Int64?) -> String { ImageConfig.Healthcheck.text(nanoseconds ?? 0) }
        return "HEALTHCHECK {Test:[\((test ?? []).joined(separator: " "))] Interval:\(text(interval))"
            + " Timeout:\(text(timeout)) StartPeriod:\(text(startPeriod))"
            + " StartInterval:\(text(startInterval)) Retries:\(retries ?? 0)}"
    }

    /// As Go writes a duration, from a millisecond up: `1h0m0.5s`, `100ms`.
    private static func text(_ nanoseconds: Int64) -> String {
        func decimal(_ value: Int64, of unit: Int64) -> String {
            let rest = value % unit
            guard rest > 0 else { return "\(value / unit)" }
            var digits = "\(rest)"
            digits = String(repeating: "0", count: "\(unit)".count - 1 - digits.count) + digits
            while digits.hasSuffix("0") { digits.removeLast() }
            return "\(value / unit).\(digits)"
        }
        let (second, minute, hour): (Int64, Int64, Int64) = (1_000_000_000, 60_000_000_000, 3_600_000_000_000)
        if nanoseconds == 0 { return "0s" }
        if nanoseconds < second { return "\(decimal(nanoseconds, of: 1_000_000))ms" }
        let seconds = "\(decimal(nanoseconds % minute, of: second))s"
        if nanoseconds < minute { return seconds }
        let minutes = "\(nanoseconds % hour / minute)m\(seconds)"
        return nanoseconds < hour ? minutes : "\(nanoseconds / hour)h\(minutes)"
    }
}
