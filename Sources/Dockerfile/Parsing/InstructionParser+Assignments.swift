extension InstructionParser {
    /// `NAME=value …`, or `NAME value` with spaces in the value.
    func assignments() throws(DockerfileError) -> [Instruction.Assignment] {
        let words = line.quotedWords
        var result: [Instruction.Assignment] = []
        if let first = words.first, !first.utf8.contains(UInt8(ascii: "=")) {
            let parts = line.rest.splitAtBlanks(limit: 2)
            guard parts.count == 2 else { throw DockerfileError("\(name) must have two arguments") }
            result = [.init(name: word(parts[0]), value: word(parts[1]), isLegacy: true)]
        }
        for text in words where result.first?.isLegacy != true {
            let (key, value) = text.cutAtEquals
            guard let value else {
                throw DockerfileError(
                    "Syntax error - can't find = in \"\(text)\". Must be of the form: name=value"
                )
            }
            result.append(.init(name: word(key), value: word(value), isLegacy: false))
        }
        try noFlags()
        guard !result.isEmpty else { throw atLeastOne }
        guard !result.contains(where: { $0.name.text.isEmpty }) else {
            throw DockerfileError("\(name) names can not be blank")
        }
        return result
    }

    /// `NAME` and `NAME=default`, several of them.
    func arguments() throws(DockerfileError) -> [Instruction.Argument] {
        try noFlags()
        let words = line.quotedWords
        guard !words.isEmpty else { throw atLeastOne }
        return try words.map { text throws(DockerfileError) in
            let (name, value) = text.cutAtEquals
            guard !name.isEmpty else { throw DockerfileError("ARG names can not be blank") }
            return Instruction.Argument(
                name: name,
                value: value.map { word($0) },
                comment: InstructionParser.comment(on: name, in: comments)
            )
        }
    }

    /// The rest of the comment that begins with `name`.
    static func comment(on name: String, in comments: [String]) -> String? {
        comments.first { $0.hasPrefix("\(name) ") }.map { String($0.dropFirst(name.count + 1)) }
    }
}
