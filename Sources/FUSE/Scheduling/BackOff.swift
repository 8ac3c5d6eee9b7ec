/// How long not to try again what others stood in the way of: 50 ms, then 100, … 1.6 s; and 50 ms again after it went
/// well for longer than 1.6 s.
struct BackOff {
    private static let first: UInt64 = 50_000_000
    private static let last: UInt64 = 1_600_000_000
    /// In nanoseconds; 0 before the first.
    private var length: UInt64 = 0
    /// When it ended or ends.
    private(set) var end: UInt64 = 0

    /// Others stood in the way.
    mutating func begin(at time: UInt64) {
        if length == 0 || time &- end > BackOff.last && time > end {
            length = BackOff.first
        } else if length < BackOff.last {
            length *= 2
        }
        end = time + length
    }
}
