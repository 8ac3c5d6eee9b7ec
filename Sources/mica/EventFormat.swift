import Containers
import Events
import Linux

/// How `events` shows one: as docker's line, as JSON, or by a template.
struct EventFormat {
    private enum Kind {
        case line, json
        case template(FormatTemplate)
    }

    private let kind: Kind

    /// `text`: json, a template, or nil for a line. Failure for a field that events do not have.
    init(_ text: String?) throws {
        switch text {
        case nil: kind = .line
        case "json", "{{json .}}": kind = .json
        case let text?:
            kind = .template(try FormatTemplate(text, fields: EventFormat.fields, of: "events"))
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
        case .template(let template): return try template.line(EventFormat.row(event))
        }
    }

    /// What the events that there are have.
    private static let attributes = ["name", "image", "exitCode", "signal", "oldName", "path", "imageID"]

    private static let fields: FormatTemplate.Fields =
        ["Type", "Action", "Status", "Actor.ID", "ID", "From", "Scope", "Time", "TimeNano"].map { ($0, $0) }
        + attributes.map { ("Actor.Attributes.\($0)", $0) }

    private static func row(_ event: StoreEvent) -> [String: String] {
        var row = [
            "Type": event.kind.rawValue, "Action": event.action, "Status": event.action, "Actor.ID": event.id,
            "ID": event.id, "From": event.attributes["image"] ?? "", "Scope": "local",
            "Time": "\(event.time / 1_000_000_000)", "TimeNano": "\(event.time)",
        ]
        for (name, value) in event.attributes { row["Actor.Attributes.\(name)"] = value }
        return row
    }
}
