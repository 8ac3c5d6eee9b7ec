import CoreMetrics
import Synchronization

/// What micad counts and measures, for swift-metrics, and as the text that Prometheus reads.
final class MetricsRecorder: MetricsFactory {
    private struct Key: Hashable {
        let name: String
        let labels: [String]
    }

    private let series = Mutex<[Key: MetricSeries]>([:])

    func makeCounter(label: String, dimensions: [(String, String)]) -> any CounterHandler {
        series(label, dimensions, .counter)
    }

    func makeRecorder(label: String, dimensions: [(String, String)], aggregate: Bool) -> any RecorderHandler {
        series(label, dimensions, aggregate ? .histogram : .gauge)
    }

    func makeTimer(label: String, dimensions: [(String, String)]) -> any TimerHandler {
        series(label, dimensions, .histogram)
    }

    // A series stays for as long as the process lives: a counter that began again at zero would be another one.
    func destroyCounter(_ handler: any CounterHandler) {}
    func destroyRecorder(_ handler: any RecorderHandler) {}
    func destroyTimer(_ handler: any TimerHandler) {}

    private func series(
        _ name: String,
        _ labels: [(String, String)],
        _ kind: MetricSeries.Kind
    ) -> MetricSeries {
        let key = Key(name: name, labels: labels.flatMap { [$0.0, $0.1] })
        return series.withLock { all in
            if let known = all[key] { return known }
            let new = MetricSeries(name, labels, kind)
            all[key] = new
            return new
        }
    }

    /// In Prometheus's text format, version 0.0.4. `help`: what the names mean.
    func text(help: [String: String]) -> String {
        let all = series.withLock { Array($0.values) }
        var lines: [String] = []
        for (name, group) in Dictionary(grouping: all, by: \.name).sorted(by: { $0.key < $1.key }) {
            if let help = help[name] { lines.append("# HELP \(name) \(help)") }
            if let kind = group.first?.kind { lines.append("# TYPE \(name) \(kind.rawValue)") }
            let named = group.map { (labels: MetricsRecorder.labels($0), series: $0) }
            for (_, series) in named.sorted(by: { $0.labels < $1.labels }) {
                lines += MetricsRecorder.lines(of: series)
            }
        }
        return lines.joined(separator: "\n") + "\n"
    }

    private static func lines(of series: MetricSeries) -> [String] {
        let (name, values) = (series.name, series.current)
        guard series.kind == .histogram else { return ["\(name)\(labels(series)) \(values.sum)"] }
        let buckets = zip(MetricSeries.bounds.map { "\($0)" } + ["+Inf"], values.buckets + [values.count])
        return buckets.map { "\(name)_bucket\(labels(series, adding: ("le", $0))) \($1)" } + [
            "\(name)_sum\(labels(series)) \(values.sum)", "\(name)_count\(labels(series)) \(values.count)",
        ]
    }

    private static func labels(_ series: MetricSeries, adding extra: (String, String)? = nil) -> String {
        let all = series.labels.map { ($0.name, $0.value) } + [extra].compactMap(\.self)
        return all.isEmpty ? "" : "{\(all.map { "\($0)=\"\(escaped($1))\"" }.joined(separator: ","))}"
    }

    private static func escaped(_ value: String) -> String {
        value.reduce(into: "") { text, character in
            switch character {
            case "\\": text += "\\\\"
            case "\"": text += "\\\""
            case "\n": text += "\\n"
            default: text.append(character)
            }
        }
    }
}
