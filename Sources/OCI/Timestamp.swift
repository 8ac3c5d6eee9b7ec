import Glibc
import Linux

/// RFC 3339 times, as in image configs, to and from seconds since 1970.
package enum Timestamp {
    /// nil where `text` is no RFC 3339 time. Fractions of a second are dropped.
    package static func seconds(_ text: String) -> Int64? {
        let bytes = Array(text.utf8)
        guard bytes.count >= 20, bytes[4] == 0x2d, bytes[7] == 0x2d, bytes[13] == 0x3a, bytes[16] == 0x3a,
            bytes[10] | 0x20 == 0x74
        else { return nil }
        func number(_ range: Range<Int>) -> Int64? {
            var value: Int64 = 0
            for byte in bytes[range] {
                guard (0x30...0x39).contains(byte) else { return nil }
                value = value * 10 + Int64(byte - 0x30)
            }
            return value
        }
        guard let year = number(0..<4), let month = number(5..<7), let day = number(8..<10),
            let hour = number(11..<13), let minute = number(14..<16), let second = number(17..<19),
            (1...12).contains(month), (1...31).contains(day), hour < 24, minute < 60, second < 61
        else { return nil }
        var zone = 19
        if bytes[zone] == 0x2e {
            zone += 1
            while zone < bytes.count, (0x30...0x39).contains(bytes[zone]) { zone += 1 }
        }
        guard let offset = offset(bytes[zone...]) else { return nil }
        return daysSince1970(year, month, day) * 86400 + hour * 3600 + minute * 60 + second - offset
    }

    /// The same, but nil for the first second of the year 1, which Go programs write for an unknown time.
    package static func known(_ text: String) -> Int64? {
        seconds(text).flatMap { $0 == -62_135_596_800 ? nil : $0 }
    }

    /// Seconds since 1970: now, or the value of SOURCE_DATE_EPOCH (reproducible-builds.org/specs/source-date-epoch).
    package static func ofCreation() throws -> Int64 {
        guard let value = getenv("SOURCE_DATE_EPOCH") else { return Int64(time(nil)) }
        let text = String(cString: value)
        guard let seconds = Int64(text), seconds >= 0 else {
            throw Failure("SOURCE_DATE_EPOCH is \"\(text)\" and should be seconds since 1970")
        }
        return seconds
    }

    /// `2026-01-31T23:59:59Z`.
    package static func text(_ seconds: Int64) -> String {
        let time = clampedDay(seconds)
        let (year, month, day) = civil(time.day)
        func two(_ value: Int64) -> String { value < 10 ? "0\(value)" : "\(value)" }
        let padded = String(repeating: "0", count: max(0, 4 - "\(year)".count)) + "\(year)"
        return "\(padded)-\(two(month))-\(two(day))T"
            + "\(two(time.second / 3600)):\(two(time.second / 60 % 60)):\(two(time.second % 60))Z"
    }

    /// `Z` or `±hh:mm`, in seconds east.
    private static func offset(_ zone: ArraySlice<UInt8>) -> Int64? {
        let bytes = Array(zone)
        if bytes == [0x5a] || bytes == [0x7a] { return 0 }
        guard bytes.count == 6, bytes[3] == 0x3a, bytes[0] == 0x2b || bytes[0] == 0x2d else { return nil }
        let digits = [bytes[1], bytes[2], bytes[4], bytes[5]]
        guard digits.allSatisfy({ (0x30...0x39).contains($0) }) else { return nil }
        let values = digits.map { Int64($0 - 0x30) }
        let east = (values[0] * 10 + values[1]) * 3600 + (values[2] * 10 + values[3]) * 60
        return bytes[0] == 0x2d ? -east : east
    }

    /// Years 0 to 9999 have four digits; times outside are clamped to them.
    private static func clampedDay(_ seconds: Int64) -> (day: Int64, second: Int64) {
        let clamped = min(max(seconds, -62_167_219_200), 253_402_300_799)
        let second = ((clamped % 86400) + 86400) % 86400
        return ((clamped - second) / 86400, second)
    }

    /// Years that begin in March have the leap day last.
    private static func daysSince1970(_ year: Int64, _ month: Int64, _ day: Int64) -> Int64 {
        let shifted = month <= 2 ? year - 1 : year
        let era = (shifted >= 0 ? shifted : shifted - 399) / 400
        let yearOfEra = shifted - era * 400
        let dayOfYear = (153 * ((month + 9) % 12) + 2) / 5 + day - 1
        return era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
    }

    private static func civil(_ days: Int64) -> (year: Int64, month: Int64, day: Int64) {
        let shifted = days + 719_468
        let era = (shifted >= 0 ? shifted : shifted - 146_096) / 146_097
        let dayOfEra = shifted - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shiftedMonth = (5 * dayOfYear + 2) / 153
        let month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9
        let year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
        return (year, month, dayOfYear - (153 * shiftedMonth + 2) / 5 + 1)
    }
}
