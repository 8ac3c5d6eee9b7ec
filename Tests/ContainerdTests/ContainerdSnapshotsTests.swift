import Containerd
import Containers
import Glibc
import Layers
import Linux
import MountFixtures
import Snapshots
import SystemPackage
import Testing

@Suite(.timeLimit(.minutes(40)), .enabled(if: ServiceStore.isPossible, "mounts: needs root and /dev/fuse"))
struct `A snapshot service` {
    private let box: ServiceStore
    private var service: ContainerdSnapshots { box.service }

    init() throws { box = try ServiceStore() }

    private func kind<R>(_ body: () throws -> R) -> Failure.Kind? {
        do {
            _ = try body()
            return nil
        } catch { return (error as? Failure)?.kind }
    }

    @Test func `commits what was written, and shows it to what stands on it`() throws {
        try box.commit("one", file: "a")
        try box.commit("two", on: "one", file: "b", without: "a")
        let view = try box.place(service.view("v", parent: "two", labels: [:]))
        #expect(try box.text(of: view.appending("b")) == "b")
        #expect(!view.appending("a").exists)
        #expect(throws: (any Error).self) { try box.write("x", to: view.appending("c")) }
        let old = try box.place(service.prepare("p", parent: "one", labels: [:]))
        #expect(try box.text(of: old.appending("a")) == "a")

        let all = try service.list(SnapshotFilter([]))
        #expect(all.map(\.name) == ["one", "two", "v", "p"])
        #expect(all.map(\.kind) == [.committed, .committed, .view, .active])
        #expect(all.map(\.parent) == ["", "one", "two", "one"])
        #expect(try service.stat("two").labels == ["of": "two"])
        for key in ["v", "p", "two", "one"] { try service.remove(key) }
        #expect(box.mounted.isEmpty)
        #expect(try box.store.snapshots().isEmpty)
    }

    @Test func `says of each refusal which it is`() throws {
        try box.commit("base", file: "a")
        _ = try service.prepare("active", parent: "base", labels: [:])
        #expect(kind { try service.prepare("active", parent: "", labels: [:]) } == .alreadyExists)
        #expect(kind { try service.view("base", parent: "", labels: [:]) } == .alreadyExists)
        #expect(kind { try service.prepare("x", parent: "missing", labels: [:]) } == .notFound)
        #expect(kind { try service.prepare("x", parent: "active", labels: [:]) } == .invalidArgument)
        #expect(kind { try service.mounts("missing") } == .notFound)
        #expect(kind { try service.mounts("base") } == .failedPrecondition)
        #expect(kind { try service.commit("missing", as: "n", parent: "", labels: [:]) } == .notFound)
        #expect(kind { try service.commit("base", as: "n", parent: "", labels: [:]) } == .failedPrecondition)
        #expect(kind { try service.commit("active", as: "base", parent: "", labels: [:]) } == .alreadyExists)
        #expect(kind { try service.remove("base") } == .failedPrecondition)
        #expect(kind { try service.remove("missing") } == .notFound)
        #expect(kind { try service.stat("missing") } == .notFound)
        #expect(kind { try service.usage("missing") } == .notFound)
        // Nothing of that was done in part.
        #expect(try service.list(SnapshotFilter([])).map(\.name) == ["base", "active"])
    }

    @Test func `takes keys and labels for nothing but text`() throws {
        let hostile = [
            "../../etc", "a/../../b", "-rf", "key with blanks \u{202e}\n",
            String(repeating: "k", count: 4096),
            "'; DROP TABLE snapshots; --",
        ]
        for key in hostile {
            let place = try box.place(
                service.prepare(key, parent: "", labels: [key.prefix(9) + "l": key.prefix(99) + ""])
            )
            #expect(place.removingLastComponent().lastComponent == "mounts")
            #expect(try service.stat(key).name == key)
            try service.remove(key)
        }
        for key in ["", "a\0b", String(repeating: "k", count: 4097)] {
            #expect(kind { try service.prepare(key, parent: "", labels: [:]) } == .invalidArgument)
        }
        for label in ["": "x", "a": String(repeating: "x", count: 4096), "zero": "\0"] {
            #expect(
                kind { try service.prepare("k", parent: "", labels: [label.key: label.value]) }
                    == .invalidArgument
            )
        }
        // Each is short enough, all together are more than a message holds.
        let many = Dictionary(
            uniqueKeysWithValues: (0..<100).map { ("l\($0)", String(repeating: "x", count: 4000)) }
        )
        #expect(kind { try service.prepare("k", parent: "", labels: many) } == .invalidArgument)
        #expect(try service.list(SnapshotFilter([])).isEmpty)
    }

    @Test func `refuses a limit that it can't hold, and ranges of ids that are none`() throws {
        let label = "containerd.io/snapshot/max-size"
        #expect(kind { try service.prepare("k", parent: "", labels: [label: "1G"]) } == .invalidArgument)
        for mapping in [
            "", "0:1", "0:1:x", "0:1:2:3", "-1:0:1", "0:1:2,", "0,1,2", "0:1:2,suid", "0:0:0",
            "4294967295:0:1", "0:4294967295:1", "0:1:4294967295", "0:1:\u{0662}", "0:100:10,9:200:10",
            "0:100:10,10:109:10",
        ] {
            let labels = ["containerd.io/snapshot/uidmapping": mapping]
            #expect(
                kind { try service.prepare("k", parent: "", labels: labels) } == .invalidArgument,
                "\(mapping)"
            )
        }
    }

    @Test func `shows files as those of mapped ids, and commits them as they were`() throws {
        try box.commit("base", file: "a")
        let labels = [
            "containerd.io/snapshot/uidmapping": "0:100000:65536",
            "containerd.io/snapshot/gidmapping": "0:200000:65536",
        ]
        let place = try box.place(service.prepare("mapped", parent: "base", labels: labels))
        let status = try place.appending("a").status()
        #expect([status.st_uid, status.st_gid] == [100_000, 200_000])
        try box.write("b", to: place.appending("b"))
        #expect(place.appending("b").withPlatformString { lchown($0, 100_005, 200_000) } == 0)
        try service.commit("mapped", as: "done", parent: "", labels: [:])
        let view = try box.place(service.view("v", parent: "done", labels: [:]))
        #expect(try view.appending("a").status().st_uid == 0)
        #expect(try view.appending("b").status().st_uid == 5)
    }

    @Test func `changes labels, and finds snapshots by them`() throws {
        _ = try service.prepare("a", parent: "", labels: ["x": "1", "y": "2"])
        _ = try service.prepare("b", parent: "", labels: [:])
        let before = try service.stat("a")
        let info = try service.update(
            "a",
            LabelChange(to: ["x": "3", "y": ""], paths: ["labels.x", "labels.y"])
        )
        #expect(info.labels == ["x": "3"])
        #expect(info.updated >= before.updated)
        #expect(info.created == before.created)
        #expect(try service.list(SnapshotFilter(["labels.x==3"])).map(\.name) == ["a"])
        #expect(try service.update("a", LabelChange(to: ["z": "1"], paths: [])).labels == ["z": "1"])
        #expect(kind { try service.update("missing", LabelChange(to: [:], paths: [])) } == .notFound)
    }

    @Test func `lets nobody commit or remove what is bound elsewhere, and loses nothing of it`() throws {
        let place = try box.place(service.prepare("busy", parent: "", labels: [:]))
        let elsewhere = FilePath(try box.workspace.directory("elsewhere"))
        #expect(mount(place.string, elsewhere.string, nil, UInt(MS_BIND), nil) == 0)
        try box.write("kept", to: elsewhere.appending("f"))
        #expect(kind { try service.remove("busy") } == .failedPrecondition)
        #expect(kind { try service.commit("busy", as: "n", parent: "", labels: [:]) } == .failedPrecondition)
        #expect(try box.text(of: elsewhere.appending("f")) == "kept")
        #expect(umount2(elsewhere.string, 0) == 0)
        try service.commit("busy", as: "n", parent: "", labels: [:])
        let view = try box.place(service.view("v", parent: "n", labels: [:]))
        #expect(try box.text(of: view.appending("f")) == "kept")
    }

    @Test func `finds its mounts again, and makes those again whose daemon was killed`() throws {
        let place = try box.place(service.prepare("k", parent: "", labels: [:]))
        try box.write("kept", to: place.appending("f"))
        let next = ContainerdSnapshots(box.store, mountsIn: FilePath("\(box.workspace.path)/run/mounts"))
        #expect(try box.place(next.mounts("k")) == place)
        let id = try #require(box.store.mounts().first).id
        guard let daemon = MountDaemon(holding: box.store.mountLock(id)) else {
            Issue.record("nobody serves the mount")
            return
        }
        daemon.kill()
        #expect(Unmount.waitForDaemon(box.store.mountLock(id), milliseconds: 120_000))
        let again = try box.place(next.mounts("k"))
        #expect(try box.text(of: again.appending("f")) == "kept")
        try next.remove("k")
        HostProcess.reapLeft()
        #expect(box.mounted.isEmpty)
    }

    @Test func `mounts nothing for what is only unpacked, unless somebody wants it`() throws {
        for (key, labels) in [
            ("default/1/extract-1-ab sha256:c", [:]), ("plain", ["containerd.io/snapshot.ref": "sha256:c"]),
        ] {
            let mount = try #require(try service.prepare(key, parent: "", labels: labels).first)
            #expect(mount.type == "fuse3.micad")
            #expect(box.mounted.isEmpty)
            let number = try #require(SnapshotNumber(mount.source))
            let target = FilePath(try box.workspace.directory("unpacked"))
            try ContainerdSnapshots.mount(number, of: box.store, at: target, isReadOnly: false)
            try box.write("x", to: target.appending("f"))
            #expect(umount2(target.string, 0) == 0)
            try service.commit(key, as: key + "-done", parent: "", labels: [:])
            let view = try box.place(service.view("v", parent: key + "-done", labels: [:]))
            #expect(try box.text(of: view.appending("f")) == "x")
            try service.remove("v")
        }
    }

    @Test func `serves many at once, and leaves nothing`() async throws {
        try box.commit("base", file: "a")
        let service = service
        let box = box
        try await withThrowingTaskGroup(of: Void.self) { group in
            for client in 0..<4 {
                group.addTask {
                    for round in 0..<5 {
                        let key = "\(client)-\(round)"
                        let place = try box.place(service.prepare(key, parent: "base", labels: [:]))
                        try box.write(key, to: place.appending("f"))
                        try service.commit(key, as: "\(key)-done", parent: "", labels: [:])
                        try service.remove("\(key)-done")
                    }
                }
            }
            try await group.waitForAll()
        }
        #expect(try service.list(SnapshotFilter([])).map(\.name) == ["base"])
        #expect(box.mounted.isEmpty)
        try service.cleanUp()
        #expect(try FilePath("\(box.workspace.path)/run/mounts").names().isEmpty)
    }

    @Test func `cleans up what a crash has left`() throws {
        let mounts = FilePath("\(box.workspace.path)/run/mounts")
        try mounts.appending("99").makeDirectory(mode: 0o700)
        _ = try service.prepare("k", parent: "", labels: [:])
        try service.cleanUp()
        #expect(!mounts.appending("99").exists)
        #expect(try service.stat("k").kind == .active)
    }

    @Test func `cleans up no pull of mica's that has not ended yet`() throws {
        let arrivals = box.store.layout.arrivals
        try arrivals.makeDirectories(mode: 0o700)
        try box.write("half", to: arrivals.appending("part"))
        try service.cleanUp()
        #expect(try box.text(of: arrivals.appending("part")) == "half")
        try box.store.collect()
        #expect(!arrivals.appending("part").exists)
    }

    @Test func `has mounts that mica's users end by force only`() throws {
        let place = try box.place(service.prepare("k", parent: "", labels: [:]))
        try box.write("kept", to: place.appending("f"))
        for users in [.matter, .goOn] as [Mounts.Users] {
            #expect(kind { try Mounts(box.store).unmount(place, users: users) } == .failedPrecondition)
        }
        #expect(try box.text(of: place.appending("f")) == "kept")
        #expect(try Mounts(box.store).unmount(place, users: .lose) == nil)
        #expect(box.mounted.isEmpty)
        // Its client has it again when it asks.
        #expect(try box.text(of: box.place(service.mounts("k")).appending("f")) == "kept")
    }

    @Test func `mounts nothing over what somebody else has mounted`() throws {
        let key = "extract-1"
        let mount = try #require(try service.prepare(key, parent: "", labels: [:]).first)
        let number = try #require(SnapshotNumber(mount.source))
        let target = FilePath(try box.workspace.directory("taken"))
        #expect(Glibc.mount("mine", target.string, "tmpfs", 0, nil) == 0)
        defer { umount2(target.string, 0) }
        #expect(
            kind { try ContainerdSnapshots.mount(number, of: box.store, at: target, isReadOnly: false) }
                == .failedPrecondition
        )
        #expect(MountTable.current().top(at: target)?.source == "mine")
    }
}
