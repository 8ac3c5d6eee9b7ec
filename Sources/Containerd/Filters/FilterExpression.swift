import Linux

/// What a regular expression of a filter's may look like. Swift's parser calls itself for each bracket, and its matcher
/// tries every way to divide a text among quantifiers, without an end to speak of where one repeats another: what would
/// take the whole service along is refused.
enum FilterExpression {
    private static let longest = 1024
    private static let mostBrackets = 64
    private static let mostQuantifiers = 4

    /// invalidArgument for what is no regular expression, or is one that may take for ever.
    static func parsed(_ text: String) throws(Failure) -> Regex<AnyRegexOutput> {
        try check(text)
        do { return try Regex(text).matchingSemantics(.unicodeScalar) } catch {
            throw Failure("\(text) is no regular expression: \(error)", kind: .invalidArgument)
        }
    }

    /// Counts in character classes as well, which refuses a little more than it must.
    private static func check(_ text: String) throws(Failure) {
        guard text.utf8.count <= longest else { throw refusal("has more than \(longest) bytes") }
        var (brackets, quantifiers) = (0, 0)
        var before: Unicode.Scalar?
        var rest = Array(text.unicodeScalars)[...]
        while let scalar = rest.popFirst() {
            switch scalar {
            case "\\":
                // What is quoted as a whole, or left out as a comment, could come between a group and its quantifier.
                guard rest.popFirst() != "Q" else { throw refusal("has a \\Q") }
            case "(" where rest.starts(with: "?".unicodeScalars):
                guard rest.starts(with: "?:".unicodeScalars) || rest.starts(with: "?i)".unicodeScalars) else {
                    throw refusal("has a (? that is neither (?: nor (?i)")
                }
                rest = rest.dropFirst()
                brackets += 1
            case "(", "[": brackets += 1
            case "*", "+", "{", "?":
                guard before != ")" || scalar == "?" else { throw refusal("repeats a group") }
                quantifiers += 1
            default: break
            }
            guard brackets <= mostBrackets else { throw refusal("has more than \(mostBrackets) brackets") }
            guard quantifiers <= mostQuantifiers else {
                throw refusal("has more than \(mostQuantifiers) of *, +, ? and {")
            }
            before = scalar
        }
    }

    private static func refusal(_ why: String) -> Failure {
        Failure("a filter's regular expression \(why), and could take for ever", kind: .invalidArgument)
    }
}
