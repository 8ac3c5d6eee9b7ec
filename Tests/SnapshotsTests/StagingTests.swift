import Digests
import Foundation
import Layers
import Linux
import Snapshots
import Synchronization
import SystemPackage
import Tar
import Testing

import Glibc

@Suite(.timeLimit(.minutes(40))) struct `The collector, while somebody stages` {
    /// A layer with an object of its own.
    private func stage(_ test: TestStore) throws -> StagedLayer {
        final class Box { var bytes: [UInt8] = [] }
        let box = Box()
        var tar = TarWriter { box.bytes += Array($0) }
        try tar.add(
            TarEntry(path: Array("large".utf8), kind: .file),
            content: Array(`The collector`.large.utf8)
        )
        try tar.finish()
        return try LayerImport(layout: test.layout).stage(MemorySource(box.bytes), named: "a layer")
    }

    private func record(_ layer: StagedLayer, in test: TestStore) throws {
        let new = NewLayer(diffID: layer.diffID, tarSize: layer.tarSize, contentSize: layer.contentSize)
        try test.store.add(image: NewImage(config: Array("{}".utf8), layers: [new], tags: ["made"]))
    }

    /// Whether a thread waits for a lock on this file: /proc/locks has a line with an arrow for each.
    private func isAwaited(_ path: FilePath) throws -> Bool {
        let inode = try path.status().st_ino
        let locks = try OwnedFD.open("/proc/locks", O_RDONLY).contents(limit: 1 << 22)
        return String(decoding: locks, as: UTF8.self).split(separator: "\n").contains {
            $0.contains("->") && $0.contains(":\(inode) ")
        }
    }

    @Test func `waits, and takes nothing of it`() throws {
        let test = try TestStore()
        try test.image([["a": "1"]], named: ["gone"])
        _ = try test.store.removeImage(named: "gone", force: false)
        let lock = try test.store.lockForChange()
        let layer = try stage(test)
        let isDone = Mutex(false)
        let store = try test.reopened()
        let collector = try WorkerThread {
            _ = try? store.collect()
            isDone.withLock { $0 = true }
        }
        while try !isAwaited(test.layout.lock), !isDone.withLock({ $0 }) { usleep(1000) }
        #expect(isDone.withLock { !$0 })
        // Neither while it is in tmp/, nor between its name and its row.
        #expect(try test.layout.tmp.names().count == 1 && test.layout.layers.names().count == 1)
        #expect(try test.reopened().collect(waiting: false) == nil)
        try layer.publish()
        #expect(try test.layout.layers.names().count == 2)
        try record(layer, in: test)
        _ = consume lock
        collector.join()
        #expect(isDone.withLock { $0 })
        #expect(try test.layout.layers.names() == [Array(layer.diffID.hex.utf8)])
        try test.expectWhole("recorded", test.store)
        try test.expectClean("collected", test.store)
    }

    /// The objects have their names, the layer has not: what a program leaves that is killed there.
    @Test(.enabled(if: TestStore.isRoot, "makes a directory immutable"), arguments: [true, false])
    func `that ended between naming objects and naming the layer, leaves nothing`(isLoadedAgain: Bool) throws
    {
        let test = try TestStore()
        let diffID = try {
            // What holds it in tmp/ ends with the program.
            let layer = try stage(test)
            try shell("chattr +i layers", in: test.layout.root)
            defer { _ = try? shell("chattr -i layers", in: test.layout.root) }
            #expect(throws: Failure.self) { try layer.publish() }
            return layer.diffID
        }()
        let object = Array(`The collector`.large.utf8).withUnsafeBytes { TreeHash.digest(of: $0) }
        #expect(
            test.layout.object(object).exists
                && test.layout.layers.appending(diffID.hex).exists == false
        )
        #expect(try test.layout.tmp.names().count == 1)

        let store = try test.reopened()
        #expect(try test.layout.tmp.names().isEmpty)
        if isLoadedAgain {
            let again = try stage(test)
            try again.publish()
            try record(again, in: test)
            try test.expectWhole("loaded again", store)
        }
        #expect(try store.collect()?.problems == [])
        try test.expectClean("collected", store)
        #expect(test.layout.object(object).exists == isLoadedAgain)
        #expect(try StoreCheck.run(test.layout, isDeep: true, repairs: false) == [])
    }

    @Test func `does not enter what is mounted in what it removes, and says where`() throws {
        try #require(geteuid() == 0)
        let test = try TestStore()
        let places = [
            "tmp/left", "snapshots/77/upper/x", "containers/\(String(repeating: "a", count: 64))/rootfs",
        ]
        .map { test.layout.root.appending($0) }
        for place in places {
            try place.makeDirectories()
            try Errno.check(mount("none", place.string, "tmpfs", 0, nil))
            _ = try OwnedFD.open(place.appending("kept"), O_WRONLY | O_CREAT, mode: 0o600)
        }
        defer { for place in places { try? Unmount.unmount(place, .lazy) } }
        let problems = try #require(try test.reopened().collect()).problems.joined(separator: "\n")
        let mounted = MountTable.current().targets(below: test.base)
        #expect(mounted.count == 3)
        for place in mounted {
            #expect(place.appending("kept").exists)
            #expect(
                problems.contains(place.string) || problems.contains(place.removingLastComponent().string)
            )
        }
        for place in mounted { try Unmount.unmount(place, .lazy) }
        #expect(try test.store.collect()?.problems == [])
        try test.expectClean("unmounted", test.store)
    }
}
