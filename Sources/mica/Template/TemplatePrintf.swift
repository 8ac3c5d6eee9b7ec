import Linux
import OCI

/// Go's printf, as far as `%[-][WIDTH][.PRECISION]` and s, v, d, q, t or % go.
enum TemplatePrintf {
    static func text(_ format: String, _ values: ArraySlice<JSONValue>) throws -> String {
        var (text, rest, values) = ("", format[...], values)
        while let character = rest.popFirst() {
            guard character == "%" else {
                text.append(character)
                continue
            }
            let isLeft = rest.first == "-"
            if isLeft { rest = rest.dropFirst() }
            let width = number(&rest)
            var precision: Int?
            if rest.first == "." {
                rest = rest.dropFirst()
                precision = number(&rest) ?? 0
            }
            let verb = rest.popFirst()
            guard verb != "%" else {
                text.append("%")
                continue
            }
            guard let verb, "svdqt".contains(verb) else {
                let name = verb.map(String.init) ?? ""
                throw Failure(
                    "--format: printf: %\(name) is not known here: s, v, d, q, t and % are",
                    exitCode: 64
                )
            }
            guard let value = values.popFirst() else {
                throw Failure("--format: printf: there is no value for %\(verb)", exitCode: 64)
            }
            var piece = verb == "q" ? try TemplateFunction.json(.string(value.shown)) : value.shown
            if let precision { piece = String(piece.prefix(precision)) }
            let padding = String(repeating: " ", count: max((width ?? 0) - piece.count, 0))
            text += isLeft ? piece + padding : padding + piece
        }
        guard values.isEmpty else {
            throw Failure("--format: printf: there are more values than in its format", exitCode: 64)
        }
        return text
    }

    private static func number(_ rest: inout Substring) -> Int? {
        let digits = rest.prefix(while: \.isNumber)
        rest = rest[digits.endIndex...]
        return Int(digits).map { min($0, 1000) }
    }
}
