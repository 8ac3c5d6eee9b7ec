import Linux
import OCI
import Testing

@Suite struct `Config change` {
    @Test func `does what a Dockerfile's instruction does`() throws {
        var config = ImageConfig.Process()
        for change in [
            #"CMD ["a", "b c"]"#, "entrypoint run it", "ENV A=1 B=\"two words\"", "ENV A 2 3", "WORKDIR /x",
            "WORKDIR y", "USER me:us", "LABEL k=v 'k 2'=w", "EXPOSE 80 53/udp", #"VOLUME ["/v"]"#,
            "VOLUME /w",
            "STOPSIGNAL SIGINT",
        ] {
            try ConfigChange(change).apply(to: &config)
        }
        #expect(config.command == ["a", "b c"])
        #expect(config.entrypoint == ["/bin/sh", "-c", "run it"])
        #expect(config.environment == ["B=two words", "A=2 3"])
        #expect(config.workingDirectory == "/x/y")
        #expect(config.user == "me:us")
        #expect(config.labels == ["k": "v", "k 2": "w"])
        #expect(config.exposedPorts?.keys.sorted() == ["53/udp", "80/tcp"])
        #expect(config.volumes?.keys.sorted() == ["/v", "/w"])
        #expect(config.stopSignal == "SIGINT")
    }

    @Test(arguments: ["", "RUN ls", "ENV", "ENV A", "LABEL a=b =c", "ENV A=\"b"])
    func `that changes no config is refused`(text: String) {
        #expect(throws: Failure.self) {
            var config = ImageConfig.Process()
            try ConfigChange(text).apply(to: &config)
        }
    }
}
