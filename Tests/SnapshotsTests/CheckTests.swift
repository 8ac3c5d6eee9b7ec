import Digests
import Foundation
import Layers
import Linux
import Snapshots
import SystemPackage
import Testing

import Glibc

@Suite(.timeLimit(.minutes(40))) struct `A check of the store` {
    private let test: TestStore
    private let shared: String
    private let own: String

    init() throws {
        test = try TestStore()
        let image = try test.image(
            [
                ["small": "in a pack", "large": `The collector`.large],
                ["other": `The collector`.large + "2"],
            ],
            named: ["first", "also"]
        )
        try test.image([["different": "image"]], named: ["second"])
        try test.store.prepare("work", parent: test.store.topSnapshot(of: image.id))
        let box = try test.container("box", of: image)
        try test.layout.container(box.id).makeDirectory()
        (shared, own) = (image.layers[0].hex, image.layers[1].hex)
        _ = try ChainStore(layout: test.layout).index(for: image.layers)
    }

    private func run(deep: Bool = true, repair: Bool = false) throws -> [Finding] {
        try StoreCheck.run(test.layout, isDeep: deep, repairs: repair)
    }

    /// Turns some bits of a file round, in its middle, and keeps its times.
    private func damage(_ path: FilePath) throws {
        var byte: UInt8 = 0
        chmod(path.string, 0o600)
        let fd = try OwnedFD.open(path, O_RDWR)
        let status = try fd.status()
        #expect(pread(fd.raw, &byte, 1, status.st_size / 2) == 1)
        byte ^= 0x10
        #expect(pwrite(fd.raw, &byte, 1, status.st_size / 2) == 1)
        let times = [status.st_atim, status.st_mtim]
        #expect(futimens(fd.raw, times) == 0)
    }

    private func object(_ content: String) -> FilePath {
        test.layout.object(Array(content.utf8).withUnsafeBytes { TreeHash.digest(of: $0) })
    }

    @Test(arguments: [false, true], [false, true])
    func `of one that is whole finds nothing and changes nothing`(deep: Bool, repair: Bool) throws {
        let listing = {
            try shell("find . ! -name '*.db*' -printf '%p %s %T@\n' | sort", in: test.layout.root)
        }
        let before = try listing()
        #expect(try run(deep: deep, repair: repair) == [])
        #expect(try listing() == before)
    }

    @Test func `names the images and containers that an object is needed by, and sets it apart`() throws {
        let path = object(`The collector`.large)
        try damage(path)
        #expect(try run(deep: false) == [])
        let finding = try #require(try run().first)
        #expect(try run().count == 1)
        #expect(finding.kind == .object && finding.outcome == .left && path.exists)
        #expect(finding.images == ["docker.io/library/also:latest", "docker.io/library/first:latest"])
        #expect(finding.containers == ["box"])
        #expect(finding.snapshots == ["work"])
        let repaired = try #require(try run(repair: true).first)
        #expect(repaired.outcome == .setApart && repaired.isOpen && !path.exists)
        let hex =
            "\(path.removingLastComponent().lastComponent?.string ?? "")\(path.lastComponent?.string ?? "")"
        #expect(test.layout.lost.appending("objects/\(hex)").exists)
        // It is still missing.
        #expect(try run(deep: false).map(\.kind) == [.object])
    }

    @Test(arguments: ["index", "pack", "recipe"])
    func `finds a layer of which a file is damaged, missing or cut short`(
        name: String
    ) throws {
        let path = test.layout.layers.appending(shared).appending(name)
        let whole = try OwnedFD.open(path, O_RDONLY).contents(limit: 1 << 20)
        let damages: [() throws -> Void] = [
            { try damage(path) }, { truncate(path.string, off_t(whole.count - 3)) }, { try path.unlink() },
        ]
        for make in damages {
            try path.replace(with: whole, mode: 0o600, durably: false)
            #expect(try run() == [])
            try make()
            let found = try run()
            #expect(found.map(\.kind) == [.layer])
            #expect(found.first?.name == "sha256:\(shared)" && found.first?.containers == ["box"])
        }
        #expect(try run(repair: true).first?.outcome == .setApart)
        #expect(test.layout.lost.appending("layers").appending(shared).exists)
        // What is not damaged is served as before.
        #expect(try test.chain(test.store.image(named: "second").layers)["different"] != nil)
        // Loading it again brings it back.
        try test.image(
            [["small": "in a pack", "large": `The collector`.large], ["other": `The collector`.large + "2"]]
        )
        #expect(try run() == [])
    }

    @Test func `makes a chain again`() throws {
        let chain = test.layout.chains.appending(
            try #require(
                try test.layout.chains.names().map {
                    String(decoding: $0, as: UTF8.self)
                }.first
            )
        )
        let whole = try OwnedFD.open(chain, O_RDONLY).contents(limit: 1 << 20)
        try damage(chain)
        #expect(try run(deep: false).map(\.kind) == [.chain])
        #expect(try run(deep: false, repair: true).map(\.outcome) == [.repaired])
        #expect(try OwnedFD.open(chain, O_RDONLY).contents(limit: 1 << 20) == whole)
        #expect(try run() == [])
    }

    @Test func `makes directories again that hold nothing, and says whose data is gone`() throws {
        let snapshot = try test.layout.snapshot(test.store.snapshot("work").id)
        try snapshot.appending("work").removeTree()
        try test.layout.mounts.removeTree()
        #expect(try run(deep: false).map(\.kind) == [.directory, .snapshot])
        #expect(try run(deep: false, repair: true).map(\.outcome) == [.repaired, .repaired])
        #expect(try run() == [])
        try snapshot.appending("upper").removeTree()
        let finding = try #require(try run(repair: true).first)
        #expect(finding.kind == .snapshot && finding.outcome == .left && finding.snapshots == ["work"])
        #expect(finding.advice?.contains("mica snapshot rm work") == true)
    }

    @Test(.enabled(if: TestStore.isRoot, "sets trusted attributes"))
    func `finds what an upper refers to and the image does not have`() throws {
        let upper = try test.upper("work")
        try test.write("work", "large", "")
        let file = upper.appending("large")
        truncate(file.string, 100)
        try Xattr.set("trusted.overlay.metacopy", [UInt8(ascii: "p")], at: file)
        try upper.appending("moved").makeDirectory()
        try Xattr.set("trusted.overlay.redirect", Array("/nothing".utf8), at: upper.appending("moved"))
        try test.write("work", "alone", "")
        try Xattr.set("trusted.overlay.metacopy", [], at: upper.appending("alone"))
        let found = try run()
        #expect(found.map(\.snapshots) == [["work"], ["work"]])
        #expect(found.contains { $0.problem.hasPrefix("/moved was renamed from /nothing") })
        #expect(found.contains { $0.problem.hasPrefix("/alone has data in the image") })
        #expect(file.exists && upper.appending("alone").exists)
    }

    @Test func `finds a config that is not the image's, and a database that contradicts itself`() throws {
        do {
            let connection = try Connection(test.layout.database)
            try connection.run("UPDATE images SET config = CAST('{}' AS BLOB) WHERE id = 1")
            try connection.execute("PRAGMA foreign_keys = OFF")
            try connection.run("INSERT INTO tags (name, image) VALUES ('x', 999)")
        }
        let found = try run(deep: false)
        #expect(found.map(\.kind) == [.database, .image])
        #expect(found[0].problem.contains("tags"))
    }

    @Test func `puts a new database in the place of one that can't be read`() throws {
        try test.layout.database.replace(with: Array("no database".utf8), mode: 0o600, durably: false)
        #expect(try run().map(\.kind) == [.database])
        _ = try run(repair: true)
        let lost = test.layout.lost.appending("database/mica.db")
        #expect(try OwnedFD.open(lost, O_RDONLY).contents(limit: 100) == Array("no database".utf8))
        #expect(try Store.open(test.layout).images().isEmpty)
        #expect(try run() == [])
    }

    @Test func `of a store that is not there says so, and makes none`() throws {
        let layout = StoreLayout(root: test.base.appending("nowhere"))
        let failure = #expect(throws: Failure.self) {
            try StoreCheck.run(layout, isDeep: true, repairs: true)
        }
        #expect(failure?.kind == .notFound)
        #expect(!layout.root.exists)
    }
}
