import Layers
import Linux
import MountFixtures
import Snapshots
import SystemPackage
import Testing

import Glibc

@Suite(.timeLimit(.minutes(40))) struct `A store whose format changes` {
    private let workspace: Workspace

    init() throws { workspace = try Workspace() }

    /// As a mica of the second version of the database left it, with this many snapshots.
    private func old(at root: FilePath, snapshots count: Int) throws -> StoreLayout {
        try root.makeDirectory(mode: 0o700)
        let layout = StoreLayout(root: root)
        try layout.prepare()
        let connection = try Connection(layout.database)
        try Schema.migrate(connection, steps: Array(Schema.steps[..<2]))
        try connection.transaction(writing: true) {
            for number in 0..<count {
                try connection.run(
                    "INSERT INTO snapshots (key, kind, created, updated) VALUES (?, 1, 0, 0)",
                    "snapshot-\(number)-\(String(repeating: "x", count: 100))"
                )
            }
        }
        return layout
    }

    private func fill(_ directory: FilePath) throws -> FilePath {
        let rest = directory.appending("rest")
        let file = try OwnedFD.open(rest, O_WRONLY | O_CREAT, mode: 0o600)
        var size = 1 << 20
        while size > 0 {
            do throws(Errno) { try file.writeAll([UInt8](repeating: 1, count: size)) } catch { size /= 2 }
        }
        try file.synchronize()
        return rest
    }

    @Test(.enabled(if: TestStore.isRoot, "mounts a filesystem"))
    func `says on a full disk that there is no room for it, loses nothing, and changes when there is`() throws
    {
        let disk = try LoopDisk(in: workspace, megabytes: 24)
        let layout = try old(at: FilePath(disk.path).appending("store"), snapshots: 12_000)
        let rest = try fill(FilePath(disk.path))
        for _ in 0..<2 {
            let failure = #expect(throws: Failure.self) { try Store.open(layout).snapshots() }
            #expect(failure?.kind == .noSpace, "\(failure?.description ?? "")")
            #expect(failure?.message.contains("from version 2 to \(Schema.current)") == true)
            let writing = #expect(throws: Failure.self) { try Store.open(layout).view("new", parent: nil) }
            #expect(writing?.kind == .noSpace, "\(writing?.description ?? "")")
            let connection = try Connection(layout.database)
            #expect(try Schema.version(of: connection) == 2)
            #expect(try connection.value("SELECT count(*) FROM snapshots") == Int64(12_000))
        }
        try rest.unlink()
        let store = try Store.open(layout)
        #expect(try store.snapshots().count == 12_000)
        try store.view("new", parent: nil)
        #expect(try StoreCheck.run(layout, isDeep: true, repairs: false) == [])
    }

    @Test func `is neither read nor written by a process that opened it before a newer one changed it`()
        throws
    {
        let store = try Store.open(StoreLayout(root: FilePath("\(workspace.path)/store")))
        try store.prepare("before", parent: nil)
        let newer = try Connection(store.layout.database)
        try Schema.migrate(newer, steps: Schema.steps + ["CREATE TABLE later (id INTEGER) STRICT"])
        let doors: [() throws -> Void] = [
            { try store.prepare("after", parent: nil) }, { try store.view("after", parent: nil) },
            { try store.remove("before") }, { try store.setLabels(["l": "1"], of: "before") },
            { _ = try store.snapshots() }, { try store.collect() }, { _ = try store.mounts() },
        ]
        for (number, door) in doors.enumerated() {
            let failure = #expect(throws: Failure.self, "\(number)") { try door() }
            #expect(failure?.kind == .failedPrecondition, "\(number)")
            #expect(failure?.message.contains("version \(Schema.current + 1)") == true, "\(number)")
        }
        #expect(try newer.rows("SELECT key FROM snapshots") { try $0[0] as String } == ["before"])
        #expect(try newer.value("SELECT count(*) FROM snapshot_labels") == Int64(0))
        #expect(try store.layout.snapshots.names().count == 1 && store.layout.tmp.names().isEmpty)
    }
}
