import Linux

/// Instructions that change how an image's containers start, written as in a Dockerfile: `CMD ["sh"]`, `ENV
/// NAME=value`, `EXPOSE 80/tcp`. For `--change` of import and commit. Each line is an instruction.
///
/// The rules are those of Docker's Dockerfile reference, and of `docker commit --change`.
package struct ConfigChange: Sendable {
    struct Instruction: Sendable {
        /// In upper case.
        let name: String
        let rest: Substring

        func failure(_ what: String) -> Failure { Failure("change \"\(name) \(rest)\": \(what)") }
    }

    private let instructions: [Instruction]

    private static let known = [
        "CMD", "ENTRYPOINT", "ENV", "EXPOSE", "HEALTHCHECK", "LABEL", "ONBUILD", "STOPSIGNAL", "USER",
        "VOLUME",
        "WORKDIR",
    ]

    /// Throws a `Failure` for an instruction that changes no config.
    package init(_ text: String) throws {
        instructions = try ConfigChange.lines(text).map { line in
            let (name, rest) = line.firstWord
            let instruction = Instruction(name: name.uppercased(), rest: rest)
            guard ConfigChange.known.contains(instruction.name) else {
                throw Failure(
                    "change \"\(line)\": expected one of \(ConfigChange.known.joined(separator: ", "))"
                )
            }
            guard !rest.isEmpty else {
                throw Failure("change \"\(line)\": nothing comes after \(instruction.name)")
            }
            return instruction
        }
        guard !instructions.isEmpty else {
            throw Failure("change \"\(text)\": expected one of \(ConfigChange.known.joined(separator: ", "))")
        }
    }

    /// Applies `changes` in their order.
    package static func apply(_ changes: [ConfigChange], to config: inout ImageConfig.Process) throws {
        var hasCommand = false
        for instruction in changes.flatMap(\.instructions) {
            if instruction.name == "CMD" { hasCommand = true }
            // The image's CMD was for its own ENTRYPOINT.
            if instruction.name == "ENTRYPOINT", !hasCommand { config.command = nil }
            try instruction.apply(to: &config)
        }
    }

    /// The lines without comments, joined where a backslash continues them.
    private static func lines(_ text: String) -> [Substring] {
        var lines: [Substring] = []
        var open = ""
        for line in text.split(separator: "\n", omittingEmptySubsequences: false) {
            let line = line.trimmed
            if line.isEmpty || line.hasPrefix("#") { continue }
            if line.hasSuffix("\\") {
                open += line.dropLast()
            } else {
                lines.append((open + line)[...].trimmed)
                open = ""
            }
        }
        if !open.isEmpty { lines.append(open[...].trimmed) }
        return lines.filter { !$0.isEmpty }
    }
}

extension Substring {
    var trimmed: Substring {
        var rest = drop { $0.isWhitespace }
        while rest.last?.isWhitespace == true { rest.removeLast() }
        return rest
    }

    /// The first word, and the rest without the space between them.
    var firstWord: (word: Substring, rest: Substring) {
        let word = prefix { !$0.isWhitespace }
        return (word, dropFirst(word.count).drop { $0.isWhitespace })
    }
}
