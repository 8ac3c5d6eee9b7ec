/// Reads instruction after instruction. Errors have their lines, and no file.
struct DockerfileParser {
    enum Line {
        case from(Stage)
        case instruction(Instruction)
    }

    private let file: String
    private var lines: LogicalLines
    private var warnings: [DockerfileError] = []
    private var stages: [Stage] = []
    private var count = 0

    /// Of instructions. An image has 127 layers at most where docker runs it; what is done for all of them stays cheap.
    static let limit = 10_000

    init(_ bytes: [UInt8], name: String) throws(DockerfileError) {
        guard bytes.count <= Dockerfile.sizeLimit else {
            throw DockerfileError("a Dockerfile of more than \(Dockerfile.sizeLimit) bytes")
        }
        file = name
        let text = bytes.starts(with: [0xEF, 0xBB, 0xBF]) ? bytes.dropFirst(3) : bytes[...]
        try DirectiveReader.checkHiddenSyntax(text)
        lines = LogicalLines(text)
    }

    mutating func dockerfile() throws(DockerfileError) -> Dockerfile {
        var globals: [Instruction] = []
        while let line = try next() {
            switch line {
            case .from(let stage): add(stage)
            case .instruction(let instruction):
                if !stages.isEmpty {
                    stages[stages.count - 1].instructions.append(instruction)
                } else if instruction.keyword == .arg {
                    globals.append(instruction)
                } else {
                    throw DockerfileError("no build stage in current context").at(instruction.source)
                }
            }
        }
        guard !stages.isEmpty else {
            let message =
                lines.number == 0
                ? "the Dockerfile cannot be empty"
                : globals.isEmpty ? "file with no instructions" : "dockerfile contains no stages to build"
            throw DockerfileError(message)
        }
        return Dockerfile(
            name: file,
            directives: lines.directives,
            globals: globals,
            stages: stages,
            warnings: warnings
        )
    }

    private mutating func add(_ stage: Stage) {
        if let name = stage.name {
            if name == "scratch" || name == "context" {
                warn("Stage name should not use the same name as reserved stage \"\(name)\"", stage.source)
            }
            if stages.contains(where: { $0.name == name }) {
                warn("Duplicate stage name \"\(name)\", stage names should be unique", stage.source)
            }
        }
        stages.append(stage)
    }

    private mutating func warn(_ message: String, _ source: Source) {
        warnings.append(DockerfileError(message).at(source))
    }

    /// The next instruction, with its here-documents.
    mutating func next() throws(DockerfileError) -> Line? {
        guard let logical = try lines.next() else { return nil }
        count += 1
        guard count <= DockerfileParser.limit else {
            throw DockerfileError("more than \(DockerfileParser.limit) instructions", lines: logical.lines)
        }
        do {
            return try parse(logical)
        } catch {
            throw DockerfileError(error.message, lines: error.lines ?? logical.lines)
        }
    }

    private mutating func parse(_ logical: LogicalLine) throws(DockerfileError) -> Line {
        let line = InstructionLine(logical.text, escape: lines.directives.escape)
        guard let keyword = Keyword(rawValue: line.name.uppercased()) else {
            throw DockerfileParser.unknown(line.name)
        }
        var documents: [Heredoc] = []
        if DockerfileParser.opensHeredocs(line, keyword) {
            for opening in Heredoc.openings(in: logical.text) {
                documents.append(try lines.take(opening, from: logical.lines.lowerBound))
            }
        }
        let source = Source(
            file: file,
            lines: logical.lines.lowerBound...max(logical.lines.upperBound, lines.number),
            text: String(logical.text[...].trimmed)
        )
        if logical.hasEmptyLine { warn("Empty continuation line found in: \(source.text)", source) }
        if keyword == .from { return .from(try stage(line, logical, source)) }
        let parser = InstructionParser(
            line: line,
            keyword: keyword,
            comments: logical.comments,
            documents: documents
        )
        return .instruction(Instruction(source: source, operation: try parser.operation()))
    }

    /// `ADD`, `COPY` and `RUN` do, also behind `ONBUILD`, where their arguments are not a JSON array.
    private static func opensHeredocs(_ line: InstructionLine, _ keyword: Keyword) -> Bool {
        switch keyword {
        case .add, .copy, .run: return !JSONWords.isArray(line.rest)
        case .onbuild:
            let inner = InstructionLine(line.rest, escape: line.escape)
            guard let keyword = Keyword(rawValue: inner.name.uppercased()), keyword != .onbuild else {
                return false
            }
            return opensHeredocs(inner, keyword)
        default: return false
        }
    }

    private func stage(
        _ line: InstructionLine,
        _ logical: LogicalLine,
        _ source: Source
    ) throws(DockerfileError) -> Stage {
        let words = line.rest.isEmpty ? [] : line.rest.splitAtBlanks()
        var name: String?
        if words.count == 3, words[1].lowercased() == "as" {
            name = words[2].lowercased()
            guard let name, DockerfileParser.isStageName(name) else {
                throw DockerfileError(
                    "invalid name for build stage: \"\(words[2])\", name can't start with a number or contain symbols"
                )
            }
        } else if words.count != 1 {
            throw DockerfileError("FROM requires either one or three arguments")
        }
        let platform = try Flags(line.flags, known: ["platform": .text]).text("platform")
        return Stage(
            name: name,
            number: stages.count,
            base: Word(words[0], escape: line.escape),
            platform: platform.flatMap { $0.isEmpty ? nil : Word($0, escape: line.escape) },
            comment: name.flatMap { InstructionParser.comment(on: $0, in: logical.comments) },
            source: source,
            instructions: []
        )
    }

    /// Letters of ASCII in lower case, digits, `-`, `_` and `.`, the first one a letter.
    static func isStageName(_ name: String) -> Bool {
        guard let first = name.utf8.first, (0x61...0x7a).contains(first) else { return false }
        return name.utf8.allSatisfy {
            (0x61...0x7a).contains($0) || (0x30...0x39).contains($0) || "-_.".utf8.contains($0)
        }
    }

    static func unknown(_ name: String) -> DockerfileError {
        let hint = Suggestion.text(for: name, among: Keyword.allCases.map(\.rawValue), ignoringCase: true)
        return DockerfileError("unknown instruction: \(name)\(hint)")
    }
}
