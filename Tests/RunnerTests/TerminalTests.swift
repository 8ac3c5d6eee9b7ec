import ContainerFixtures
import Linux
import Runner
import SystemPackage
import Testing

@Suite(.timeLimit(.minutes(40)), .enabled(if: TestRoot.isPossible, "needs root and busybox-static"))
struct `A terminal` {
    let root: TestRoot
    init() throws { root = try TestRoot() }

    private func run(_ script: String, user: String = "") throws -> Outcome {
        let spec = root.spec(["/bin/sh", "-c", script]) {
            $0.process.terminal = true
            $0.process.user = user
        }
        let streams = ProcessStreams(terminal: .init(rows: 33, columns: 77))
        let proxy = try StdioProxy()
        let process = try root.start(spec, streams)
        let collected = Collected()
        let status = try proxy.run(process, streams) { collected.add($0, $1) }
        return Outcome(status: status.rawValue, output: collected.output, error: collected.error)
    }

    @Test func `is the container's own, and the controlling one`() throws {
        let outcome = try run("test -t 0 && test -t 1 && test -t 2 && tty && echo hi > /dev/tty && exit 3")
        #expect(outcome.output == "/dev/pts/0\r\nhi\r\n")
        #expect(outcome.status == 3)
    }

    @Test func `begins with the window size`() throws {
        try #expect(run("stty size").output == "33 77\r\n")
    }

    @Test func `belongs to the user`() throws {
        try #expect(
            run("stat -c '%u %a' /dev/pts/0; echo x > /dev/pts/0", user: "ann").output == "1000 620\r\nx\r\n"
        )
    }

    @Test func `is the console as well`() throws {
        try #expect(run("echo x > /dev/console").output == "x\r\n")
    }
}
