/// Words that share one piece of advice.
struct ForeignWords {
    private var verbs: [Substring]
    private var names: [Substring]
    /// What to use instead, in a sentence.
    var use: String

    /// `names`, `verbs`: separated by spaces.
    init(_ names: String, of verbs: String = "", _ use: String) {
        self.names = names.split(separator: " ")
        self.verbs = verbs.isEmpty ? [""] : verbs.split(separator: " ")
        self.use = use
    }

    func holds(_ name: String, of verb: String) -> Bool {
        verbs.contains { $0 == verb } && names.contains { $0 == name }
    }
}
