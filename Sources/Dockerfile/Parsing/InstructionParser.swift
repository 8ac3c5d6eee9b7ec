import OCI

/// Makes an instruction of its line. Errors have no place yet.
struct InstructionParser {
    let line: InstructionLine
    let keyword: Keyword
    let comments: [String]
    /// What the line opens, with the text behind it.
    let documents: [Heredoc]

    func operation() throws(DockerfileError) -> Instruction.Operation {
        switch keyword {
        case .from: throw DockerfileError("FROM begins a stage")
        case .arg: .arg(try arguments())
        case .env: .env(try assignments())
        case .label: .label(try assignments())
        case .run: .run(try run())
        case .copy: .copy(try copy())
        case .add: .add(try add())
        case .cmd: .cmd(try command())
        case .entrypoint: .entrypoint(try command())
        case .shell: .shell(try shell())
        case .user: .user(try word())
        case .workdir: .workdir(try word())
        case .volume: .volume(try volumes())
        case .expose: .expose(try ports())
        case .healthcheck: .healthcheck(try healthcheck())
        case .onbuild: .onbuild(try trigger())
        case .stopsignal: .stopsignal(try word())
        case .maintainer: .maintainer(try word().text)
        }
    }

    var name: String { keyword.rawValue }

    func word(_ text: some StringProtocol) -> Word { Word(String(text), escape: line.escape) }

    func noFlags() throws(DockerfileError) { _ = try Flags(line.flags) }

    var atLeastOne: DockerfileError { DockerfileError("\(name) requires at least one argument") }

    /// All of the line.
    private func word() throws(DockerfileError) -> Word {
        guard !line.rest.isEmpty else { throw DockerfileError("\(name) requires exactly one argument") }
        try noFlags()
        return word(line.rest)
    }

    private func command() throws(DockerfileError) -> CommandLine {
        try noFlags()
        return try commandLine(line.rest)
    }

    func commandLine(_ text: String) throws(DockerfileError) -> CommandLine {
        try JSONWords.parse(text).map { .exec($0) } ?? .shell(text)
    }

    private func shell() throws(DockerfileError) -> [String] {
        try noFlags()
        guard !line.rest.isEmpty else { throw atLeastOne }
        guard let words = try JSONWords.parse(line.rest) else {
            throw DockerfileError("SHELL requires the arguments to be in JSON form")
        }
        guard !words.isEmpty else { throw atLeastOne }
        return words
    }

    private func volumes() throws(DockerfileError) -> [Word] {
        let texts = try JSONWords.parse(line.rest) ?? spaced
        guard !texts.isEmpty else { throw atLeastOne }
        try noFlags()
        return try texts.map { text throws(DockerfileError) in
            let path = text[...].trimmed
            guard !path.isEmpty else { throw DockerfileError("VOLUME specified can not be an empty string") }
            return word(path)
        }
    }

    private func ports() throws(DockerfileError) -> [Word] {
        guard !line.rest.isEmpty else { throw atLeastOne }
        try noFlags()
        return spaced.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }.map { word($0) }
    }

    /// The arguments between spaces, whatever quotes they have.
    var spaced: [String] { line.rest.isEmpty ? [] : line.rest.splitAtBlanks() }
}
