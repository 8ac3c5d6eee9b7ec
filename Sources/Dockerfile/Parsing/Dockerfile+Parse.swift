extension Dockerfile {
    /// In bytes; a larger one is refused.
    package static let sizeLimit = 4 << 20

    /// Reads a Dockerfile. `name` is its name in errors, all of which have it; most have lines as well.
    package static func parse(_ bytes: [UInt8], name: String) throws(DockerfileError) -> Dockerfile {
        do throws(DockerfileError) {
            var parser = try DockerfileParser(bytes, name: name)
            return try parser.dockerfile()
        } catch {
            throw DockerfileError(error.message, file: name, lines: error.lines)
        }
    }

    /// Reads an `ONBUILD` of a base image, which becomes an instruction of the stage that begins at `source`, before
    /// the stage's own.
    package static func parse(
        trigger: String,
        of source: Source
    ) throws(DockerfileError) -> Instruction {
        do throws(DockerfileError) {
            var parser = try DockerfileParser(Array(trigger.utf8), name: source.file)
            let (first, second) = (try parser.next(), try parser.next())
            guard let first, second == nil else {
                throw DockerfileError("onbuild trigger should be a single expression")
            }
            guard case .instruction(let instruction) = first else {
                throw DockerfileError("FROM isn't allowed as an ONBUILD trigger")
            }
            return Instruction(
                source: Source(file: source.file, lines: source.lines, text: instruction.source.text),
                operation: instruction.operation
            )
        } catch {
            throw DockerfileError("ONBUILD \(trigger.prefix(200)): \(error.message)").at(source)
        }
    }
}
