import ContainerFixtures
import Linux
import Runner
import Synchronization
import SystemPackage
import Testing

import Glibc

@Suite(.timeLimit(.minutes(40)), .enabled(if: TestRoot.isPossible, "needs root and busybox-static"))
struct `A stdio proxy` {
    let root: TestRoot
    init() throws { root = try TestRoot() }

    /// Takes nothing until it is opened.
    private final class Gate: Sendable {
        private let ends: Linux.Pipe
        init() throws { ends = try Linux.Pipe() }
        func open() throws { try ends.write.writeAll([1]) }
        func pass() throws {
            var byte: UInt8 = 0
            _ = try withUnsafeMutableBytes(of: &byte) { try ends.read.readFully(into: $0) }
        }
    }

    private func start(_ script: String, _ streams: ProcessStreams) throws -> ContainerProcess {
        try root.start(root.spec(["/bin/sh", "-c", script]), streams)
    }

    @Test func `does not wait for a client that does not read, and loses nothing`() throws {
        let gate = try Gate()
        let log = Collected()
        let client = Collected()
        let isFirst = Mutex(true)
        let streams = try ProcessStreams(interactive: false)
        let proxy = try StdioProxy()
        let process = try start("head -c 60000 /dev/zero; echo end; echo error >&2; exit 3", streams)
        let ended = try proxy.follow(process, streams, log: { log.add($0, $1) }) { stream, bytes in
            if stream == .output,
                isFirst.withLock({
                    let first = $0; $0 = false; return first
                })
            {
                try gate.pass()
            }
            client.add(stream, bytes)
        }
        #expect(ended.status.rawValue == 3)
        #expect(log.output.utf8.count == 60_004)
        #expect(log.output.hasSuffix("end\n"))
        #expect(log.error == "error\n")
        #expect(client.output == "")
        try gate.open()
        proxy.deliver(ended)
        #expect(client.output == log.output)
        #expect(client.error == log.error)
    }

    /// A program of the container opens the other end anew, and takes what poll(2) has seen.
    @Test func `waits for nothing that somebody takes away`() throws {
        for round in 0..<40 {
            let log = Collected()
            let streams = try ProcessStreams(interactive: false)
            let proxy = try StdioProxy()
            let thief =
                "cat /proc/$$/fd/1 >/dev/null & i=0; while [ $i -lt 300 ]; do echo x; i=$((i+1)); done; exit 3"
            let process = try start(thief, streams)
            let status = try proxy.run(process, streams) { log.add($0, $1) }
            #expect(status.rawValue == 3, "\(round)")
        }
    }

    @Test func `leaves a client that does not read when a signal asks for an end`() throws {
        let gate = try Gate()
        let streams = try ProcessStreams(interactive: false)
        let proxy = try StdioProxy()
        let process = try start("echo to nobody", streams)
        let ended = try proxy.follow(process, streams) { _, _ in try gate.pass() }
        // To this thread alone, whose signals the proxy has.
        pthread_kill(pthread_self(), SIGTERM)
        proxy.deliver(ended)
        try gate.open()
    }

    @Test(arguments: [SIGINT, SIGTERM]) func `kills what was asked three times to end`(_ signal: Int32) throws
    {
        let streams = try ProcessStreams(interactive: false)
        let proxy = try StdioProxy()
        let process = try start("trap 'echo no' INT TERM; echo up; while :; do sleep 0.02; done", streams)
        let waiting = Waiting(pthread_self())
        let collected = Collected()
        let status = try proxy.run(process, streams) { stream, bytes in
            collected.add(stream, bytes)
            // One for each answer: signals that wait are one.
            pthread_kill(waiting.thread, signal)
        }
        #expect(status == .killed(by: SIGKILL))
        #expect(collected.output.hasPrefix("up\nno\nno\n"))
    }

    private struct Waiting: @unchecked Sendable {
        let thread: pthread_t
        init(_ thread: pthread_t) { self.thread = thread }
    }
}
