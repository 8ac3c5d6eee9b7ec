import Dockerfile
import OCI
import Testing

@Suite(.timeLimit(.minutes(40))) struct `Config of a stage` {
    private static let path = "PATH=\(StageConfig.defaultPath)"

    /// The config behind the instructions of the last stage, and their lines for the history.
    private func apply(
        _ text: String,
        image: [String] = [],
        given: [String: String] = [:],
        head: String = ""
    ) throws -> (config: StageConfig, history: [String?]) {
        let file = try read("\(head)FROM a\n\(text)")
        var process = ImageConfig.Process()
        process.environment = image
        var config = StageConfig(image: process, arguments: try BuildArguments(given: given, of: file))
        let history = try file.stages[0].instructions.map { try config.apply($0) }
        return (config, history)
    }

    @Test func `has the variables of the image, of ARG and of ENV, the last one first`() throws {
        let (config, _) = try apply(
            "ARG a=1\nARG b=$a-$i\nENV a=2 c=$a\nENV d=$a$b\nARG a=3\nENV e=$a",
            image: ["i=0", "PATH=/bin"]
        )
        #expect(config.process.environment == ["i=0", "PATH=/bin", "a=2", "c=1", "d=21-0", "e=3"])
        #expect(config.variables["a"] == "3" && config.variables["b"] == "1-0")
        #expect(config.historyOfArguments == "|2 a=3 b=1-0 ")
    }

    @Test func `has arguments that are given, global or a default, in this order`() throws {
        let (config, history) = try apply(
            "ARG g\nARG h\nARG i=stage\nARG j=stage k\nARG none",
            given: ["g": "given", "j": "given", "unused": "x", "http_proxy": "p"],
            head: "ARG g=global\nARG h=$g!\nARG i=global\n"
        )
        #expect(history == ["ARG g=given", "ARG h=given!", "ARG i=stage", "ARG j=given k", "ARG none"])
        #expect(config.variables.environment == [Self.path, "g=given", "h=given!", "i=stage", "j=given"])
        #expect(config.arguments.proxyEnvironment == ["HTTP_PROXY=p", "http_proxy=p"])
        let file = try read("FROM a\nARG g\nARG j")
        #expect(config.arguments.unused(in: file) == ["unused"])
    }

    @Test func `sees platforms only if it declares them`() throws {
        let file = try read("FROM a AS s\nARG TARGETARCH TARGETVARIANT BUILDPLATFORM TARGETSTAGE TARGETOS=x")
        let arguments = try BuildArguments(
            host: Platform(architecture: "arm64", variant: "v8"),
            target: Platform(architecture: "arm", variant: "v7"),
            of: file
        )
        var config = StageConfig.scratch(arguments: arguments)
        #expect(config.variables["TARGETARCH"] == nil)
        for instruction in file.stages[0].instructions { try config.apply(instruction) }
        #expect(
            config.variables.environment.dropFirst() == [
                "TARGETARCH=arm", "TARGETVARIANT=v7", "BUILDPLATFORM=linux/arm64", "TARGETSTAGE=s",
                "TARGETOS=x",
            ]
        )
        #expect(config.process.environment == [Self.path])
        #expect(throws: DockerfileError.self) {
            try BuildArguments(given: ["BUILDKIT_SYNTAX": "me/mine"], of: file)
        }
    }

    @Test func `is inherited by a stage that begins with it, ENV before ARG, without ONBUILD`() throws {
        let (config, _) = try apply("ENV a=env\nARG a=arg b=1\nCMD x\nONBUILD RUN y")
        #expect(config.process.onBuild == ["RUN y"])
        var next = config.next()
        #expect(next.variables["a"] == "env" && next.variables["b"] == "1" && next.process.onBuild == nil)
        #expect(next.process.command == ["/bin/sh", "-c", "x"])
        try next.apply(instruction("ENTRYPOINT [\"e\"]"))
        #expect(next.process.command == nil && next.process.entrypoint == ["e"])
    }

    @Test func `and its history say what BuildKit's say`() throws {
        let (config, history) = try apply(
            """
            ENV a="1 2" b=$i
            LABEL "l m"=$i n=o
            CMD ["a", "b \\"c\\""]
            ENTRYPOINT x $i
            SHELL ["/bin/bash", "-c"]
            CMD y
            USER $i:g
            WORKDIR /w/$i/
            WORKDIR ../v
            WORKDIR $none
            VOLUME /a /$i
            EXPOSE 80 $p
            HEALTHCHECK --interval=90s --timeout=1500ms --start-period=100ms --retries=5 CMD ["t", "u"]
            HEALTHCHECK NONE
            STOPSIGNAL SIG$s
            MAINTAINER me
            ONBUILD RUN $i
            RUN z
            COPY a b
            """,
            image: ["i=0", "p=90-91/udp 53", "s=INT"]
        )
        #expect(
            history == [
                "ENV a=1 2 b=0", "LABEL l m=0 n=o", #"CMD ["a" "b \"c\""]"#,
                #"ENTRYPOINT ["/bin/sh" "-c" "x $i"]"#, "SHELL [/bin/bash -c]",
                #"CMD ["/bin/bash" "-c" "y"]"#,
                "USER 0:g", "WORKDIR /w/0/", "WORKDIR /w/v", "WORKDIR /w/v", "VOLUME [/a /0]",
                "EXPOSE [90/udp 91/udp 53/tcp 80/tcp]",
                "HEALTHCHECK {Test:[CMD t u] Interval:1m30s Timeout:1.5s StartPeriod:100ms StartInterval:0s Retries:5}",
                "HEALTHCHECK {Test:[NONE] Interval:0s Timeout:0s StartPeriod:0s StartInterval:0s Retries:0}",
                "STOPSIGNAL SIGINT", "MAINTAINER me", nil, nil, nil,
            ]
        )
        let process = config.process
        #expect(process.labels == ["l m": "0", "n": "o"] && process.command == ["/bin/bash", "-c", "y"])
        #expect(process.user == "0:g" && process.workingDirectory == "/w/v" && process.stopSignal == "SIGINT")
        #expect(process.exposedPorts?.keys.sorted() == ["53/tcp", "80/tcp", "90/udp", "91/udp"])
        #expect(process.volumes?.keys.sorted() == ["/0", "/a"] && process.healthcheck?.test == ["NONE"])
        #expect(
            process.onBuild == ["RUN $i"] && config.author == "me" && process.shell == ["/bin/bash", "-c"]
        )
    }

    @Test(arguments: [
        ("EXPOSE 99999", "is not a port"), ("EXPOSE 1/x", "is not a port"), ("EXPOSE 2-1", "is not a port"),
        ("EXPOSE x:1:1", "is not a port"), ("EXPOSE 1-2:1-3", "is not a port"),
        ("STOPSIGNAL x", "no such signal"),
        ("VOLUME $none", "can not be an empty string"), ("USER ${x", "missing '}'"),
        ("ENV $none=1", "can not be blank"),
        ("ARG a=${b:?c}", "b: c"), ("EXPOSE 1-65535 1-65535 1-65535 1-65535", "too many ports"),
    ])
    func `is refused at the line of the instruction`(text: String, message: String) {
        let error = #expect(throws: DockerfileError.self) { try apply("RUN x\n\(text)") }
        #expect(error?.description.hasPrefix("Dockerfile:3: ") == true)
        #expect(error?.message.contains(message) == true)
    }

    @Test func `does not grow without limit when variables double`() throws {
        let lines = Array(repeating: "ENV a=$a$a$a$a b=$a$b", count: 40).joined(separator: "\n")
        let error = #expect(throws: DockerfileError.self) { try apply("ENV a=xxxxxxxx b=\n\(lines)") }
        #expect(error?.message.contains("bytes") == true)
        let labels = (0..<100).map { "LABEL l\($0)=$a$a" }.joined(separator: "\n")
        let value = String(repeating: "x", count: 60_000)
        #expect(throws: DockerfileError.self) { try apply("ENV a=\(value)\n\(labels)") }
    }

    @Test(arguments: [
        ("644", 0o755, false, 0o644), ("0", 0o755, false, 0), ("07777", 0, false, 0o7777),
        ("u=rwX,go=rX", 0o600, false, 0o644), ("u=rwX,go=rX", 0o700, false, 0o755),
        ("u=rwX,go=rX", 0o600, true, 0o755), ("+x", 0o644, false, 0o755), ("a-w", 0o666, false, 0o444),
        ("g=u,o=", 0o754, false, 0o770), ("u+s,g+s,+t", 0o755, true, 0o7755), ("go-rwx", 0o777, false, 0o700),
        ("u=r+w-r", 0o700, false, 0o200), ("o=g", 0o750, false, 0o755),
    ])
    func `has modes as chmod(1) has them`(text: String, old: UInt32, isDirectory: Bool, new: UInt32) throws {
        #expect(try FileMode(text).apply(to: old, isDirectory: isDirectory) == new)
    }

    @Test(arguments: ["", "8", "10000", "u", "u=q", "u+r,", "+0644", "-1", "0x1"])
    func `has no other modes`(text: String) {
        #expect(throws: DockerfileError.self) { try FileMode(text) }
    }
}
