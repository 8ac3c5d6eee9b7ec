/// Quotes, backslashes and variables in the words of a Dockerfile's instruction, as its reference describes them:
/// `$name`, `${name}`, `${name:-word}`, `${name:+word}`, `${name:?word}`, and the three without the colon.
struct Expansion {
    struct SyntaxError: Error { let reason: String }

    private let variables: [Substring: Substring]

    /// `environment`: `NAME=value`. If a name occurs twice, the first one counts.
    init(environment: [String]) {
        var variables: [Substring: Substring] = [:]
        for entry in environment {
            let name = entry.prefix { $0 != "=" }
            if variables[name] == nil { variables[name] = entry.dropFirst(name.count + 1) }
        }
        self.variables = variables
    }

    /// The text as one word: spaces stay.
    func word(_ text: Substring) throws(SyntaxError) -> String {
        var reader = Reader(rest: text, variables: variables)
        return try reader.read(until: nil).text
    }

    /// Splits at spaces, also those from a variable, but not those in quotes.
    func words(_ text: Substring) throws(SyntaxError) -> [String] {
        var reader = Reader(rest: text, variables: variables)
        return try reader.read(until: nil).words
    }

    private struct Result {
        var text = ""
        private(set) var words: [String] = []
        private var isOpen = false

        mutating func add(_ character: Character, quoted: Bool) {
            text.append(character)
            guard quoted || !character.isWhitespace else {
                isOpen = false
                return
            }
            if !isOpen { words.append("") }
            isOpen = true
            words[words.count - 1].append(character)
        }
    }

    private struct Reader {
        var rest: Substring
        let variables: [Substring: Substring]

        mutating func read(until end: Character?) throws(SyntaxError) -> Result {
            var result = Result()
            while let character = rest.popFirst() {
                if character == end { return result }
                switch character {
                case "'":
                    for inner in try quoted() { result.add(inner, quoted: true) }
                case "\"":
                    for inner in try doublyQuoted() { result.add(inner, quoted: true) }
                case "$":
                    for inner in try variable() { result.add(inner, quoted: false) }
                case "\\":
                    guard let escaped = rest.popFirst() else { break }
                    result.add(escaped, quoted: true)
                default: result.add(character, quoted: false)
                }
            }
            guard end == nil else { throw SyntaxError(reason: "a { is not closed") }
            return result
        }

        private mutating func quoted() throws(SyntaxError) -> String {
            guard let end = rest.firstIndex(of: "'") else {
                throw SyntaxError(reason: "a quote is not closed")
            }
            defer { rest = rest[rest.index(after: end)...] }
            return String(rest[..<end])
        }

        private mutating func doublyQuoted() throws(SyntaxError) -> String {
            var result = ""
            while let character = rest.popFirst() {
                switch character {
                case "\"": return result
                case "$": result += try variable()
                case "\\":
                    // Before any other character, a backslash is a backslash.
                    if let next = rest.first, next == "\"" || next == "$" || next == "\\" {
                        result.append(next)
                        rest.removeFirst()
                    } else {
                        result.append(character)
                    }
                default: result.append(character)
                }
            }
            throw SyntaxError(reason: "a quote is not closed")
        }

        private mutating func name() -> Substring {
            if let first = rest.first, first.isASCII, first.isNumber {
                rest.removeFirst()
                return rest.base[rest.base.index(before: rest.startIndex)..<rest.startIndex]
            }
            let name = rest.prefix { $0 == "_" || $0.isLetter || $0.isNumber }
            rest = rest.dropFirst(name.count)
            return name
        }

        private mutating func variable() throws(SyntaxError) -> String {
            guard rest.first == "{" else {
                let name = name()
                return name.isEmpty ? "$" : String(variables[name] ?? "")
            }
            rest.removeFirst()
            let name = name()
            guard !name.isEmpty, var modifier = rest.popFirst() else {
                throw SyntaxError(reason: "after ${ comes a name, then }")
            }
            var value = variables[name]
            if modifier == "}" { return String(value ?? "") }
            if modifier == ":" {
                if value?.isEmpty == true { value = nil }
                guard let next = rest.popFirst() else { throw SyntaxError(reason: "a { is not closed") }
                modifier = next
            }
            guard "-+?".contains(modifier) else {
                throw SyntaxError(
                    reason: "${\(name)\(modifier)…} is not known: mica knows :-, :+, :?, -, + and ?"
                )
            }
            let word = try read(until: "}").text
            switch modifier {
            case "-": return value.map(String.init) ?? word
            case "+": return value == nil ? "" : word
            default:
                guard let value else {
                    throw SyntaxError(reason: word.isEmpty ? "\(name) is not set" : "\(name): \(word)")
                }
                return String(value)
            }
        }
    }
}
