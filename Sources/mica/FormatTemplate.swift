import Linux
import OCI

/// `--format` with docker's fields, in the part of Go's templates that `TemplateParser` reads:
/// `{{.Repository}}:{{.Tag}}`, `table {{.ID}}\t{{.Size}}`, `{{json .}}`, `{{range .Mounts}}{{.Source}}{{end}}`.
struct FormatTemplate {
    private let nodes: [TemplateNode]
    private let isTable: Bool

    /// A row's fields by docker's names, with their headings in a table.
    typealias Fields = [(name: String, heading: String)]

    /// Failure where the template asks for a member of the whole value that is not in `fields`. `methods`: what it has for
    /// keys, `.Label "x"`.
    init(_ text: String, fields: Fields, methods: [String] = [], of verb: String) throws {
        let names = fields.map(\.name) + methods.map(FormatTemplate.shown(method:))
        try self.init(text, names: names, of: verb)
    }

    /// A method among names.
    static func shown(method name: String) -> String { "\(name) \"KEY\"" }

    /// The same of values that are no rows. `names` of their members.
    init(_ text: String, names: [String], of verb: String) throws {
        isTable = text.hasPrefix("table ")
        let template = isTable ? String(text.dropFirst("table ".count).drop { $0 == " " }) : text
        nodes = try TemplateParser.nodes(of: template)
        let known = Set(names)
        guard let unknown = nodes.names.first(where: { !known.contains($0) }) else { return }
        throw Failure(
            "--format: \(verb) has no {{.\(unknown)}}",
            advice:
                "It has \(names.map { ".\($0)" }.joined(separator: ", ")), and {{json .}} for all of them.",
            exitCode: 64
        )
    }

    /// Whether the template asks for this field, or for all.
    func uses(_ name: String) -> Bool { nodes.names.contains(name) || nodes.usesAll }

    /// Whether it asks for what a method has.
    func uses(method name: String) -> Bool { nodes.names.contains(FormatTemplate.shown(method: name)) }

    /// Prints one line for each row. `methods`: what each row has for keys.
    func show(
        _ rows: [[String: String]],
        fields: Fields,
        methods: [[String: [String: String]]] = []
    ) throws {
        let lines = try rows.enumerated().map { number, row in
            try line(row, methods.indices.contains(number) ? methods[number] : [:])
        }
        guard isTable else { return lines.forEach { print($0) } }
        let headings = Dictionary(fields.map { ($0.name, $0.heading) }) { first, _ in first }
        var table = Table(
            line: try line(headings, [:]).split(separator: "\t", omittingEmptySubsequences: false)
        )
        for line in lines { table.add(line: line.split(separator: "\t", omittingEmptySubsequences: false)) }
        print(table.description)
    }

    /// Prints one line for each value.
    func show(_ values: [JSONValue]) throws { for value in values { print(try line(value)) } }

    /// The same as a text, without a line end.
    func line(_ value: JSONValue) throws -> String {
        guard !isTable else { throw Failure("--format: there is no table here", exitCode: 64) }
        return try TemplateRun.text(nodes, for: value)
    }

    private func line(_ row: [String: String], _ methods: [String: [String: String]]) throws -> String {
        try TemplateRun.text(nodes, for: .object(row.mapValues { .string($0) }), methods: methods)
    }
}
