import Linux
import OCI

/// Reads the part of Go's templates that docker's users need: fields, variables, if, with, range and functions. What else
/// Go has is refused by name.
struct TemplateParser {
    private enum Piece {
        case text(String)
        case action(Substring)
    }

    private var pieces: ArraySlice<Piece>

    static func nodes(of template: String) throws -> [TemplateNode] {
        var parser = TemplateParser(pieces: try pieces(of: template)[...])
        let (nodes, end) = try parser.nodes(inside: nil)
        guard end == nil else { throw misuse("{{\(end ?? "")}} ends nothing") }
        return nodes
    }

    private static func misuse(_ words: String) -> Failure { Failure("--format: \(words)", exitCode: 64) }

    private static func pieces(of template: String) throws -> [Piece] {
        var pieces: [Piece] = []
        var rest = template[...]
        var trims = false
        func text(_ text: Substring) {
            var text = text
            if trims { text = text.drop(while: \.isWhitespace) }
            pieces.append(.text(String(text).replacing("\\t", with: "\t").replacing("\\n", with: "\n")))
        }
        while let start = rest.firstRange(of: "{{") {
            var before = rest[..<start.lowerBound]
            rest = rest[start.upperBound...]
            guard let end = TemplateParser.end(of: rest) else { throw misuse("}} is missing in \(template)") }
            var action = rest[..<end]
            rest = rest[end...].dropFirst(2)
            if action.hasPrefix("- ") || action == "-" {
                action = action.dropFirst()
                while before.last?.isWhitespace == true { before.removeLast() }
            }
            text(before)
            trims = action.hasSuffix(" -")
            if trims { action = action.dropLast(2) }
            if !action.drop(while: \.isWhitespace).hasPrefix("/*") { pieces.append(.action(action)) }
        }
        text(rest)
        return pieces
    }

    /// Where an action's }} is: not in a text or a comment.
    private static func end(of rest: Substring) -> Substring.Index? {
        var place = rest.startIndex
        let inside = (rest.hasPrefix("- ") ? rest.dropFirst() : rest).drop(while: \.isWhitespace)
        if inside.hasPrefix("/*") {
            guard let end = inside.firstRange(of: "*/") else { return nil }
            place = end.upperBound
        }
        var quote: Character?
        while place < rest.endIndex {
            let character = rest[place]
            if let open = quote {
                if character == "\\", open == "\"" { place = rest.index(after: place) }
                if character == open { quote = nil }
            } else if character == "\"" || character == "`" {
                quote = character
            } else if rest[place...].hasPrefix("}}") {
                return place
            }
            guard place < rest.endIndex else { return nil }
            place = rest.index(after: place)
        }
        return nil
    }

    /// Up to an `end` or `else` of the block that is open, and which it was: "end", "else", or "else if …".
    private mutating func nodes(inside block: String?) throws -> ([TemplateNode], end: String?) {
        var nodes: [TemplateNode] = []
        while let piece = pieces.popFirst() {
            switch piece {
            case .text(let text): nodes.append(.text(text))
            case .action(let action):
                var words = TemplateWords(try TemplateToken.all(in: action)[...])
                switch words.first {
                case .word("end"), .word("else"):
                    guard block != nil else {
                        throw TemplateParser.misuse("{{\(action)}} ends nothing")
                    }
                    return (nodes, action.split(whereSeparator: \.isWhitespace).joined(separator: " "))
                case .word("if"), .word("with"), .word("range"):
                    nodes.append(try self.block(&words))
                case .word("define"), .word("template"), .word("block"), .word("break"), .word("continue"):
                    throw TemplateParser.misuse("{{\(action)}}: templates of mica have no such word")
                default:
                    if let name = words.takeAssignment()?.first {
                        nodes.append(.variable(name, try words.pipeline()))
                    } else {
                        nodes.append(.output(try words.pipeline()))
                    }
                    try words.finish()
                }
            }
        }
        guard block == nil else { throw TemplateParser.misuse("{{end}} is missing after {{\(block ?? "")}}") }
        return (nodes, nil)
    }

    /// `words`: from `if`, `with` or `range` on.
    private mutating func block(_ words: inout TemplateWords) throws -> TemplateNode {
        guard case .word(let kind)? = words.take() else { throw TemplateParser.misuse("a word is missing") }
        let names = kind == "range" ? words.takeAssignment() ?? [] : []
        let subject = try words.pipeline()
        try words.finish()
        let (body, end) = try nodes(inside: kind)
        var otherwise: [TemplateNode] = []
        if let end, end.hasPrefix("else ") {
            // An if of its own, that ends with this one.
            var rest = TemplateWords(try TemplateToken.all(in: end.dropFirst("else ".count))[...])
            guard rest.first == .word("if") else {
                throw TemplateParser.misuse("{{\(end)}}: else or else if")
            }
            otherwise = [try block(&rest)]
        } else if end == "else" {
            let last: String?
            (otherwise, last) = try nodes(inside: kind)
            guard last == "end" else { throw TemplateParser.misuse("{{end}} is missing after {{else}}") }
        }
        switch kind {
        case "if": return .condition(subject, body, otherwise: otherwise)
        case "with": return .with(subject, body, otherwise: otherwise)
        default: return .range(subject, names: names, body, otherwise: otherwise)
        }
    }
}
