import FUSE
import Foundation
import Glibc
import Linux
import MountFixtures
import Synchronization
import SystemPackage
import Testing

/// They let their callers go first on a CPU when they serve many requests.
@Suite(.timeLimit(.minutes(40)), .enabled(if: geteuid() == 0, "mounts"))
struct `A daemon's threads` {
    /// SCHED_IDLE, which Glibc hides from Swift.
    private static let idle: CInt = 5

    private let workspace: Workspace

    init() throws { workspace = try Workspace() }

    private func mount(_ transport: Transport, _ scheduling: Scheduling = .leading) throws -> LayeredMount {
        try LayeredMount(
            Lower(workspace.directory("lower"), as: .directory, in: workspace),
            in: workspace,
            options: ["--transport", transport.rawValue, "-o", "scheduling=\(scheduling.rawValue)"]
        )
    }

    /// Of all threads of a process, as sched_getscheduler(2) numbers them.
    private func classes(of daemon: pid_t) throws -> [CInt] {
        try FilePath("/proc/\(daemon)/task").names().compactMap {
            pid_t(String(decoding: $0, as: UTF8.self)).map { sched_getscheduler($0) }
        }
    }

    @Test(arguments: Transport.usable) func `are of the usual class when nothing is asked`(
        _ transport: Transport
    ) throws {
        let mount = try mount(transport)
        let daemon = try mount.daemon()
        // From several threads, so that every queue has something to do.
        let workers = try (0..<4).map { worker in
            try WorkerThread {
                for number in 0..<5000 { _ = access("\(mount.path)/absent-\(worker)-\(number)", F_OK) }
            }
        }
        for worker in workers { worker.join() }
        while try classes(of: daemon).contains(Self.idle) { usleep(1000) }
        #expect(try !classes(of: daemon).isEmpty)
        try mount.unmount()
    }

    @Test(arguments: Transport.usable) func `stay of the usual class with plain scheduling`(
        _ transport: Transport
    ) throws {
        let mount = try mount(transport, .plain)
        let daemon = try mount.daemon()
        for number in 0..<5000 {
            _ = access("\(mount.path)/absent-\(number)", F_OK)
            if number.isMultiple(of: 500) { #expect(try !classes(of: daemon).contains(Self.idle)) }
        }
        try mount.unmount()
    }

    /// Else the thread that opens the 65th file waits 10 to 20 ms, and the one it serves with it.
    @Test func `share a table of descriptors that need not grow`() throws {
        let mount = try mount(.automatic)
        let status = try String(contentsOfFile: "/proc/\(mount.daemon())/status", encoding: .utf8)
        let size = try #require(status.split(separator: "\n").first { $0.hasPrefix("FDSize:") })
        #expect(try #require(Int(size.split(separator: "\t")[1])) >= min(1024, OpenFileLimit.current))
        try mount.unmount()
    }

    /// Names of files that the process has open and that can't be opened any more.
    private func removed(heldBy daemon: pid_t) throws -> Int {
        let descriptors = "/proc/\(daemon)/fd"
        return try FileManager.default.contentsOfDirectory(atPath: descriptors).count {
            // It may be closed by now.
            let target = try? FileManager.default.destinationOfSymbolicLink(atPath: "\(descriptors)/\($0)")
            return target?.hasSuffix(" (deleted)") ?? false
        }
    }

    /// No process waits for a FORGET, so it may be served late, but none may be lost.
    @Test(arguments: Transport.usable, Scheduling.allCases)
    func `let go of removed files soon`(_ transport: Transport, _ scheduling: Scheduling) throws {
        let mount = try mount(transport, scheduling)
        let daemon = try mount.daemon()
        for number in 0..<2000 {
            let name = "\(mount.path)/file-\(number)"
            close(open(name, O_WRONLY | O_CREAT, 0o644))
            #expect(unlink(name) == 0)
        }
        let open = Glibc.open("\(mount.path)/open", O_RDWR | O_CREAT, 0o644)
        #expect(unlink("\(mount.path)/open") == 0)
        func become(_ count: Int) throws -> Bool {
            for _ in 0..<300_000 where try removed(heldBy: daemon) != count { usleep(1000) }
            return try removed(heldBy: daemon) == count
        }
        #expect(try become(1))
        #expect(pwrite(open, "still", 5, 0) == 5)
        close(open)
        #expect(try become(0))
        // And right after some more, ends.
        for number in 0..<200 {
            let name = "\(mount.path)/last-\(number)"
            close(Glibc.open(name, O_WRONLY | O_CREAT, 0o644))
            #expect(unlink(name) == 0)
        }
        try mount.unmount()
    }

    /// A thread that takes a CPU for itself must not take it from one that a request waits for.
    @Test(arguments: Transport.usable, Scheduling.allCases)
    func `answer while others want every CPU`(_ transport: Transport, _ scheduling: Scheduling) throws {
        let mount = try mount(transport, scheduling)
        func ask(_ count: Int, _ name: String) {
            for number in 0..<count { #expect(access("\(mount.path)/\(name)-\(number)", F_OK) == -1) }
        }
        ask(5000, "alone")
        let flag = Flag()
        let busy = try (0..<Int(sysconf(CInt(_SC_NPROCESSORS_ONLN))) * 2).map { _ in
            try WorkerThread { while !flag.isSet.load(ordering: .relaxed) {} }
        }
        ask(300, "together")
        flag.isSet.store(true, ordering: .relaxed)
        for thread in busy { thread.join() }
        try mount.unmount()
    }
}

private final class Flag: Sendable {
    let isSet = Atomic(false)
}
