import Dockerfile
import Testing

@Suite(.timeLimit(.minutes(40))) struct `Lines of a Dockerfile` {
    private func command(_ text: String) throws -> CommandLine? { try instruction(text).run?.command }

    @Test(arguments: [
        ("RUN a \\\n  b", "a   b"), ("RUN a \\ \t\n b", "a  b"), ("RUN a \\\n# c\n b", "a  b"),
        ("RUN a \\\n\n  # c\n b", "a  b"), ("RUN a\\\nb", "ab"), ("RUN a \\\r\n b\r\n", "a  b"),
        ("RUN a \\", "a"), ("  run a", "a"), ("RUN\ta", "a"), ("RUN a \\\\", "a \\\\"),
        ("RUN \\\n a", "a"), ("\\\nRUN a", "a"), ("RUN a # b", "a # b"), ("RUN a \\\n#\n", "a"),
    ])
    func `are continued behind an escape, across comments and empty lines`(
        text: String,
        command: String
    ) throws {
        #expect(try self.command(text) == .shell(command))
    }

    @Test func `have another escape if a directive says so`() throws {
        let head = "# escape=`\n"
        #expect(try instruction("RUN a `\n b \\\n", head: head).run?.command == .shell("a  b \\"))
        #expect(try instruction("COPY a` b c", head: head).copy?.files.sources.map(\.text) == ["a`", "b"])
        guard case .env(let pairs) = try instruction("ENV a=b` c\\ d=e", head: head).operation else {
            Issue.record("no ENV")
            return
        }
        #expect(pairs.map(\.name.text) == ["a", "d"])
    }

    @Test func `that are directives stand at the top, once each`() throws {
        let file = try read("#syntax = docker/dockerfile:1.7-labs \n# ESCAPE=`\n#check=skip=all\nFROM a")
        #expect(file.directives.syntax == "docker/dockerfile:1.7-labs")
        #expect(file.directives.escape == .backtick && file.directives.check == "skip=all")
        #expect(try read("# a comment\n# escape=`\nFROM a").directives.escape == .backslash)
        #expect(try read("\n# escape=`\nFROM a").directives.escape == .backslash)
        #expect(try read("# unknown=x\n# escape=`\nFROM a").directives.escape == .backslash)
        #expect(
            refusal("# escape=\\\n# escape=\\\nFROM a")
                == "Dockerfile:2: only one escape parser directive can be used"
        )
        #expect(
            refusal("# escape=x\nFROM a")
                == "Dockerfile:1: invalid escape token 'x' does not match ` or \\"
        )
    }

    @Test(arguments: [
        "docker/dockerfile", "docker/dockerfile:1", "docker.io/docker/dockerfile:1.4",
        "docker/dockerfile:1-labs",
        "docker/dockerfile:1@sha256:0", "docker/dockerfile:latest", "docker/dockerfile-upstream:master",
        "docker/dockerfile:1 arg", "mirror.example/docker/dockerfile:1.7-labs",
        "localhost:5000/hub/docker/dockerfile", "mirror.example/docker/dockerfile-upstream:master@sha256:0",
    ])
    func `ask for a syntax that is known`(syntax: String) throws {
        #expect(try read("# syntax=\(syntax)\nFROM a").directives.syntax == syntax)
    }

    @Test(arguments: [
        ("# syntax=docker/dockerfile:2\nFROM a", 1), ("#syntax=me/mine\nFROM a", 1),
        ("#!/usr/bin/env x\n# syntax=me/mine\nFROM a", 2), ("// syntax=me/mine\nFROM a", 1),
        ("# escape=`\n# syntax=docker/dockerfile-x:1\nFROM a", 2),
        ("# syntax=mirror.example/docker/dockerfile:2\nFROM a", 1),
        ("# syntax=me/docker/dockerfile:1\nFROM a", 1),
        ("# syntax=mirror.example/mydocker/dockerfile\nFROM a", 1),
    ])
    func `ask for another frontend, which is refused by name`(text: String, line: Int) {
        #expect(refusal(text)?.hasPrefix("Dockerfile:\(line): the syntax ") == true)
        #expect(refusal(text)?.contains("executes no other frontends") == true)
    }

    @Test func `may begin with a byte order mark`() throws {
        #expect(try read("\u{feff}# escape=`\nFROM a").directives.escape == .backtick)
        #expect(try read("\u{feff}FROM a").stages.count == 1)
    }

    @Test func `that are no text are refused, but not in comments`() throws {
        func parse(_ bytes: [UInt8]) -> String? {
            do {
                _ = try Dockerfile.parse(bytes, name: "D")
                return nil
            } catch {
                return error.description
            }
        }
        let head = Array("FROM a\n".utf8)
        #expect(parse(head + Array("# ".utf8) + [0xe4, 0xff]) == nil)
        #expect(parse(head + Array("RUN ".utf8) + [0xe4]) == "D:2: the instruction is not UTF-8")
        #expect(parse(head + Array("RUN a\0b".utf8)) == "D:2: the instruction has a NUL in it")
        #expect(
            parse(head + Array("RUN a <<E\n".utf8) + [0xff] + Array("\nE\n".utf8))
                == "D:2: the here-document is not UTF-8"
        )
    }

    @Test func `and files have limits`() throws {
        let long = String(repeating: "x", count: 65_535)
        #expect(
            refusal("FROM a\nRUN \(long)")
                == "Dockerfile:2: dockerfile line greater than max allowed size of 65535"
        )
        #expect(
            refusal("FROM a\n" + String(repeating: "# \(long.prefix(1000))\n", count: 4500))?
                .contains("more than 4194304 bytes") == true
        )
    }

    @Test func `are known to errors and history`() throws {
        let file = try read("\n# x\nFROM a\nRUN b \\\n # c\n  d\n\nRUN <<E\n1\n2\nE\nCMD e\n")
        let sources = file.stages[0].instructions.map(\.source)
        #expect(sources.map(\.lines) == [4...6, 8...11, 12...12])
        #expect(sources.map(\.text) == ["RUN b   d", "RUN <<E", "CMD e"])
    }
}
