extension Heredoc {
    /// The here-document that a word such as `2<<-"NAME"` opens, without its text; nil for other words.
    static func opening(_ word: String) -> Heredoc? {
        var rest = word.unicodeScalars[...]
        let digits = rest.prefix { ("0"..."9").contains($0) }
        rest = rest.dropFirst(digits.count)
        guard rest.starts(with: "<<".unicodeScalars) else { return nil }
        rest = rest.dropFirst(2)
        let stripsTabs = rest.first == "-"
        if stripsTabs { rest.removeFirst() }
        rest = rest.drop { $0 == " " || $0 == "\t" || $0 == "\n" || $0 == "\u{c}" || $0 == "\r" }
        guard !rest.isEmpty, !rest.contains("<") else { return nil }
        guard let name = single(String(rest), .removed), let quoted = single(String(rest), .kept) else {
            return nil
        }
        return Heredoc(
            name: name,
            descriptor: UInt(String(digits)) ?? 0,
            isExpanded: quotes(in: name) == quotes(in: quoted),
            stripsTabs: stripsTabs,
            raw: ""
        )
    }

    /// All that an instruction's line opens, in their order; none where the line has an open quote.
    static func openings(in line: String) -> [Heredoc] {
        let lexer = Expansion(quotes: .kept, keepsEscapes: true, keepsUnset: true)
        guard let words = try? lexer.words(line, with: Variables()) else { return [] }
        return words.compactMap(opening)
    }

    private static func single(_ text: String, _ quotes: Expansion.Quotes) -> String? {
        let lexer = Expansion(quotes: quotes, keepsUnset: true)
        guard let words = try? lexer.words(text, with: Variables()), words.count == 1 else { return nil }
        return words[0]
    }

    private static func quotes(in text: String) -> Int {
        text.unicodeScalars.count { $0 == "'" || $0 == "\"" }
    }
}
