import ContainerFixtures
import Linux
import Runner
import SystemPackage
import Testing

@Suite(.timeLimit(.minutes(40)), .enabled(if: TestRoot.isPossible, "needs root and busybox-static"))
struct `A program that joins a container` {
    let root: TestRoot
    init() throws { root = try TestRoot() }

    private func withContainer(_ body: (ContainerProcess) throws -> Void) throws {
        let spec = root.spec(["/bin/sleep", "1000"])
        let leader = try root.start(spec, try ProcessStreams())
        defer {
            try? leader.send(.kill)
            _ = try? leader.wait()
        }
        try body(leader)
    }

    private func join(_ leader: ContainerProcess, _ process: ProcessSpec) throws -> Outcome {
        let streams =
            try process.terminal
            ? ProcessStreams(terminal: .init(rows: 5, columns: 6)) : ProcessStreams(interactive: false)
        let proxy = try StdioProxy()
        let joined = try Sandbox.join(
            leader.pidfd,
            pid: leader.pid,
            process,
            of: root.spec([]),
            streams: streams,
            group: nil,
            filter: TestRoot.filter,
            diesWithCaller: false
        )
        let collected = Collected()
        let status = try proxy.run(joined, streams) { collected.add($0, $1) }
        return Outcome(status: status.rawValue, output: collected.output, error: collected.error)
    }

    @Test func `is in all its namespaces, with its root, its filter, and no more capabilities`() throws {
        try withContainer { leader in
            let script = """
                for n in mnt pid uts ipc net cgroup; do test $(readlink /proc/1/ns/$n) = $(readlink /proc/self/ns/$n) || echo $n; done
                hostname; test -e /etc/debian_version || echo inside
                grep -e CapEff -e Seccomp: /proc/self/status; exit 9
                """
            let outcome = try join(leader, ProcessSpec(arguments: ["/bin/sh", "-c", script]))
            #expect(outcome.output == "box\ninside\nCapEff:\t00000000a80425fb\nSeccomp:\t2\n")
            #expect(outcome.status == 9)
        }
    }

    @Test func `may be another user, elsewhere, with a terminal`() throws {
        try withContainer { leader in
            let process = ProcessSpec(
                arguments: ["sh", "-c", "id -un; pwd; stty size; echo $A"],
                environment: ["A=b"],
                directory: "/tmp",
                user: "ann",
                terminal: true
            )
            try #expect(join(leader, process).output == "ann\r\n/tmp\r\n5 6\r\nb\r\n")
        }
    }

    @Test func `fails as a first program does`() throws {
        try withContainer { leader in
            let failure = #expect(throws: Failure.self) {
                try join(leader, ProcessSpec(arguments: ["nothing"]))
            }
            #expect(failure?.exitCode == 127)
        }
    }

    @Test func `can't join what has ended`() throws {
        try withContainer { leader in
            try leader.send(.kill)
            _ = try leader.wait()
            #expect(throws: Failure.self) { try join(leader, ProcessSpec(arguments: ["true"])) }
        }
    }

    @Test func `comes home: what is started next is the host's`() throws {
        try withContainer { leader in
            _ = try join(leader, ProcessSpec(arguments: ["true"]))
            try #expect(root.shell("echo $$").output == "1\n")
        }
    }
}
