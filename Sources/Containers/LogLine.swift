package import Runner

import FoundationEssentials

/// One line of a log.
package struct LogLine: Sendable, Equatable {
    package var text: [UInt8]
    package var stream: Relay.Stream
    /// RFC 3339.
    package var time: String

    private struct Stored: Decodable {
        var log: String
        var stream: String
        var time: String
    }

    /// nil for what is not a line of a log: the last one may be cut off by a crash.
    init?(_ json: ArraySlice<UInt8>, _ decoder: JSONDecoder) {
        guard let stored = try? decoder.decode(Stored.self, from: Data(json)),
            let stream = Relay.Stream(rawValue: stored.stream)
        else { return nil }
        text = Array(stored.log.utf8)
        self.stream = stream
        time = stored.time
    }
}
