/// An instruction's line in its parts: the name, the flags, and the rest.
struct InstructionLine {
    let name: String
    /// Each `--name` or `--name=value`, without quotes and escapes.
    let flags: [String]
    let rest: String
    let escape: Escape

    init(_ text: String, escape: Escape) {
        self.escape = escape
        let parts = String(text[...].trimmed).splitAtBlanks(limit: 2)
        name = parts[0]
        guard parts.count == 2 else {
            (flags, rest) = ([], "")
            return
        }
        var scanner = FlagScanner(rest: parts[1].unicodeScalars[...], escape: escape.rawValue)
        flags = scanner.flags()
        rest = String(Substring(scanner.rest).trimmed)
    }

    private struct FlagScanner {
        var rest: Substring.UnicodeScalarView
        let escape: Unicode.Scalar

        /// Takes the words that begin with `--`, and a `--` that ends them.
        mutating func flags() -> [String] {
            var flags: [String] = []
            while true {
                rest = rest.drop { $0.properties.isWhitespace }
                guard rest.starts(with: "--".unicodeScalars) else { return flags }
                let flag = word()
                if flag == "--" { return flags }
                flags.append(flag)
            }
        }

        private mutating func word() -> String {
            var word = String.UnicodeScalarView()
            var quote: Unicode.Scalar?
            while let scalar = rest.first {
                if quote == nil, scalar.properties.isWhitespace { break }
                rest.removeFirst()
                if scalar == quote {
                    quote = nil
                } else if quote == nil, scalar == "'" || scalar == "\"" {
                    quote = scalar
                } else if scalar == escape {
                    if let escaped = rest.popFirst() { word.append(escaped) }
                } else {
                    word.append(scalar)
                }
            }
            return String(word)
        }
    }

    /// The words of `ENV`, `LABEL` and `ARG`, which end at spaces outside of quotes. Quotes and escapes stay in them.
    var quotedWords: [String] {
        var words: [String] = []
        var word = String.UnicodeScalarView()
        var quote: Unicode.Scalar?
        var rest = rest.unicodeScalars[...]
        while let scalar = rest.popFirst() {
            if quote == nil, scalar.properties.isWhitespace {
                if !word.isEmpty { words.append(String(word)) }
                word.removeAll()
                continue
            }
            if scalar == escape.rawValue, quote != "'" {
                if let escaped = rest.popFirst() {
                    word.append(scalar)
                    word.append(escaped)
                }
                continue
            }
            if let end = quote {
                if scalar == end { quote = nil }
            } else if scalar == "'" || scalar == "\"" {
                quote = scalar
            }
            word.append(scalar)
        }
        if !word.isEmpty { words.append(String(word)) }
        return words
    }
}
