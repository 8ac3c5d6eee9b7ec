import ContainerFixtures
import Foundation
import Linux
import Runner
import SystemPackage
import Testing

@Suite(.timeLimit(.minutes(40)), .enabled(if: TestRoot.isPossible, "needs root and busybox-static"))
struct `Exit status` {
    let root: TestRoot
    init() throws { root = try TestRoot() }

    private func failure(_ arguments: [String], _ change: (inout ContainerSpec) -> Void = { _ in }) throws
        -> Failure?
    {
        #expect(throws: Failure.self) { try root.run(arguments, change) }
    }

    @Test func `is 127 for a program that is not there`() throws {
        try #expect(failure(["nothing"])?.exitCode == 127)
        try #expect(failure(["/bin/nothing"])?.exitCode == 127)
        try #expect(failure([""])?.exitCode == 127)
        try #expect(failure(["nothing"])?.message == "nothing: not found in the container's PATH")
    }

    @Test func `is 127 for a script whose interpreter is missing, and says so`() throws {
        try root.write("bin/script", Data("#!/no/such\n".utf8), mode: 0o755)
        let failure = try failure(["script"])
        #expect(failure?.exitCode == 127)
        #expect(failure?.message.contains("interpreter") == true)
    }

    @Test func `is 126 for what can't be executed`() throws {
        try #expect(failure(["/etc/passwd"])?.exitCode == 126)
        try #expect(failure(["/etc"])?.exitCode == 126)
        try root.write("bin/noise", Data("noise".utf8), mode: 0o755)
        try #expect(failure(["noise"])?.exitCode == 126)
    }

    @Test func `is 125 when mica could not set up the container`() throws {
        try #expect(
            failure(["true"]) { $0.volumes = [Volume(source: "/no/such", destination: "/x")] }?.exitCode
                == 125
        )
        try #expect(failure(["true"]) { $0.hostname = String(repeating: "h", count: 100) }?.exitCode == 125)
    }

    @Test(arguments: [9, 15, 11, 6]) func `is 128 and the signal for a program that was killed`(_ signal: Int)
        throws
    {
        let streams = try ProcessStreams()
        let spec = root.spec(["/bin/sh", "-c", "trap 'exit 7' USR1; while :; do sleep 0.05; done"])
        let process = try root.start(spec, streams)
        // Process 1 of a pid namespace only gets the signals it handles, and KILL.
        try process.send(Signal(rawValue: 9))
        try #expect(process.wait().rawValue == 137)
        let inner = try root.shell("sh -c 'kill -\(signal) $$'; exit $?")
        #expect(inner.status == 128 + Int32(signal))
    }
}
