import ContainerFixtures
import Containers
import Linux
import Runner
import SystemPackage
import Testing

@Suite(.timeLimit(.minutes(40)), .enabled(if: TestRoot.isPossible, "needs root and busybox-static"))
struct `What a container runs` {
    private func arguments(_ config: String, _ command: [String], entrypoint: String? = nil) throws
        -> [String]
    {
        let box = try TestStore(config: config)
        return try box.containers.create(box.request(command) { $0.entrypoint = entrypoint }).spec.process
            .arguments
    }

    @Test func `is entrypoint and command, as docker combines them`() throws {
        let both = #"{"Entrypoint":["/e","1"],"Cmd":["c","2"]}"#
        try #expect(arguments(both, []) == ["/e", "1", "c", "2"])
        try #expect(arguments(both, ["x"]) == ["/e", "1", "x"])
        try #expect(arguments(both, [], entrypoint: "/n") == ["/n"])
        try #expect(arguments(both, ["x"], entrypoint: "/n") == ["/n", "x"])
        try #expect(arguments(both, ["x"], entrypoint: "") == ["x"])
        try #expect(arguments(#"{"Cmd":["c"]}"#, []) == ["c"])
        try #expect(arguments(#"{"Entrypoint":[""],"Cmd":["c"]}"#, []) == ["c"])
        try #expect(arguments(#"{"Entrypoint":[""],"Cmd":["c"]}"#, ["x"]) == ["x"])
        for config in [#"{"Entrypoint":["","x"]}"#, #"{"Cmd":[""]}"#] {
            let failure = #expect(throws: Failure.self) { try arguments(config, []) }
            #expect(failure?.exitCode == 127)
        }
        #expect(throws: Failure.self) { try arguments("{}", []) }
        #expect(throws: Failure.self) { try arguments("null", []) }
        #expect(throws: Failure.self) { try arguments(both, [], entrypoint: "") }
    }

    @Test func `has one volume at one place`() throws {
        let box = try TestStore()
        let volumes = ["/v", "/v/./"].map { Volume(source: box.root.outside.string, destination: $0) }
        let failure = try #require(throws: Failure.self) {
            try box.containers.create(box.request(["x"]) { $0.volumes = volumes })
        }
        #expect(failure.exitCode == 125)
        #expect(failure.message.contains("/v"))
    }

    @Test func `gets the image's environment, then the user's`() throws {
        let box = try TestStore(config: #"{"Env":["A=image","B=image","PATH=/bin"]}"#)
        let process = try box.containers.create(
            box.request(["x"]) {
                $0.environment = ["B=user", "C=user"]
                $0.hostname = "h"
                $0.terminal = true
            }
        ).spec.process
        #expect(
            process.environment == ["PATH=/bin", "HOSTNAME=h", "TERM=xterm", "A=image", "B=user", "C=user"]
        )
    }

    @Test func `gets the user's own home for an empty one`() throws {
        let box = try TestStore(config: #"{"Env":["HOME=","A=1"]}"#)
        let image = try box.containers.create(box.request(["x"])).spec.process
        #expect(image.environment.allSatisfy { !$0.hasPrefix("HOME=") })
        #expect(image.environment.contains("A=1"))
        let user = try box.containers.create(box.request(["x"]) { $0.environment = ["HOME=/here", "HOME="] })
        #expect(user.spec.process.environment.allSatisfy { !$0.hasPrefix("HOME=") })
        let (_, _, output) = try box.run(["sh", "-c", "echo $HOME"]) {
            $0.environment = ["HOME="]
            $0.user = "ann"
        }
        #expect(output == "/home/ann\n")
    }

    @Test func `is where and who the image says, or the user`() throws {
        let box = try TestStore(config: #"{"WorkingDir":"/srv","User":"ann","StopSignal":"SIGINT"}"#)
        let image = try box.containers.create(box.request(["x"])).spec
        #expect(image.process.directory == "/srv")
        #expect(image.process.user == "ann")
        #expect(image.stopSignal == "SIGINT")
        let user = try box.containers.create(
            box.request(["x"]) {
                $0.directory = "/tmp"
                $0.user = "0:0"
            }
        ).spec.process
        #expect(user.directory == "/tmp")
        #expect(user.user == "0:0")
        #expect(throws: Failure.self) {
            try box.containers.create(box.request(["x"]) { $0.directory = "tmp" })
        }
    }
}
