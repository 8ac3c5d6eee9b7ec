import Dockerfile
import Testing

@Suite(.timeLimit(.minutes(40))) struct `Here-document` {
    @Test func `of RUN is the script of the shell`() throws {
        let run = try instruction("RUN <<EOF\nls /\nwhoami\nEOF\n").run
        #expect(run?.command == .shell("<<EOF") && run?.documents.map(\.raw) == ["ls /\nwhoami\n"])
        let invocation = run?.invocation(shell: nil)
        #expect(invocation?.arguments == ["/bin/sh", "-c", "ls /\nwhoami\n"] && invocation?.script == nil)
    }

    @Test func `with a #! is executed itself`() throws {
        let invocation = try instruction("RUN <<-E\n\t#!/bin/x\n\ty\n\tE\n").run?.invocation(shell: [
            "s", "-c",
        ])
        #expect(invocation?.arguments == ["s", "-c", "/dev/pipes/E"])
        #expect(invocation?.script?.text == "#!/bin/x\ny\n")
    }

    @Test func `beside a command goes to the shell as it was written`() throws {
        let run = try instruction("RUN cat <<-E | x 3<<'F'\n\ta\n\tE\nb\nF\n").run
        #expect(run?.documents.map(\.descriptor) == [0, 3])
        #expect(
            run?.invocation(shell: nil).arguments
                == ["/bin/sh", "-c", "cat <<-E | x 3<<'F'\n\ta\nE\nb\nF"]
        )
    }

    @Test func `of COPY is a file, whose variables expand unless the name is quoted`() throws {
        let copy = try instruction("COPY <<a <<'b' c <<-\"d\" /x/\n$v \"q\" \\$v\na\n$v\nb\n\t\tt\n\td\n")
            .copy
        let documents = copy?.files.documents ?? []
        #expect(documents.map(\.name) == ["a", "b", "d"] && copy?.files.sources.map(\.text) == ["c"])
        let variables = Variables(environment: ["v=1"])
        #expect(
            try documents.map { try $0.expand(with: variables) } == ["1 \"q\" $v\n", "$v\n", "t\n"]
        )
    }

    @Test(arguments: [
        #"RUN ["<<EOF"]"#, "RUN echo '<<EOF'", #"RUN echo "a <<EOF""#, "RUN a <<<EOF", #"RUN a \<<EOF"#,
        "ENV a=<<EOF", "RUN a << ", "CMD <<EOF", "RUN echo $((1<<2))",
    ])
    func `is none in quotes, arrays and other instructions`(text: String) throws {
        let read = try instruction(text)
        #expect(read.run?.documents.isEmpty ?? true)
    }

    @Test(arguments: [
        ("<<E", "E", true), ("<<'E'", "E", false), ("<<\"E\"", "E", false), ("<<E'F'", "EF", false),
        ("<< E", "E", true), ("<<\\E", "E", true), ("<<-E", "E", true), ("<<$E", "$E", true),
    ])
    func `has a name with or without quotes`(opening: String, name: String, isExpanded: Bool) throws {
        let document = try instruction("RUN \(opening)\nx\n\(name)\n").run?.documents.first
        #expect(document?.name == name && document?.isExpanded == isExpanded)
    }

    @Test func `of COPY in a JSON array is a path`() throws {
        let copy = try instruction(#"COPY ["<<E", "/x"]"#).copy
        #expect(copy?.files.sources.map(\.text) == ["<<E"] && copy?.files.documents.isEmpty == true)
    }

    @Test func `ends at its name alone, also with CR LF`() throws {
        let run = try instruction("RUN <<E\r\na\r\n E\r\nE \r\nE\r\n").run
        #expect(run?.documents.first?.raw == "a\r\n E\r\nE \r\n")
    }
}
