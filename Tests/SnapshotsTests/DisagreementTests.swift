import Foundation
import Layers
import Linux
import Snapshots
import SystemPackage
import Testing

import Glibc

/// A database that is not the one the store's directories belong to.
@Suite(.timeLimit(.minutes(40))) struct `A store that has lost its database` {
    /// How it was lost.
    enum Loss: CaseIterable, Sendable {
        case all, emptied, gone, log, older
        /// The file that counts changes is as old.
        case olderWithItsCount

        var isOlder: Bool { self == .older || self == .olderWithItsCount }

        /// `copy`: what the database was before the last image.
        func happen(to layout: StoreLayout, copy: FilePath) throws {
            let log = FilePath("\(layout.database)-wal")
            switch self {
            case .all:
                for suffix in ["", "-wal", "-shm"] { try FilePath("\(layout.database)\(suffix)").unlink() }
            case .emptied: truncate(layout.database.string, 0)
            case .gone: try layout.database.unlink()
            case .log: try log.unlink()
            case .older, .olderWithItsCount:
                if self == .olderWithItsCount {
                    try FilePath("\(copy).generation").rename(to: layout.generation)
                }
                for suffix in ["", "-wal", "-shm"] { try FilePath("\(layout.database)\(suffix)").unlink() }
                for suffix in ["", "-wal"] {
                    try FilePath("\(copy)\(suffix)").rename(to: FilePath("\(layout.database)\(suffix)"))
                }
            }
        }
    }

    /// A store with two images, a snapshot and a container, to which no process has a connection any more, and a copy of the
    /// database from before the second image.
    private func filled() throws -> (TestStore, FilePath) {
        let test = try TestStore()
        let copy = test.base.appending("copy.db")
        do {
            let store = try test.reopened()
            let other = TestStore(sharing: test, store)
            let image = try other.image([["a": "1", "large": `The collector`.large]], named: ["one"])
            for suffix in ["", "-wal"] {
                let bytes = try OwnedFD.open(FilePath("\(test.layout.database)\(suffix)"), O_RDONLY)
                    .contents(limit: 1 << 24)
                try FilePath("\(copy)\(suffix)").replace(with: bytes, mode: 0o600, durably: false)
            }
            let generation = try OwnedFD.open(test.layout.generation, O_RDONLY).contents(limit: 100)
            try FilePath("\(copy).generation").replace(with: generation, mode: 0o600, durably: false)
            try other.image([["b": "2"]], named: ["two"])
            try store.prepare("work", parent: store.topSnapshot(of: image.id))
            try other.write("work", "precious", "data")
            let box = try other.container("box", of: image)
            try test.layout.container(box.id).makeDirectory()
        }
        return (test, copy)
    }

    private func listing(_ layout: StoreLayout) throws -> [String] {
        try shell("find layers objects snapshots containers | sort", in: layout.root).split(separator: "\n")
            .map(String.init)
    }

    @Test(arguments: Loss.allCases) func `is refused by whoever opens it, and nothing is freed`(loss: Loss)
        throws
    {
        let (test, copy) = try filled()
        let before = try listing(test.layout)
        try loss.happen(to: test.layout, copy: copy)
        for attempt in [
            { _ = try Store.open(test.layout).images() }, { _ = try Store.open(test.layout).collect() },
            { try Store.open(test.layout).prepare("new", parent: nil) },
            { _ = try Store.open(test.layout).removeImage(named: "one", force: true) },
        ] as [() throws -> Void] {
            let failure = #expect(throws: Failure.self) { try attempt() }
            #expect(failure?.advice?.contains("mica fsck") == true)
        }
        #expect(try listing(test.layout) == before)
        if loss == .all || loss == .gone { #expect(!test.layout.database.exists) }
    }

    @Test(arguments: Loss.allCases)
    func `works again once it was repaired, and everything that was in it is there`(loss: Loss) throws {
        let (test, copy) = try filled()
        let upper = try test.upper("work")
        let number = upper.removingLastComponent().lastComponent?.string ?? ""
        let files = { (places: String) in
            Set(
                try shell("find \(places) -type f -exec sha256sum {} + | cut -c-64", in: test.layout.root)
                    .split(separator: "\n")
            )
        }
        let before = try files("layers objects snapshots containers")
        try loss.happen(to: test.layout, copy: copy)
        let reported = try StoreCheck.run(test.layout, isDeep: false, repairs: false)
        #expect(reported.map(\.kind) == [.database] && reported.allSatisfy { $0.isOpen })
        let repaired = try StoreCheck.run(test.layout, isDeep: true, repairs: true)
        #expect(repaired.first?.kind == .database && repaired.first?.outcome == .repaired)
        #expect(repaired.allSatisfy { !$0.isOpen })
        // Set apart, nothing removed.
        let lost = test.layout.lost.appending("snapshots/\(number)/upper/precious")
        #expect(try OwnedFD.open(lost, O_RDONLY).contents(limit: 10) == Array("data".utf8))

        let store = try Store.open(test.layout)
        #expect(try store.collect()?.problems == [])
        #expect(try store.images().map(\.tags) == (loss.isOlder ? [["docker.io/library/one:latest"]] : []))
        let other = TestStore(sharing: test, store)
        try other.image([["b": "2"]], named: ["two"])
        try store.prepare("work", parent: nil)
        #expect(try "\(store.snapshot("work").id)" != number)
        try test.expectWhole("repaired", store)
        #expect(try StoreCheck.run(test.layout, isDeep: true, repairs: false) == [])
        #expect(try files(".").isSuperset(of: before))
    }

    @Test
    func `is not what one is that was just made, or whose writer was killed before it noted the change`()
        throws
    {
        let test = try TestStore()
        #expect(try test.reopened().images().isEmpty)
        try test.image([["a": "1"]], named: ["one"])
        let noted = try OwnedFD.open(test.layout.generation, O_RDONLY).contents(limit: 100)
        try test.image([["b": "2"]], named: ["two"])
        try test.layout.generation.replace(with: noted, mode: 0o600, durably: false)
        #expect(try test.reopened().images().count == 2)
        try test.layout.generation.unlink()
        #expect(try test.reopened().images().count == 2)
        for directory in [test.layout.layers, test.layout.snapshots] {
            try Xattr.set("user.mica.generation", noted, at: directory)
            #expect(try test.reopened().images().count == 2)
        }
    }

    @Test func `has its tables in the database itself from the start`() throws {
        let test = try TestStore()
        try test.reopened().lease("l", expires: nil, holding: [])
        for suffix in ["-wal", "-shm"] { try FilePath("\(test.layout.database)\(suffix)").unlink() }
        let connection = try Connection(test.layout.database)
        #expect(try Schema.version(of: connection) == Schema.current)
    }

    @Test func `does not remove a snapshot that it does not know, to give its number to another`() throws {
        let test = try TestStore()
        try test.store.prepare("first", parent: nil)
        let next = try test.store.snapshot("first").id + 1
        let forgotten = test.layout.snapshot(next).appending("upper")
        try forgotten.makeDirectories(mode: 0o700)
        try forgotten.appending("precious").replace(with: Array("data".utf8), mode: 0o600, durably: false)
        try test.store.prepare("second", parent: nil)
        #expect(try test.store.snapshot("second").id == next)
        #expect(try forgotten.names().isEmpty)
        let kept = test.layout.lost.appending("snapshots/\(next)/upper/precious")
        #expect(try OwnedFD.open(kept, O_RDONLY).contents(limit: 10) == Array("data".utf8))
        #expect(try test.store.collect()?.problems == [])
        #expect(kept.exists)
    }
}
