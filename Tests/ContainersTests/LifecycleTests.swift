import Changes
import ContainerFixtures
import Containers
import Foundation
import Layers
import Linux
import Runner
import Snapshots
import Synchronization
import SystemPackage
import Testing

@Suite(.timeLimit(.minutes(40)), .enabled(if: TestRoot.isPossible, "needs root and busybox-static"))
struct `A container of the store` {
    let box: TestStore
    init() throws { box = try TestStore() }

    @Test func `runs, is logged, stays until it is removed`() throws {
        let (container, status, output) = try box.run(["sh", "-c", "echo out; echo err >&2; exit 4"])
        #expect(status == 4)
        #expect(output.contains("out\n"))
        guard case .exited(4, at: .some) = box.containers.status(of: container) else {
            Issue.record("\(box.containers.status(of: container))")
            return
        }
        var log = LogReader(container.files.directory)
        let records = try log.next()
        #expect(
            Set(records.map { "\($0.stream) \(String(decoding: $0.bytes, as: UTF8.self))" }) == [
                "output out\n", "error err\n",
            ]
        )
        try #expect(box.isClean())
        try box.containers.remove(container, force: false)
        try #expect(box.store.containers().isEmpty)
        try #expect(box.store.snapshots().isEmpty)
        try #expect(box.layout.containers.names().isEmpty)
        try #expect(box.layout.snapshots.names().isEmpty)
        try #expect(box.isClean())
    }

    @Test func `leaves nothing when it is removed at its end`() throws {
        _ = try box.run(["true"]) { $0.removeAtExit = true }
        try #expect(box.store.containers().isEmpty)
        try #expect(box.layout.containers.names().isEmpty)
        try #expect(box.isClean())
    }

    @Test func `leaves nothing when it could not start and was to be removed`() throws {
        for command in ["nothing", "/etc"] {
            #expect(throws: Failure.self) { try box.run([command]) { $0.removeAtExit = true } }
        }
        try #expect(box.store.containers().isEmpty)
        try #expect(box.isClean())
    }

    @Test func `says why it could not start`() throws {
        let container = try box.containers.create(box.request(["nothing"]))
        let failure = try #require(throws: Failure.self) { try box.containers.run(container, .init()) }
        #expect(failure.exitCode == 127)
        #expect(container.files.readState()?.exitCode == 127)
        #expect(container.files.readState()?.error?.contains("nothing") == true)
    }

    @Test func `writes to its own snapshot`() throws {
        let (first, _, _) = try box.run(["sh", "-c", "echo changed > /etc/passwd; touch /new"])
        let (_, _, output) = try box.run(["sh", "-c", "head -n 1 /etc/passwd; ls /new 2>/dev/null"])
        #expect(output.hasPrefix("root:x:0"))
        let snapshot = try box.store.snapshot(first.record.snapshot)
        #expect(box.layout.snapshot(snapshot.id).appending("upper/new").exists)
        #expect(!box.root.path.appending("new").exists)
    }

    private func changes(_ container: Container) throws -> [String] {
        final class Lines { var list: [String] = [] }
        let lines = Lines()
        try box.store.diff(container.record.name) {
            lines.list.append("\($0.kind.rawValue) \(String(decoding: $0.path, as: UTF8.self))")
        }
        return lines.list
    }

    @Test func `that did nothing changed nothing, whatever was mounted in it`() throws {
        let volumes = [
            Volume(source: box.root.outside.string, destination: "/made/for/volume"),
            Volume(source: box.root.path.appending("etc/passwd").string, destination: "/tmp/file"),
        ]
        let (idle, _, _) = try box.run(["true"]) { $0.volumes = volumes }
        // The root of the stand-in's mount is below an image without layers: there are no parents to compare.
        let upper = try box.layout.snapshot(box.store.snapshot(idle.record.snapshot).id).appending("upper")
        for path in ["dev", "proc", "etc/hosts", "made/for/volume", "tmp/file"] {
            #expect(upper.appending(path).exists)
        }
        try #expect(changes(idle).filter { !["A /etc", "A /tmp"].contains($0) } == [])

        let (busy, _, _) = try box.run(["sh", "-c", "echo 1 > /made/for/x; echo 2 > /etc/new"]) {
            $0.volumes = volumes
            $0.directory = "/work/here"
        }
        let found = try changes(busy).filter { !["A /etc", "A /tmp"].contains($0) }
        #expect(
            found == ["A /etc/new", "A /made", "A /made/for", "A /made/for/x", "A /work", "A /work/here"]
        )
        let failing = try box.containers.create(box.request(["nothing"]))
        #expect(throws: Failure.self) { try box.containers.run(failing, .init()) }
        try #expect(changes(failing).filter { $0 != "A /etc" } == [])
    }

    @Test func `has hostname, hosts and resolver files of its own`() throws {
        let (container, _, output) = try box.run(["sh", "-c", "hostname; cat /etc/hostname; cat /etc/hosts"])
        #expect(output.hasPrefix("\(container.shortID)\n\(container.shortID)\n127.0.0.1\tlocalhost\n"))
        #expect(output.contains("\t\(container.shortID)\n"))
        let (_, _, named) = try box.run(["sh", "-c", "hostname; echo mine > /etc/hosts; cat /etc/hosts"]) {
            $0.hostname = "ship"
        }
        #expect(named == "ship\nmine\n")
    }

    @Test func `runs again, and can't have a name that is taken`() throws {
        let (container, _, _) = try box.run([
            "sh", "-c", "exit $((3 + $(ls / | grep -c left)))$(touch /left)",
        ]) {
            $0.name = "one"
        }
        #expect(box.containers.status(of: container).phase == .exited)
        #expect(try box.containers.run(container, .init()).rawValue == 4)
        let failure = try #require(throws: Failure.self) { try box.run(["true"]) { $0.name = "one" } }
        #expect(failure.kind == .alreadyExists)
        try #expect(box.store.snapshots().count == 1)
        for name in ["", "-x", "x", "a b", "a/b", ".."] {
            #expect(throws: Failure.self) { try box.run(["true"]) { $0.name = name + "" } }
        }
    }

    /// Its state and its lock are two things, which cannot be read at once.
    @Test func `that has ended by itself is never taken for one that was killed`() throws {
        let (container, _, _) = try box.run(["true"])
        let containers = box.containers
        let found = Mutex((isDone: false, wrong: 0))
        let watcher = try WorkerThread {
            while !found.withLock({ $0.isDone }) {
                if case .exited(nil, _) = containers.status(of: container) {
                    found.withLock { $0.wrong += 1 }
                }
            }
        }
        for _ in 0..<60 { #expect(try containers.run(container, .init()).rawValue == 0) }
        found.withLock { $0.isDone = true }
        watcher.join()
        #expect(found.withLock { $0.wrong } == 0)
    }

    @Test func `of an image that is not there says to load it`() throws {
        let failure = try #require(throws: Failure.self) {
            try box.containers.create(RunRequest(image: "nosuch"))
        }
        #expect(failure.exitCode == 125)
        #expect(failure.advice?.contains("mica load") == true)
    }

    @Test func `is known to have ended though nobody saw it`() throws {
        let container = try box.containers.create(box.request(["true"]))
        // What a monitor that was killed leaves: a running state and a free lock.
        var state = ContainerState(.running)
        state.process = ProcessIdentity(of: getpid())
        try JSONEncoder().encode(state).write(to: URL(fileURLWithPath: container.files.state.string))
        #expect(box.containers.status(of: container) == .exited(nil, at: nil))
        #expect(throws: Failure.self) { try box.containers.leader(of: container) }
    }

    /// A directory in its place can't be read at all.
    @Test(arguments: ["", "{\"phase\":", "{}", nil])
    func `is not run when nobody knows whether it has been run`(state: String?) throws {
        let container = try box.containers.create(box.request(["true"]))
        if let state {
            try Data(state.utf8).write(to: URL(fileURLWithPath: container.files.state.string))
        } else {
            try container.files.state.makeDirectory()
        }
        let failure = #expect(throws: Failure.self) { try box.containers.run(container, .init()) }
        #expect(failure?.exitCode == 125)
        #expect(throws: Failure.self) { try box.containers.stop(container, seconds: 1) }
        #expect(box.containers.reclaim() == [])
        // What is there stays, for a user to look at.
        #expect(container.files.readState()?.phase == .unknown)
        if let state {
            let kept = try OwnedFD.open(container.files.state, O_RDONLY).contents(limit: 100)
            #expect(kept == Array(state.utf8))
        }
        try box.containers.remove(container, force: false)
        try #expect(box.isClean())
    }

    @Test func `is removed when its directory or state is damaged`() throws {
        for damage in ["state", "directory"] {
            let container = try box.containers.create(box.request(["true"]))
            if damage == "directory" {
                try container.files.directory.removeTree()
            } else {
                try Data("{\"phase\":".utf8).write(to: URL(fileURLWithPath: container.files.state.string))
            }
            switch box.containers.status(of: container) {
            case .created: #expect(damage == "directory")
            case .unknown(let reason):
                #expect(damage == "state")
                #expect(reason.contains(container.files.state.string))
            default: Issue.record("it never ran")
            }
            try box.containers.remove(container, force: true)
        }
        try #expect(box.store.containers().isEmpty)
        try #expect(box.store.snapshots().isEmpty)
    }

    @Test func `that was created and never started is removed without force`() throws {
        try box.containers.remove(try box.containers.create(box.request(["true"])), force: false)
        try #expect(box.store.containers().isEmpty)
    }
}
