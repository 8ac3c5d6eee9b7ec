extension InstructionParser {
    /// What `ONBUILD` leaves for another build is checked now, so that the one who wrote it learns what is wrong.
    func trigger() throws(DockerfileError) -> String {
        let inner = InstructionLine(line.rest, escape: line.escape)
        guard !line.rest.isEmpty else { throw atLeastOne }
        try noFlags()
        guard let keyword = Keyword(rawValue: inner.name.uppercased()) else {
            throw DockerfileParser.unknown(inner.name)
        }
        switch keyword {
        case .onbuild: throw DockerfileError("Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed")
        case .maintainer, .from:
            throw DockerfileError("\(keyword.rawValue) isn't allowed as an ONBUILD trigger")
        default: break
        }
        let parser = InstructionParser(
            line: inner,
            keyword: keyword,
            comments: [],
            documents: documents
        )
        _ = try parser.operation()
        return documents.reduce(line.rest) { "\($0)\n\($1.raw)\($1.name)" }
    }
}
