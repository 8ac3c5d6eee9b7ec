import OCI

/// RFC 3339 with nanoseconds: `2026-01-31T23:59:59.000000001Z`.
package enum LogTime {
    package static func text(_ nanoseconds: Int64) -> String {
        let fraction = "\(nanoseconds % 1_000_000_000)"
        let padded = String(repeating: "0", count: 9 - fraction.count) + fraction
        return Timestamp.text(nanoseconds / 1_000_000_000).dropLast() + ".\(padded)Z"
    }
}
