/// Which options a verb has and which of them take a value: what it takes to tell the words of a command line apart
/// before the parser sees them. It says nothing about what they mean. A test compares it with the parser's own
/// declarations (docs/adr/0030-words-before-the-parser.md).
struct Grammar {
    struct Option {
        /// Without dashes. Of one that has several the last is what the parser is given.
        var names: [Substring]
        var takesValue: Bool

        var canonical: String { Grammar.dashed(names.last ?? "") }
    }

    private(set) var options: [Option]
    /// What follows the first operand is an image's command, or another program's: not ours to read.
    var endsAtOperand = false

    /// `text`: options, separated by spaces; the names of one by `|`; with `=` at the end where it takes a value.
    init(_ text: String, endsAtOperand: Bool = false) {
        self.endsAtOperand = endsAtOperand
        options = []
        add(text)
        add("root= version")
        add(option("h") == nil ? "h|help" : "help")
    }

    private mutating func add(_ text: String) {
        for word in text.split(separator: " ") {
            let names = (word.last == "=" ? word.dropLast() : word).split(separator: "|")
            options.append(Option(names: names, takesValue: word.last == "="))
        }
    }

    func option(_ name: some StringProtocol) -> Option? { options.first { $0.names.contains { $0 == name } } }

    /// `-q`, `--quiet`
    static func dashed(_ name: some StringProtocol) -> String { (name.utf8.count == 1 ? "-" : "--") + name }
}
