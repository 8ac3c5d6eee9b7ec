import Containers
import Events
import Linux
import OCI

/// How `events` shows one: as docker's line, as JSON, or by a template.
struct EventFormat {
    private enum Kind {
        case line, json
        case template(FormatTemplate)
    }

    private let kind: Kind

    /// `text`: json, a template, or nil for a line. Failure for a member that events do not have.
    init(_ text: String?) throws {
        switch text {
        case nil: kind = .line
        case "json", "{{json .}}": kind = .json
        case let text?:
            kind = .template(try FormatTemplate(text, names: EventFormat.names, of: "events"))
        }
    }

    func line(_ event: StoreEvent) throws -> String {
        switch kind {
        case .json: return event.json
        case .line:
            let attributes = event.attributes.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }
            return Printable.text(
                "\(LogTime.text(event.time)) \(event.kind.rawValue) \(event.action) \(event.id)"
                    + " (\(attributes.joined(separator: ", ")))"
            )
        case .template(let template): return try template.line(.object(EventFormat.members(of: event)))
        }
    }

    private static let names = [
        "Action", "Actor", "From", "ID", "Scope", "Status", "Time", "TimeNano", "Type",
    ]

    /// docker's; Status, ID and From are names that it had before.
    private static func members(of event: StoreEvent) -> [String: JSONValue] {
        let attributes = event.attributes.mapValues { JSONValue.string($0) }
        return [
            "Type": .string(event.kind.rawValue),
            "Action": .string(event.action),
            "Actor": .object(["ID": .string(event.id), "Attributes": .object(attributes)]),
            "Status": .string(event.action),
            "ID": .string(event.id),
            "From": .string(event.attributes["image"] ?? ""),
            "Scope": .string("local"),
            "Time": .integer(event.time / 1_000_000_000),
            "TimeNano": .integer(event.time),
        ]
    }
}
