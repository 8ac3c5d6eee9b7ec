import FoundationEssentials
import Linux

/// `--format` with docker's fields: `{{.Repository}}:{{.Tag}}`, `table {{.ID}}\t{{.Size}}`, `{{json .}}`. Other
/// parts of Go's templates are not supported.
struct FormatTemplate {
    private enum Part {
        case text(String)
        case field(String)
        case jsonField(String)
        case json
    }

    private let parts: [Part]
    private let isTable: Bool

    /// A row's fields by docker's names, with their headings in a table.
    typealias Fields = [(name: String, heading: String)]

    /// Failure where the template has a field that is not in `fields`.
    init(_ text: String, fields: Fields, of verb: String) throws {
        var rest = text[...]
        isTable = rest.hasPrefix("table ")
        if isTable { rest = rest.dropFirst("table ".count).drop { $0 == " " } }
        var parts: [Part] = []
        while let start = rest.firstRange(of: "{{") {
            parts.append(.text(FormatTemplate.unescaped(rest[..<start.lowerBound])))
            guard let end = rest.firstRange(of: "}}"), end.lowerBound >= start.upperBound else {
                throw Failure("--format: }} is missing in \(text)", exitCode: 64)
            }
            let words = rest[start.upperBound..<end.lowerBound].split(separator: " ")
            rest = rest[end.upperBound...]
            let name = words.last.map { $0.dropFirst() } ?? ""
            let isKnown = fields.contains { $0.name == name }
            switch (words.count, words.first, words.last) {
            case (2, "json", "."): parts.append(.json)
            case (1, _, let last?) where last.hasPrefix(".") && isKnown: parts.append(.field(String(name)))
            case (2, "json", let last?) where last.hasPrefix(".") && isKnown:
                parts.append(.jsonField(String(name)))
            default:
                let known = fields.map { ".\($0.name)" }.joined(separator: ", ")
                throw Failure(
                    "--format: \(verb) has no {{\(words.joined(separator: " "))}}",
                    advice: "It has \(known), each alone or with json before it, and {{json .}}.",
                    exitCode: 64
                )
            }
        }
        self.parts = parts + [.text(FormatTemplate.unescaped(rest))]
    }

    private static func unescaped(_ text: Substring) -> String {
        String(text).replacing("\\t", with: "\t").replacing("\\n", with: "\n")
    }

    /// Prints one line for each row.
    func show(_ rows: [[String: String]], fields: Fields) throws {
        let lines = try rows.map(line)
        guard isTable else { return lines.forEach { print($0) } }
        let headings = Dictionary(fields.map { ($0.name, $0.heading) }) { first, _ in first }
        var table = Table(line: try line(headings).split(separator: "\t", omittingEmptySubsequences: false))
        for line in lines { table.add(line: line.split(separator: "\t", omittingEmptySubsequences: false)) }
        print(table.description)
    }

    func line(_ row: [String: String]) throws -> String {
        try parts.map { part in
            switch part {
            case .text(let text): text
            case .field(let name): row[name] ?? ""
            case .jsonField(let name): try FormatTemplate.json(row[name] ?? "")
            case .json: try FormatTemplate.json(row)
            }
        }.joined()
    }

    private static func json(_ value: some Encodable) throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return String(decoding: try encoder.encode(value), as: UTF8.self)
    }
}
