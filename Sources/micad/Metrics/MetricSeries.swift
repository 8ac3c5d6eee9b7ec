import CoreMetrics
import Synchronization

/// One line, or one histogram, of what is told to Prometheus. swift-metrics hands it out to count or to measure with.
final class MetricSeries: CounterHandler, RecorderHandler, TimerHandler {
    enum Kind: String { case counter, gauge, histogram }

    struct Values {
        var sum = 0.0
        var count: UInt64 = 0
        /// How many were at most as large as each of `bounds`.
        var buckets: [UInt64]
    }

    /// Of durations, in seconds: from what an answer out of memory takes to what a collection may.
    static let bounds = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60]

    let name: String
    let labels: [(name: String, value: String)]
    let kind: Kind
    private let values = Mutex(Values(buckets: Array(repeating: 0, count: MetricSeries.bounds.count)))

    init(_ name: String, _ labels: [(String, String)], _ kind: Kind) {
        self.name = name
        self.labels = labels.map { (name: $0.0, value: $0.1) }
        self.kind = kind
    }

    var current: Values { values.withLock { $0 } }

    func increment(by amount: Int64) {
        guard amount > 0 else { return }
        values.withLock { $0.sum += Double(amount) }
    }

    func reset() { values.withLock { $0.sum = 0 } }

    func record(_ value: Int64) { record(Double(value)) }

    func record(_ value: Double) {
        values.withLock { values in
            guard kind == .histogram else { return values.sum = value }
            values.sum += value
            values.count += 1
            for (place, bound) in MetricSeries.bounds.enumerated() where value <= bound {
                values.buckets[place] += 1
            }
        }
    }

    func recordNanoseconds(_ duration: Int64) { record(Double(duration) / 1_000_000_000) }
}
