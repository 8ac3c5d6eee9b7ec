import Linux
import OCI

/// The tokens of an action that are still to be read.
struct TemplateWords {
    private var rest: ArraySlice<(token: TemplateToken, isAttached: Bool)>
    /// Parentheses that are open.
    private var depth = 0

    init(_ tokens: ArraySlice<(token: TemplateToken, isAttached: Bool)>) { rest = tokens }

    var first: TemplateToken? { rest.first?.token }

    mutating func take() -> TemplateToken? { rest.popFirst()?.token }

    private mutating func take(_ sign: String) -> Bool {
        guard first == .sign(sign) else { return false }
        rest = rest.dropFirst()
        return true
    }

    private func misuse(_ words: String) -> Failure { Failure("--format: \(words)", exitCode: 64) }

    /// The names before a `:=` or `=`, one or two; nil where no variable is given a value.
    mutating func takeAssignment() -> [String]? {
        var copy = self
        var names: [String] = []
        repeat {
            guard case .variable(let name)? = copy.take(), !name.isEmpty else { return nil }
            names.append(name)
        } while names.count < 2 && copy.take(",")
        guard copy.take(":=") || copy.take("=") else { return nil }
        self = copy
        return names
    }

    /// Commands with `|` between: the value of each is the last argument of the next.
    mutating func pipeline() throws -> TemplateExpression {
        var value = try command(before: nil)
        while take("|") { value = try command(before: value) }
        return value
    }

    mutating func finish() throws {
        guard let first else { return }
        throw misuse("\(first.words) is not expected there")
    }

    private mutating func command(before: TemplateExpression?) throws -> TemplateExpression {
        guard case .word(let word)? = first, !["true", "false", "nil"].contains(word) else {
            let value = try operand()
            guard before == nil else { throw misuse("| wants a function behind it") }
            guard let more = first, more != .sign("|"), more != .sign(")") else { return value }
            let argument = try operand()
            switch value {
            // The only one that docker has.
            case .member(.dot, "Label"), .member(.variable(""), "Label"): return .method("Label", argument)
            default: throw misuse("\(more.words) is not expected there: only functions have arguments")
            }
        }
        guard let function = TemplateFunction(rawValue: word) else {
            let known = TemplateFunction.allCases.map(\.rawValue).joined(separator: ", ")
            throw Failure(
                "--format: templates of mica have no function \(word)",
                advice: "They have \(known).",
                exitCode: 64
            )
        }
        rest = rest.dropFirst()
        var arguments: [TemplateExpression] = []
        while let next = first, next != .sign("|"), next != .sign(")") { arguments.append(try operand()) }
        if let before { arguments.append(before) }
        guard function.arguments.contains(arguments.count) else {
            throw misuse("\(word) has \(arguments.count) arguments, which is not how many it takes")
        }
        return .call(function, arguments)
    }

    private mutating func operand() throws -> TemplateExpression {
        var value: TemplateExpression
        switch take() {
        case .field(let name): value = name.isEmpty ? .dot : .member(.dot, name)
        case .variable(let name): value = .variable(name)
        case .text(let text): return .value(.string(text))
        case .number(let digits):
            if let whole = Int64(digits) { return .value(.integer(whole)) }
            guard let number = Double(digits) else { throw misuse("\(digits) is not a number") }
            return .value(.number(number))
        case .word("true"): return .value(.bool(true))
        case .word("false"): return .value(.bool(false))
        case .word("nil"): return .value(.null)
        case .word(let word):
            guard let function = TemplateFunction(rawValue: word), function.arguments.contains(0) else {
                throw misuse("\(word) with its arguments wants parentheses there")
            }
            return .call(function, [])
        case .sign("("):
            depth += 1
            guard depth < 100 else { throw misuse("too many parentheses") }
            value = try pipeline()
            depth -= 1
            guard take(")") else { throw misuse(") is missing") }
        case let other?: throw misuse("\(other.words) is not expected there")
        case nil: throw misuse("there is nothing between braces, or behind |")
        }
        while case (.field(let name), true)? = rest.first, !name.isEmpty {
            value = .member(value, name)
            rest = rest.dropFirst()
        }
        return value
    }
}

extension TemplateToken {
    /// For messages.
    fileprivate var words: String {
        switch self {
        case .word(let text), .number(let text), .sign(let text): text
        case .field(let name): ".\(name)"
        case .variable(let name): "$\(name)"
        case .text(let text): "\"\(text)\""
        }
    }
}
