/// How long to wait before trying again while other threads want the CPU: 50 ms, then 100, … 1.6 s; and 50 ms again
/// after more than 1.6 s without trouble.
struct BackOff {
    private static let first: UInt64 = 50_000_000
    private static let last: UInt64 = 1_600_000_000
    /// In nanoseconds; 0 before the first time.
    private var length: UInt64 = 0
    /// When the wait ended or will end.
    private(set) var end: UInt64 = 0

    /// Begins a wait because other threads want the CPU.
    mutating func begin(at time: UInt64) {
        if length == 0 || time &- end > BackOff.last && time > end {
            length = BackOff.first
        } else if length < BackOff.last {
            length *= 2
        }
        end = time + length
    }
}
