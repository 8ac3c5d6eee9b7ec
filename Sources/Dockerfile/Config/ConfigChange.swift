import Linux
package import OCI

/// Instructions that change how an image's containers start, written as in a Dockerfile: `CMD ["sh"]`, `ENV
/// NAME=value`, `EXPOSE 80/tcp`. For `--change` of import and commit. Each line is an instruction.
///
/// The instructions are those of `docker commit --change`.
package struct ConfigChange: Sendable {
    private let text: String
    private let instructions: [Instruction]

    private static let known: [Keyword] = [
        .cmd, .entrypoint, .env, .expose, .healthcheck, .label, .onbuild, .stopsignal, .user, .volume,
        .workdir,
    ]

    /// Throws a `Failure` for an instruction that changes no config.
    package init(_ text: String) throws {
        self.text = text
        let names = ConfigChange.known.map(\.rawValue).joined(separator: ", ")
        do throws(DockerfileError) {
            var parser = try DockerfileParser(Array(text.utf8), name: "")
            var instructions: [Instruction] = []
            while let line = try parser.next() {
                guard case .instruction(let instruction) = line,
                    ConfigChange.known.contains(instruction.keyword)
                else { throw DockerfileError("expected one of \(names)") }
                instructions.append(instruction)
            }
            guard !instructions.isEmpty else { throw DockerfileError("expected one of \(names)") }
            self.instructions = instructions
        } catch {
            throw ConfigChange.failure(text, error)
        }
    }

    /// Applies `changes` in their order.
    package static func apply(_ changes: [ConfigChange], to config: inout ImageConfig.Process) throws {
        var stage = StageConfig(image: config, arguments: .none, isBuild: false)
        for change in changes {
            for instruction in change.instructions {
                do throws(DockerfileError) {
                    if case .workdir(let word) = instruction.operation,
                        try word.expand(with: stage.variables).isEmpty
                    {
                        throw DockerfileError("a directory without a name")
                    }
                    try stage.apply(instruction)
                } catch {
                    throw failure(change.text, error)
                }
            }
        }
        config = stage.process
    }

    private static func failure(_ text: String, _ error: DockerfileError) -> Failure {
        Failure("change \"\(text)\": \(error.message)")
    }
}
