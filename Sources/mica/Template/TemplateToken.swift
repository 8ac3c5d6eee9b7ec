import Linux

/// The words of what stands between braces.
enum TemplateToken: Equatable {
    /// A function, or a word that rules.
    case word(String)
    /// `.A`; the dot alone has no name.
    case field(String)
    /// `$a`; `$` alone has no name.
    case variable(String)
    case text(String)
    case number(String)
    /// `|`, `(`, `)`, `,`, `=` and `:=`.
    case sign(String)

    /// All of an action. `isAttached` of a field: it follows a name or a parenthesis without a blank.
    static func all(in action: Substring) throws -> [(token: TemplateToken, isAttached: Bool)] {
        var tokens: [(token: TemplateToken, isAttached: Bool)] = []
        var rest = action
        var isAttached = false
        while let first = rest.first {
            let before = rest
            if first.isWhitespace {
                rest = rest.dropFirst()
                isAttached = false
                continue
            }
            let token = try next(&rest, first)
            tokens.append((token, isAttached))
            isAttached = rest.startIndex != before.startIndex
        }
        return tokens
    }

    private static func next(_ rest: inout Substring, _ first: Character) throws -> TemplateToken {
        func isName(_ character: Character) -> Bool {
            character.isLetter || character.isNumber || character == "_"
        }
        func name() -> String {
            let word = rest.prefix(while: isName)
            rest = rest[word.endIndex...]
            return String(word)
        }
        switch first {
        case ".":
            rest = rest.dropFirst()
            return .field(name())
        case "$":
            rest = rest.dropFirst()
            return .variable(name())
        case "\"", "`":
            rest = rest.dropFirst()
            return .text(try text(&rest, until: first))
        case "|", "(", ")", ",", "=":
            rest = rest.dropFirst()
            return .sign(String(first))
        case ":":
            guard rest.hasPrefix(":=") else { break }
            rest = rest.dropFirst(2)
            return .sign(":=")
        case "-" where rest.dropFirst().first?.isNumber == true, _ where first.isNumber:
            let number = rest.prefix { $0 == "-" || $0 == "." || $0.isNumber }
            rest = rest[number.endIndex...]
            return .number(String(number))
        default: if isName(first) { return .word(name()) }
        }
        throw Failure("--format: \(first) is not known in a template", exitCode: 64)
    }

    private static func text(_ rest: inout Substring, until quote: Character) throws -> String {
        var text = ""
        while let character = rest.popFirst() {
            if character == quote { return text }
            guard character == "\\", quote == "\"" else {
                text.append(character)
                continue
            }
            switch rest.popFirst() {
            case "n": text.append("\n")
            case "t": text.append("\t")
            case "\\": text.append("\\")
            case "\"": text.append("\"")
            case let other:
                let name = other.map { String($0) } ?? ""
                throw Failure("--format: \\\(name) is not known in a text of a template", exitCode: 64)
            }
        }
        throw Failure("--format: \(quote) is missing at the end of a text", exitCode: 64)
    }
}
