import Dockerfile
import OCI
import Testing

@Suite(.timeLimit(.minutes(40))) struct `Dockerfile of a stranger` {
    private static let seeds = [
        """
        # syntax=docker/dockerfile:1
        # escape=\\
        ARG V=1 B=${V:-2}
        FROM --platform=$BUILDPLATFORM base:${V#*x} AS build
        ENV a="$b \\"c\\"" d=${a//x/y} e f
        RUN --mount=type=cache,target=/c,id=$a --network=none echo <<E >x \\
          # comment

          && y
        line $a
        E
        COPY --from=0 --chown=1:2 --chmod=u+x --exclude=**/*.o [a-c]* <<-'F' /d/
        \tfile
        \tF
        FROM build
        ADD --checksum=sha256:x ["a b", "${c}"]
        CMD ["a", "\\u00e4", 1]
        HEALTHCHECK --interval=1m30.5s --retries=3 CMD ["x"]
        ONBUILD COPY --from=build a b
        EXPOSE 80 90-91/udp
        VOLUME ["/v"]
        LABEL k 'v w'
        """,
        "# escape=`\nFROM a`\nb\nRUN <<A <<B\n`\nA\nB\nSHELL [\"a\"]\nUSER ${x:+`}}\nWORKDIR ${p%/*}/é\u{301}\n",
        "**/a\n!b/*/[^x]?\n# c\n/d/\n\\e\n",
    ]

    /// Deterministic: a failure happens again.
    private struct Random: RandomNumberGenerator {
        var state: UInt64

        mutating func next() -> UInt64 {
            state &+= 0x9e37_79b9_7f4a_7c15
            var value = (state ^ state >> 30) &* 0xbf58_476d_1ce4_e5b9
            value = (value ^ value >> 27) &* 0x94d0_49bb_1331_11eb
            return value ^ value >> 31
        }
    }

    private func mutate(_ bytes: [UInt8], _ random: inout Random) -> [UInt8] {
        var bytes = bytes
        let marks = Array("\\`'\"$${}[]<>-#%/:*?!=,@ \t\r\n\0\u{301}ä".utf8)
        for _ in 0..<Int.random(in: 1...8, using: &random) {
            let place = Int.random(in: 0...bytes.count, using: &random)
            let end = Int.random(in: place...min(bytes.count, place + 12), using: &random)
            switch Int.random(in: 0..<5, using: &random) {
            case 0: bytes.insert(marks.randomElement(using: &random) ?? 0, at: place)
            case 1: bytes.removeSubrange(place..<end)
            case 2: bytes.insert(contentsOf: bytes[place..<end], at: place)
            case 3: bytes.insert(UInt8.random(in: 0...255, using: &random), at: place)
            default:
                let other = Int.random(in: 0...bytes.count, using: &random)
                bytes.insert(contentsOf: bytes[place..<end], at: other)
            }
        }
        return bytes
    }

    /// All that a build does with the text.
    private func use(_ bytes: [UInt8]) throws {
        let file = try Dockerfile.parse(bytes, name: "D")
        let arguments = try BuildArguments(given: ["V": "a/b:1"], of: file)
        var graph = try StageGraph(file, arguments)
        _ = try graph.needed(for: graph.target(nil))
        for stage in file.stages {
            var config = StageConfig.scratch(arguments: arguments)
            for instruction in stage.instructions {
                _ = try config.apply(instruction)
                switch instruction.operation {
                case .run(let run):
                    _ = run.invocation(shell: config.process.shell)
                    for mount in run.mounts { _ = try mount.mount(with: config.variables) }
                case .copy(let copy):
                    _ = try PathPatterns(copy.files.excludes).exclude(Array("a/b.o".utf8))
                    for source in copy.files.sources {
                        let path = try source.expand(with: config.variables)
                        _ = Wildcards(path)?.match(Array("a/b".utf8))
                    }
                    for document in copy.files.documents { _ = try document.expand(with: config.variables) }
                    _ = try copy.files.chmod.map { try FileMode($0.expand(with: config.variables)) }
                case .onbuild(let text): try graph.add(triggers: [text], to: stage.number)
                default: break
                }
            }
        }
    }

    @Test(arguments: 0..<8) func `is read or refused, whatever bytes it has`(seed: UInt64) {
        var random = Random(state: seed)
        var read = 0
        for _ in 0..<400 {
            let text = Self.seeds[Int.random(in: 0..<2, using: &random)]
            let bytes = mutate(Array(text.utf8), &random)
            do {
                try use(bytes)
                read += 1
            } catch {
                // Every refusal is one of ours, and says in which file.
                #expect((error as? DockerfileError)?.description.isEmpty == false)
            }
        }
        // Mutations that are all refused at once would try nothing.
        #expect(read > 0)
    }

    @Test(arguments: 0..<4) func `has patterns that are read or refused`(seed: UInt64) {
        var random = Random(state: seed)
        for _ in 0..<400 {
            let bytes = mutate(Array(Self.seeds[2].utf8), &random)
            guard let patterns = try? IgnoreFile.patterns(bytes, name: "i") else { continue }
            let path = mutate(Array("a/b/c.o".utf8), &random)
            let standing = patterns.judge(path, in: nil)
            _ = patterns.canSkip(path, patterns.judge(path, in: standing))
            _ = patterns.exclude(path)
        }
    }

    @Test func `is read in time that grows with its length`() throws {
        let count = 9_000
        let nested = String(repeating: "ONBUILD ", count: 8000)
        #expect(throws: DockerfileError.self) { try read("FROM a\n\(nested)RUN x") }
        let brackets = String(repeating: "[", count: 60_000)
        #expect(try instruction("RUN \(brackets)").run?.command == .shell(brackets))
        let labels = (0..<count).map { "LABEL a\($0)=b" }.joined(separator: "\n")
        #expect(try read("FROM a\n\(labels)").stages[0].instructions.count == count)
        #expect(refusal("FROM a\n\(labels)\n\(labels)")?.contains("more than 10000 instructions") == true)
        let stages = (0..<2000).map { "FROM s\(max(0, $0 - 1)) AS s\($0)" }.joined(separator: "\n")
        let file = try Dockerfile.parse(Array(stages.utf8), name: "D")
        let graph = try StageGraph(file, BuildArguments(of: file))
        #expect(try graph.needed(for: 1999).count == 2000)
        let long = "ENV " + String(repeating: "a=b ", count: 15_000)
        #expect(try read("FROM a\n\(long)").stages.count == 1)
        let many = "ENV " + (0..<50_000).map { "a\($0)=b \\\n" }.joined() + "z=y"
        var config = StageConfig.scratch(arguments: .none)
        try config.apply(instruction(many))
        try config.apply(instruction("ENV a7=c"))
        #expect(config.process.environment?.count == 50_002)
        #expect(config.process.environment?[8] == "a7=c")
        let continued = String(repeating: "a \\\n", count: 100_000)
        #expect(try read("FROM a\nRUN \(continued)").stages[0].instructions.count == 1)
    }
}
