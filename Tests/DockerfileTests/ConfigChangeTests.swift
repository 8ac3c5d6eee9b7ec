import Dockerfile
import Linux
import OCI
import Testing

@Suite(.timeLimit(.minutes(40))) struct `Config change` {
    private func config(
        _ changes: [String],
        of config: ImageConfig.Process = ImageConfig.Process()
    ) throws -> ImageConfig.Process {
        var config = config
        try ConfigChange.apply(changes.map { try ConfigChange($0) }, to: &config)
        return config
    }

    @Test func `does what a Dockerfile's instruction does`() throws {
        let config = try config([
            #"CMD ["a", "b c"]"#, "entrypoint run it", "ENV A=1 B=\"two words\"", "ENV A 2 3", "WORKDIR /x",
            "WORKDIR y", "USER me:us", "LABEL k=v 'k 2'=w", "EXPOSE 80 53/udp", #"VOLUME ["/v"]"#,
            "VOLUME /w",
            "STOPSIGNAL SIGINT",
        ])
        #expect(config.command == ["a", "b c"])
        #expect(config.entrypoint == ["/bin/sh", "-c", "run it"])
        #expect(config.environment == ["A=2 3", "B=two words"])
        #expect(config.workingDirectory == "/x/y")
        #expect(config.user == "me:us")
        #expect(config.labels == ["k": "v", "k 2": "w"])
        #expect(config.exposedPorts?.keys.sorted() == ["53/udp", "80/tcp"])
        #expect(config.volumes?.keys.sorted() == ["/v", "/w"])
        #expect(config.stopSignal == "SIGINT")
    }

    @Test(arguments: [
        (#"$A-${A}x"#, "1-1x"), (#"a$"#, "a$"), (#"$NO.${NO}"#, "."), (#"\$A"#, "$A"), (#"'$A'"#, "$A"),
        (#""$A b""#, "1 b"), (#""\$A \"q\" \\ \n""#, #"$A "q" \ \n"#), (#"a\ b"#, "a b"), (#"${NO:-d}"#, "d"),
        (#"${E:-d}${E-d}"#, "d"), (#"${A:+y}${NO:+y}${E:+y}${E+z}"#, "yz"), (#"${NO:-${A}-"x y"}"#, "1-x y"),
        (#"${A:?no}"#, "1"), (#"$1$A"#, "1"), (#"$A_B"#, "two"), (#"pre'in 'post"#, "prein post"),
        (#"${NO:-'}'}"#, "}"),
    ])
    func `expands variables and quotes`(text: String, value: String) throws {
        var base = ImageConfig.Process()
        base.environment = ["A=1", "E=", "A_B=two"]
        #expect(try config(["USER \(text)"], of: base).user == value)
        #expect(try config(["ENV N \(text)"], of: base).environment?.last == "N=\(value)")
        if !text.contains(" ") || text.contains(where: { $0 == "\"" || $0 == "'" || $0 == "\\" }) {
            #expect(try config(["LABEL l=\(text)"], of: base).labels == ["l": value])
        }
    }

    @Test func `leaves variables to the shell where a shell gets them`() throws {
        let config = try config([
            "ENV A=1", "CMD echo $A", "ENTRYPOINT [\"$A\"]", "HEALTHCHECK CMD test $A", "ONBUILD USER $A",
        ])
        #expect(config.command == ["/bin/sh", "-c", "echo $A"])
        #expect(config.entrypoint == ["$A"])
        #expect(config.healthcheck?.test == ["CMD-SHELL", "test $A"])
        #expect(config.onBuild == ["USER $A"])
    }

    @Test func `sees the variables that an earlier one has set, and not its own`() throws {
        let config = try config(["ENV A=1 B=$A", "ENV A=2$A C=$A", "WORKDIR /$A", "EXPOSE $A \"$A\""])
        #expect(config.environment == ["A=21", "B=", "C=1"])
        #expect(config.workingDirectory == "/21")
        #expect(config.exposedPorts?.keys.sorted() == ["21/tcp"])
    }

    @Test func `exposes ranges of ports of any letter case`() throws {
        let config = try config(["ENV P=\"1 2/Udp\"", "EXPOSE 8000-8002 53/UDP 9-9/sctp $P 127.0.0.1:80:90"])
        #expect(
            config.exposedPorts?.keys.sorted() == [
                "1/tcp", "2/udp", "53/udp", "8000/tcp", "8001/tcp", "8002/tcp", "9/sctp", "90/tcp",
            ]
        )
    }

    @Test(arguments: [
        (["WORKDIR a"], "/a"), (["WORKDIR /a", "WORKDIR b/../c"], "/a/c"), (["WORKDIR \"/a b\""], "/a b"),
        (["WORKDIR /a", "WORKDIR '$x'"], "/a/$x"), (["WORKDIR /a", "WORKDIR ../../../b"], "/b"),
        (["WORKDIR a b"], "/a b"), (["WORKDIR /a//b/"], "/a//b/"),
    ])
    func `goes to a directory as WORKDIR does`(changes: [String], directory: String) throws {
        #expect(try config(changes).workingDirectory == directory)
    }

    @Test func `sets and takes back a health check`() throws {
        let check = try config([
            #"HEALTHCHECK --interval=1m30s --timeout=1.5s --start-period=500ms --start-interval=5s --retries=4 CMD ["a"]"#
        ]).healthcheck
        #expect(check?.test == ["CMD", "a"] && check?.retries == 4)
        #expect(check?.interval == 90_000_000_000 && check?.timeout == 1_500_000_000)
        #expect(check?.startPeriod == 500_000_000 && check?.startInterval == 5_000_000_000)
        #expect(try config(["HEALTHCHECK CMD a", "healthcheck none"]).healthcheck?.test == ["NONE"])
    }

    @Test func `drops the image's command with its entrypoint, but not one of its own`() throws {
        var base = ImageConfig.Process()
        (base.entrypoint, base.command) = (["/e"], ["c"])
        #expect(try config(["ENTRYPOINT [\"x\"]"], of: base).command == nil)
        #expect(try config(["CMD d", "ENTRYPOINT x"], of: base).command == ["/bin/sh", "-c", "d"])
        let reset = try config(["ENTRYPOINT []"], of: base)
        #expect(reset.entrypoint == nil && reset.command == nil)
        #expect(try config(["CMD []"], of: base).command == [])
    }

    @Test func `uses the image's own shell`() throws {
        var base = ImageConfig.Process()
        base.shell = ["/bin/ash", "-ec"]
        #expect(try config(["CMD a b"], of: base).command == ["/bin/ash", "-ec", "a b"])
    }

    @Test func `may be several lines of a Dockerfile`() throws {
        let config = try config(["# what it is\nENV A=1 \\\n  B=2\n\n  LABEL x=$A"])
        #expect(config.environment == ["A=1", "B=2"])
        #expect(config.labels == ["x": "1"])
    }

    @Test(arguments: [
        "", "RUN ls", "ENV", "ENV A", "LABEL a=b =c", "ENV A=\"b", "ENV A='b", "ENV A=1 B", "USER ${A",
        "USER ${A",
        "USER ${}", "USER ${A:=b}", "USER ${A:#b}", "USER ${A:?it is wanted}", "EXPOSE x", "EXPOSE 80/icmp",
        "EXPOSE 9-8",
        "EXPOSE 65536", "EXPOSE 1-2-3", "EXPOSE 80/tcp/udp", "STOPSIGNAL SIGFOO", "STOPSIGNAL RTMAX-31",
        "HEALTHCHECK",
        "HEALTHCHECK x", "HEALTHCHECK CMD", "HEALTHCHECK NONE x", "HEALTHCHECK --interval=x CMD y",
        "HEALTHCHECK --interval=1us CMD y", "HEALTHCHECK --retries=-1 CMD y", "HEALTHCHECK --nope=1 CMD y",
        "ONBUILD FROM x", "ONBUILD ONBUILD RUN x", "ONBUILD MAINTAINER x", "VOLUME [1]", "CMD [\"a\", 1]",
        "VOLUME \"\"",
        "WORKDIR \"\"", "MAINTAINER me", "COPY a b", "# only a comment",
    ])
    func `that changes no config is refused`(text: String) {
        #expect(throws: Failure.self) { try config([text]) }
    }
}
