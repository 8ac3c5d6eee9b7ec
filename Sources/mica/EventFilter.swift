import Events
import Linux

/// `--filter` of `events`, by docker's rules: an event has to match one value of each key that is given.
struct EventFilter {
    private var values: [String: [String]] = [:]
    private static let keys = ["type", "event", "container", "image"]

    /// `words`: KEY=VALUE. Failure for an unknown key, or a type that there is not.
    init(_ words: [String]) throws {
        for word in words {
            let parts = word.split(separator: "=", maxSplits: 1).map(String.init)
            guard parts.count == 2, EventFilter.keys.contains(parts[0]) else {
                throw Failure(
                    "--filter \(word): there is no such filter",
                    advice: "There are \(EventFilter.keys.map { "\($0)=…" }.joined(separator: ", ")).",
                    exitCode: 64
                )
            }
            if parts[0] == "type", StoreEvent.Kind(rawValue: parts[1]) == nil {
                let kinds = StoreEvent.Kind.allCases.map(\.rawValue).joined(separator: " and ")
                throw Failure("--filter \(word): there are events of \(kinds)", exitCode: 64)
            }
            values[parts[0], default: []].append(parts[1])
        }
    }

    func matches(_ event: StoreEvent) -> Bool {
        values.allSatisfy { key, values in values.contains { EventFilter.matches(event, key, $0) } }
    }

    private static func matches(_ event: StoreEvent, _ key: String, _ value: String) -> Bool {
        let name = event.attributes["name"]
        switch key {
        case "type": return event.kind.rawValue == value
        // What was executed stands behind a colon.
        case "event": return event.action == value || event.action.hasPrefix(value + ":")
        case "container": return event.kind == .container && (name == value || isID(value, of: event.id))
        default:
            if event.kind == .container { return isName(value, of: event.attributes["image"]) }
            return isName(value, of: name) || isID(value, of: event.id)
                || isID(value, of: String(event.id.drop { $0 != ":" }.dropFirst()))
        }
    }

    /// Whether it is an ID, or the beginning of one as `ps` shows it.
    private static func isID(_ value: String, of id: String) -> Bool {
        value == id || value.count >= 12 && id.hasPrefix(value)
    }

    /// A name without a tag means every tag, as docker has it.
    private static func isName(_ value: String, of name: String?) -> Bool {
        guard let name else { return false }
        return name == value || name.hasPrefix(value + ":") || name.hasPrefix(value + "@")
    }
}
