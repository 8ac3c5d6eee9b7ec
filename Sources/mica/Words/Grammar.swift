/// Which options a verb has and which of them take a value: all that is needed to tell the words of a command line
/// apart before the parser sees them. It says nothing about their meaning. A test compares it with the parser's
/// declarations (docs/adr/0030-words-before-the-parser.md).
struct Grammar {
    struct Option {
        /// Without dashes. The last one is passed to the parser.
        var names: [Substring]
        var takesValue: Bool
        /// A flag that a word may follow, after `=` alone.
        var takesChoice = false

        var canonical: String { Grammar.dashed(names.last ?? "") }
    }

    private(set) var options: [Option]
    /// Words after the first operand are an image's command, or another program's: not ours to read.
    var endsAtOperand = false

    /// `text`: options, separated by spaces; the names of one by `|`; with `=` at the end where it takes a value, and
    /// `?` where it may.
    init(_ text: String, endsAtOperand: Bool = false) {
        self.endsAtOperand = endsAtOperand
        options = []
        add(text)
        add("root= version")
        add(option("h") == nil ? "h|help" : "help")
    }

    private mutating func add(_ text: String) {
        for word in text.split(separator: " ") {
            let isPlain = word.last != "=" && word.last != "?"
            let names = (isPlain ? word : word.dropLast()).split(separator: "|")
            options.append(
                Option(names: names, takesValue: word.last == "=", takesChoice: word.last == "?")
            )
        }
    }

    func option(_ name: some StringProtocol) -> Option? { options.first { $0.names.contains { $0 == name } } }

    /// `-q`, `--quiet`
    static func dashed(_ name: some StringProtocol) -> String { (name.utf8.count == 1 ? "-" : "--") + name }
}
