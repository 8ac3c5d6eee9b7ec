import ContainerFixtures
import Foundation
import Linux
import Runner
import SystemPackage
import Testing

import Glibc

@Suite(.enabled(if: TestRoot.canCompile, "needs root, busybox-static and gcc"), .timeLimit(.minutes(40)))
struct `A container's cgroup` {
    let root: TestRoot
    /// Of this test alone.
    let id = "test-\(UInt64.random(in: 0 ... .max))"

    init() throws { root = try TestRoot() }

    private func withGroup<R>(_ limits: Resources = Resources(), _ body: (ControlGroup) throws -> R) throws
        -> R
    {
        let group = try ControlGroup(of: id, limits: limits)
        defer { group.remove() }
        return try body(group)
    }

    private func groups(of pid: Int32) throws -> [String] {
        try String(contentsOfFile: "/proc/\(pid)/cgroup", encoding: .utf8).split(separator: "\n").map {
            line in
            String(line.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)[2])
        }
    }

    /// What is left of it anywhere.
    private func remains() -> [String] {
        MountTable.current().entries.filter { $0.type.hasPrefix("cgroup") }
            .map { $0.target.string + "/mica/\(id)" }
            .filter { FilePath($0).exists }
    }

    /// A process that started something there would wait for it, deaf to all signals but SIGKILL.
    @Test func `is not made below a frozen one`() throws {
        try withGroup { _ in
            let door = try #require(remains().map { "\($0)/cgroup.freeze" }.first { FilePath($0).exists })
            try "1".write(toFile: door, atomically: false, encoding: .utf8)
            #expect(throws: Failure.self) { try ControlGroup(of: "\(id)/inner", limits: Resources()) }
            try "0".write(toFile: door, atomically: false, encoding: .utf8)
            let inner = try ControlGroup(of: "\(id)/inner", limits: Resources())
            #expect(inner.remove())
        }
        #expect(remains().isEmpty)
    }

    @Test func `is its own in every hierarchy, for what joins as well, and is gone afterwards`() throws {
        try withGroup { group in
            let leader = try root.start(
                root.spec(["/bin/sleep", "1000"]),
                try ProcessStreams(),
                group: group
            )
            defer {
                try? leader.send(.kill)
                _ = try? leader.wait()
            }
            let joined = try Sandbox.join(
                leader.pidfd,
                pid: leader.pid,
                ProcessSpec(arguments: ["/bin/sleep", "1000"]),
                of: root.spec([]),
                streams: try ProcessStreams(),
                group: try ControlGroup(existing: id, leader: leader.pidfd),
                filter: TestRoot.filter,
                diesWithCaller: false
            )
            // Process 1 ends after all others have been waited for.
            defer {
                try? joined.send(.kill)
                _ = try? joined.wait()
            }
            for pid in [leader.pid, joined.pid] {
                let groups = try groups(of: pid)
                #expect(!groups.isEmpty)
                #expect(groups.allSatisfy { $0.hasSuffix("/mica/\(id)") }, "\(groups)")
            }
            #expect(!remains().isEmpty)
        }
        #expect(remains().isEmpty)
    }

    @Test func `is the root of what it sees`() throws {
        let outcome = try withGroup { try root.shell("cat /proc/self/cgroup", group: $0) }
        let paths = outcome.output.split(separator: "\n").map { $0.drop { $0 != "/" } }
        #expect(!paths.isEmpty && paths.allSatisfy { $0 == "/" })
    }

    @Test
    func `ends processes that nobody else knows any more, frozen ones and those in cgroups of their own too`()
        throws
    {
        let group = try ControlGroup(of: id, limits: Resources())
        let leader = try root.start(
            root.spec(["/bin/sh", "-c", "sleep 1000 & sleep 1000 & wait"]),
            try ProcessStreams(),
            group: group
        )
        let mounts = MountTable.current().entries.filter { $0.type.hasPrefix("cgroup") }
        for mount in mounts {
            let path = FilePath(mount.target.string + "/mica/\(id)")
            // Deeper than a path may be long; and process 1 alone in one that is frozen by itself.
            var inner = path
            for _ in 0..<30 {
                inner = inner.appending(String(repeating: "x", count: 200))
                guard (try? inner.makeDirectory()) != nil else { break }
            }
            let alone = path.appending("alone")
            try? alone.makeDirectory()
            try? OwnedFD.open(alone.appending("cgroup.procs"), O_WRONLY).writeAll(Array("\(leader.pid)".utf8))
            try? OwnedFD.open(alone.appending("freezer.state"), O_WRONLY).writeAll(Array("FROZEN".utf8))
            for (file, text) in [("freezer.state", "FROZEN"), ("cgroup.freeze", "1")] {
                try? OwnedFD.open(path.appending(file), O_WRONLY).writeAll(Array(text.utf8))
            }
        }
        #expect(ControlGroup.remove(id))
        #expect(try leader.wait() == .killed(by: SIGKILL))
        #expect(remains().isEmpty)
    }

    @Test func `is not made again for a container that has ended`() throws {
        let leader = try root.start(root.spec(["/bin/true"]), try ProcessStreams())
        let pidfd = try leader.pidfd.duplicate()
        _ = try leader.wait()
        #expect(throws: Failure.self) { try ControlGroup(existing: id, leader: pidfd) }
        #expect(remains().isEmpty)
    }

    @Test func `limits memory`() throws {
        let outcome = try withGroup(Resources(memory: 16 << 20)) {
            try root.shell("/bin/busybox dd if=/dev/zero of=/dev/null bs=100M count=1; echo $?", group: $0)
        }
        #expect(outcome.output.hasSuffix("137\n"), "\(outcome)")
    }

    @Test func `limits processes, by default as well`() throws {
        let script = "for i in 1 2 3 4 5 6 7 8 9 10; do sleep 1000 & done; echo all"
        try withGroup(Resources(processes: 6)) { group in
            let outcome = try root.shell(script, group: group)
            #expect(outcome.error.contains("fork") && !outcome.output.contains("all"), "\(outcome)")
        }
        let free = try withGroup { try root.shell(script, group: $0) }
        #expect(free.output == "all\n")
        let limits = try withGroup { _ in
            remains().compactMap { try? String(contentsOfFile: $0 + "/pids.max", encoding: .utf8) }
        }
        #expect(limits == ["\(Resources.usualProcesses)\n"])
    }

    @Test func `limits CPU time, or says which controller can't`() throws {
        do {
            let quotas = try withGroup(Resources(milliCPUs: 500)) { _ in
                remains().flatMap { path in
                    ["cpu.cfs_quota_us", "cpu.max"].compactMap {
                        try? String(contentsOfFile: "\(path)/\($0)", encoding: .utf8)
                    }
                }
            }
            #expect(quotas.contains { $0.hasPrefix("50000") })
        } catch let failure as Failure {
            #expect(failure.message.contains("the cpu controller"))
        }
        #expect(remains().isEmpty)
    }

    @Test func `a limit without a controller is an error that names it, and leaves nothing`() throws {
        for (limits, name) in [
            (Resources(memory: 1 << 30), "memory"), (Resources(milliCPUs: 1000), "cpu"),
            (Resources(processes: 10), "pids"),
        ] {
            let failure = #expect(throws: Failure.self) { try limits.apply(to: id, in: []) }
            #expect(failure?.message.contains("the \(name) controller") == true)
        }
        // This one was not asked for.
        try Resources().apply(to: id, in: [])
    }

    @Test(arguments: ["", "-1", "1", "5m", "1e9", "inf", "nan", "12q", "99999999999999999999g", "m", "0x40"])
    func `does not guess an amount of memory`(_ text: String) {
        #expect(throws: Failure.self) { try Resources.memory(parsing: text) }
    }

    @Test func `reads amounts as docker does`() throws {
        #expect(try Resources.memory(parsing: "512m") == 512 << 20)
        #expect(try Resources.memory(parsing: "1.5GB") == 3 << 29)
        #expect(try Resources.memory(parsing: "8388608") == 8 << 20)
        #expect(try Resources.milliCPUs(parsing: "1.5") == 1500)
        #expect(try Resources.processes(parsing: "-1") == 0)
        for text in ["0", "0.001", "-1", "two", "1e9", "inf"] {
            #expect(throws: Failure.self) { try Resources.milliCPUs(parsing: text) }
        }
        for text in ["-2", "many", "1.5"] {
            #expect(throws: Failure.self) { try Resources.processes(parsing: text) }
        }
    }
}
