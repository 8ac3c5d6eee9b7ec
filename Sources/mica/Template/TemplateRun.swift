import Linux
import OCI

/// Fills a template in for one value.
struct TemplateRun {
    private let root: JSONValue
    private let methods: [String: [String: String]]
    private var variables: [String: JSONValue] = [:]
    private var text = ""

    /// `methods`: by name, what each has for a key.
    static func text(
        _ nodes: [TemplateNode],
        for value: JSONValue,
        methods: [String: [String: String]] = [:]
    ) throws -> String {
        var run = TemplateRun(root: value, methods: methods)
        try run.show(nodes, value)
        return run.text
    }

    private init(root: JSONValue, methods: [String: [String: String]]) {
        self.root = root
        self.methods = methods
    }

    private mutating func show(_ nodes: [TemplateNode], _ dot: JSONValue) throws {
        for node in nodes {
            switch node {
            case .text(let words): text += words
            case .output(let expression): text += try value(of: expression, dot).shown
            case .variable(let name, let expression): variables[name] = try value(of: expression, dot)
            case .condition(let expression, let body, let otherwise):
                try show(value(of: expression, dot).isTrue ? body : otherwise, dot)
            case .with(let expression, let body, let otherwise):
                let subject = try value(of: expression, dot)
                if subject.isTrue { try show(body, subject) } else { try show(otherwise, dot) }
            case .range(let expression, let names, let body, let otherwise):
                let elements = try elements(of: value(of: expression, dot))
                if elements.isEmpty { try show(otherwise, dot) }
                for (key, element) in elements {
                    // One name is the element's.
                    if let name = names.last { variables[name] = element }
                    if names.count > 1 { variables[names[0]] = key }
                    try show(body, element)
                }
            }
        }
    }

    private func elements(of value: JSONValue) throws -> [(JSONValue, JSONValue)] {
        switch value {
        case .null: return []
        case .array(let values): return values.enumerated().map { (.integer(Int64($0.offset)), $0.element) }
        case .object(let members):
            return members.sorted { $0.key < $1.key }.map { (.string($0.key), $0.value) }
        default: throw Failure("--format: range: \(value.shown) has no elements", exitCode: 64)
        }
    }

    private func value(of expression: TemplateExpression, _ dot: JSONValue) throws -> JSONValue {
        switch expression {
        case .value(let value): return value
        case .dot: return dot
        case .variable(""): return root
        case .variable(let name):
            guard let value = variables[name] else {
                throw Failure("--format: there is no variable $\(name)", exitCode: 64)
            }
            return value
        case .member(let base, let name):
            let base = try value(of: base, dot)
            switch base {
            case .object(let members): return members[name] ?? .null
            case .null: return .null
            default: throw Failure("--format: \(base.shown) has no .\(name)", exitCode: 64)
            }
        case .call(let function, let arguments):
            return try function(arguments.map { try value(of: $0, dot) })
        case .method(let name, let argument):
            let key = try value(of: argument, dot).shown
            return .string(methods[name]?[key] ?? "")
        }
    }
}
