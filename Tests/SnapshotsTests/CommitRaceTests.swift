import Digests
import Foundation
import Layers
import Linux
import OCI
import Overlay
import Snapshots
import Synchronization
import SystemPackage
import Testing

import CLinux
import Glibc

/// What happens while a commit walks through an upper. A socket whose name comes first makes it say something when it
/// has read the directory and written nothing of it yet: that is the moment in which things change.
@Suite(.timeLimit(.minutes(40))) struct `A commit of what changes meanwhile` {
    /// Commits `k` and changes its upper in the middle.
    private func commit(_ test: TestStore, meanwhile change: @escaping @Sendable (FilePath) throws -> Void)
        throws
        -> [String: TreeEntry]
    {
        let upper = try test.upper("k")
        try shell(
            "python3 -c 'import socket; socket.socket(socket.AF_UNIX).bind(\"!first\")'",
            in: upper
        )
        let image = try test.store.commit("k", as: nil) { _ in
            do { try change(upper) } catch { Issue.record(error) }
        }
        return try test.chain(image.layers)
    }

    private func prepared(_ layer: [String: String]) throws -> TestStore {
        let test = try TestStore()
        let image = try test.image([layer], named: ["base"])
        try test.store.prepare("k", parent: test.store.topSnapshot(of: image.id))
        return test
    }

    private static let isRoot = TestStore.isRoot

    /// A container may make device nodes, and exchange one with a file: to open it does something to the host. A FIFO
    /// stands in for it, and inotify says who opens it.
    @Test(.timeLimit(.minutes(40))) func `opens no device that is exchanged with a file`() throws {
        let test = try prepared(["kept": "1"])
        let upper = try test.upper("k")
        for number in 0..<30 { try test.write("k", "f\(number)", String(repeating: "x", count: 20_000)) }
        let node = upper.appending("node").string
        try Errno.check(mkfifo(node, 0o600))
        let watch = OwnedFD(
            adopting: try Errno.check(inotify_init1(O_NONBLOCK | O_CLOEXEC))
        )
        try Errno.check(watch.use { inotify_add_watch($0, node, UInt32(IN_OPEN)) })
        let isDone = Mutex(false)
        let writer = Thread {
            var round = 0
            while !isDone.withLock({ $0 }) {
                let file = upper.appending("f\(round / 50 % 30)").string
                _ = clinux_renameat2(AT_FDCWD, node, AT_FDCWD, file, 2)
                _ = clinux_renameat2(AT_FDCWD, node, AT_FDCWD, file, 2)
                round += 1
            }
        }
        writer.start()
        for _ in 0..<15 { _ = try? test.store.commit("k", as: nil) }
        isDone.withLock { $0 = true }
        var event = [UInt8](repeating: 0, count: 4096)
        let count = watch.use { read($0, &event, event.count) }
        #expect(count == -1, "the FIFO was opened")
    }

    @Test func `takes another name of a file whose first one goes`() throws {
        let test = try prepared(["kept": "1"])
        try test.write("k", "a", "linked")
        try shell("mkdir zz; ln a b; ln a c; ln a zz/d", in: test.upper("k"))
        let tree = try commit(test) { upper in try upper.appending("a").unlink() }
        #expect(tree["a"] == nil)
        #expect(tree["b"]?.content == "\(SHA256.digest(of: Array("linked".utf8)))")
        #expect(["b", "c", "zz/d"].map { tree[$0]?.firstName } == ["b", "b", "b"])
    }

    @Test func `leaves out what is gone, of any kind`() throws {
        let test = try prepared(["kept": "1"])
        try test.write("k", "file", "x")
        try test.write("k", "dir/inner", "x")
        try shell("ln -s target link; mkfifo fifo; ln file file2; ln -s t s1; ln s1 s2", in: test.upper("k"))
        let tree = try commit(test) { upper in
            try shell("rm -rf file file2 dir link fifo s1 s2", in: upper)
        }
        #expect(tree.keys.sorted() == ["", "kept"])
    }

    @Test func `takes what has come in the place of something`() throws {
        let test = try prepared(["kept": "1"])
        for name in ["a", "b", "c"] { try test.write("k", name, "old") }
        try test.write("k", "d/old", "x")
        let tree = try commit(test) { upper in
            try shell(
                """
                rm a; mkdir a; echo new > a/f
                rm b; ln -s target b
                echo new > n; mv n c
                rm -r d; mkdir d; echo new > d/new
                """,
                in: upper
            )
        }
        #expect(tree["a/f"] != nil)
        #expect(tree["b"]?.content == "target")
        #expect(tree["c"]?.content == "\(SHA256.digest(of: Array("new\n".utf8)))")
        #expect(tree["d/new"] != nil && tree["d/old"] == nil)
    }

    @Test(.enabled(if: isRoot, "gives links away"))
    func `takes what has come in the place of a second name, or of a link, and mixes nothing`() throws {
        let test = try prepared(["kept": "1"])
        try test.write("k", "a", "old")
        try shell(
            "setfattr -n user.x -v old a; ln a b; ln -s one s; chown -h 5:5 s",
            in: test.upper("k")
        )
        let tree = try commit(test) { upper in
            try shell("echo new > n; mv n b; ln -s another n; mv -T n s", in: upper)
        }
        #expect(tree["a"]?.content == "\(SHA256.digest(of: Array("old".utf8)))")
        #expect(tree["b"]?.content == "\(SHA256.digest(of: Array("new\n".utf8)))")
        #expect(tree["b"]?.xattrs == [:] && tree["a"]?.xattrs == ["user.x": Array("old".utf8)])
        #expect(tree["s"]?.content == "another" && tree["s"]?.uid == 0)
    }

    @Test(.enabled(if: isRoot, "makes whiteouts")) func `shows nothing of the image that was deleted`() throws
    {
        let test = try prepared(["a": "old", "d/secret": "old", "d/x": "old", "e/y": "old"])
        try test.write("k", "a", "changed")
        try test.write("k", "d/x", "changed")
        try test.write("k", "e/z", "changed")
        try shell("mknod d/secret c 0 0", in: test.upper("k"))
        let tree = try commit(test) { upper in
            try shell(
                """
                rm a; mknod a c 0 0
                rm -r d; mknod d c 0 0
                rm -r e; mkdir e; setfattr -n trusted.overlay.opaque -v y e; echo new > e/new
                """,
                in: upper
            )
        }
        #expect(tree.keys.sorted() == ["", "e", "e/new"])
    }

    @Test(.enabled(if: isRoot, "sets trusted attributes"))
    func `has zeros where a file was cut off that grew again, and not what the image has there`() throws {
        let old = String(repeating: "0123456789abcdef", count: 64 << 10)
        let test = try prepared(["large": old])
        let lower = try test.store.image(named: "base").layers
        let file = try test.upper("k").appending("large")
        do {
            let fd = try OwnedFD.open(file, O_RDWR | O_CREAT, mode: 0o644)
            try fd.truncate(to: UInt64(old.utf8.count))
            try Xattr.set("trusted.overlay.metacopy", [UInt8(ascii: "p")], of: fd)
        }
        // As micafs does it: the limit is noted before the file grows.
        let cut: @Sendable (FilePath) throws -> Void = { _ in
            let fd = try OwnedFD.open(file, O_RDWR)
            try fd.truncate(to: 100_000)
            let limit = withUnsafeBytes(of: UInt64(100_000).littleEndian) { Array($0) }
            try Xattr.set("trusted.overlay.mica.limit", limit, of: fd)
            try fd.truncate(to: UInt64(old.utf8.count))
        }
        let tree = try commit(test, meanwhile: cut)
        var expected = Array(old.utf8)
        for position in 100_000..<expected.count { expected[position] = 0 }
        #expect(tree["large"]?.content == "\(SHA256.digest(of: expected))")

        // And in the middle of the file.
        let index = try ChainStore(layout: test.layout).index(for: lower)
        let entry = try #require(
            try Array("large".utf8).withUnsafeBytes { try index.lookup($0, in: UInt32(0)) }
        )
        let inode = try index.inode(entry.inode)
        let contents = LayerContents(layout: test.layout, index: index)
        try file.unlink()
        do {
            let fd = try OwnedFD.open(file, O_RDWR | O_CREAT, mode: 0o644)
            try fd.truncate(to: UInt64(old.utf8.count))
            try Xattr.set("trusted.overlay.metacopy", [UInt8(ascii: "p")], of: fd)
        }
        let partial = try PartialUpper(OpenFile(OwnedFD.open(file, O_RDONLY)), [.trusted])
        var found = [UInt8](repeating: 1, count: old.utf8.count)
        let half = found.count / 2
        try found.withUnsafeMutableBytes { buffer in
            let pieces = [buffer[..<half], buffer[half...]].map {
                UnsafeMutableRawBufferPointer(rebasing: $0)
            }
            func read(_ piece: UnsafeMutableRawBufferPointer, at offset: Int) throws -> Int {
                try partial.read(into: piece, at: UInt64(offset), over: inode.size) {
                    try contents.read(inode, into: $0, at: $1)
                }
            }
            #expect(try read(pieces[0], at: 0) == half)
            try cut(file)
            #expect(try read(pieces[1], at: half) == pieces[1].count)
        }
        #expect(found[..<half] == Array(old.utf8)[..<half])
        #expect(found[half...].allSatisfy { $0 == 0 })
    }

    @Test func `to a snapshot holds what a mount takes until the directory is gone`() throws {
        let test = try prepared(["kept": "1"])
        try test.write("k", "new", "x")
        try shell(
            "python3 -c 'import socket; socket.socket(socket.AF_UNIX).bind(\"!first\")'",
            in: test.upper("k")
        )
        let directory = try test.layout.snapshot(test.store.snapshot("k").id)
        try test.store.commit(name: "done", key: "k") { _ in
            do {
                let work = try OwnedFD.open(directory.appending("work"), O_RDONLY | O_DIRECTORY)
                #expect(work.use { flock($0, LOCK_EX | LOCK_NB) } == -1)
            } catch {
                Issue.record(error)
            }
        }
        #expect(!directory.exists)
        #expect(try test.chain(test.store.snapshot("done").layers)["new"] != nil)
    }

    @Test func `to a snapshot is refused while somebody has it mounted, on record or not`() throws {
        let test = try prepared(["kept": "1"])
        try test.write("k", "new", "x")
        let directory = try test.layout.snapshot(test.store.snapshot("k").id)
        do {
            let work = try OwnedFD.open(directory.appending("work"), O_RDONLY | O_DIRECTORY)
            #expect(work.use { flock($0, LOCK_EX | LOCK_NB) } == 0)
            #expect(refusal { try test.store.commit(name: "done", key: "k") } == .failedPrecondition)
            // What the collector would not know to be in use.
            let copy = test.layout.snapshots.appending("99")
            try copy.appending("work").makeDirectories()
            let other = try OwnedFD.open(copy.appending("work"), O_RDONLY | O_DIRECTORY)
            #expect(other.use { flock($0, LOCK_EX | LOCK_NB) } == 0)
            let collection = try #require(try test.store.collect())
            #expect(collection.problems.contains { $0.contains("\(copy)") })
            #expect(copy.exists)
            work.stay()
            other.stay()
        }
        #expect(try test.store.collect()?.problems == [])
        try test.store.commit(name: "done", key: "k")
        #expect(try test.chain(test.store.snapshot("done").layers)["new"] != nil)
    }

    @Test func `says so where it can't find the way back out of a directory that was moved`() throws {
        let test = try prepared(["kept": "1"])
        let way = Array(repeating: "d", count: 60)
        try test.write("k", (way + ["inner"]).joined(separator: "/"), "x")
        try test.write("k", "d/d/last", "x")
        let upper = try test.upper("k")
        // Below what is open at the same time; the socket is what says that the walk is there.
        try shell(
            "cd \(way.joined(separator: "/")); python3 -c 'import socket; socket.socket(socket.AF_UNIX).bind(\"!\")'",
            in: upper
        )
        let failure = #expect(throws: Failure.self) {
            try test.store.commit("k", as: nil) { _ in
                do { try shell("mv d/d/d/d moved", in: upper) } catch { Issue.record(error) }
            }
        }
        #expect(failure?.description.contains("/d/d/d/d was moved while it was read") == true)
        try shell("mv moved d/d/d/d", in: upper)
        let image = try test.store.commit("k", as: nil)
        let tree = try test.chain(image.layers)
        #expect(tree["d/d/last"] != nil && tree[(way + ["inner"]).joined(separator: "/")] != nil)
    }

    @Test func `to a snapshot leaves everything as it was where somebody else took the name meanwhile`()
        throws
    {
        let test = try prepared(["kept": "1"])
        try test.write("k", "precious", "data")
        let upper = try test.upper("k")
        try shell("python3 -c 'import socket; socket.socket(socket.AF_UNIX).bind(\"!first\")'", in: upper)
        let layout = test.layout
        let failure = #expect(throws: Failure.self) {
            try test.store.commit(name: "done", key: "k") { _ in
                do {
                    let other = try Store.open(layout)
                    try other.prepare("other", parent: nil)
                    try other.commit(name: "done", key: "other")
                } catch {
                    Issue.record(error)
                }
            }
        }
        #expect(failure?.kind == .alreadyExists)
        #expect(try test.upper("k") == upper)
        #expect(upper.appending("precious").exists)
        try test.store.commit(name: "afterwards", key: "k")
        #expect(!upper.exists)
    }
}
