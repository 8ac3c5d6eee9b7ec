/// What WWW-Authenticate asks for (RFC 9110, section 11): a scheme and its parameters.
struct Challenge {
    /// Lower-case.
    let scheme: String
    private(set) var parameters: [String: String] = [:]

    /// All of one line: they are separated as parameters are, by commas.
    static func all(in text: String) -> [Challenge] {
        var challenges: [Challenge] = []
        var rest = text[...]
        func skip(_ isSkipped: (Character) -> Bool) { rest = rest.drop(while: isSkipped) }
        func isBlank(_ character: Character) -> Bool { character == " " || character == "\t" }
        while true {
            skip { isBlank($0) || $0 == "," || $0 == "=" }
            let word = rest.prefix { !isBlank($0) && $0 != "," && $0 != "=" }
            guard !word.isEmpty else { return challenges }
            rest = rest[word.endIndex...]
            let after = rest.drop(while: isBlank)
            guard after.first == "=", let last = challenges.indices.last else {
                challenges.append(Challenge(scheme: word.lowercased()))
                continue
            }
            rest = after.dropFirst().drop(while: isBlank)
            let value = takeValue(&rest)
            let name = word.lowercased()
            challenges[last].parameters[name] = challenges[last].parameters[name] ?? value
        }
    }

    private init(scheme: String) { self.scheme = scheme }

    /// A word, or a text in quotes.
    private static func takeValue(_ rest: inout Substring) -> String {
        guard rest.first == "\"" else {
            let value = rest.prefix { $0 != "," && $0 != " " && $0 != "\t" }
            rest = rest[value.endIndex...]
            return String(value)
        }
        rest = rest.dropFirst()
        var value = ""
        while let next = rest.popFirst(), next != "\"" {
            if next == "\\", let escaped = rest.popFirst() {
                value.append(escaped)
            } else {
                value.append(next)
            }
        }
        return value
    }
}
