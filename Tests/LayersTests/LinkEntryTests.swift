import Digests
import Layers
import Linux
import Tar
import Testing

/// A hard link's entry says things of its own about the file that it is another name of.
@Suite(.timeLimit(.minutes(40))) struct `A hard link's own entry` {
    private func link(_ name: String, _ change: (inout TarEntry) -> Void) -> Made {
        var made = Made.link(name, "a")
        change(&made.entry)
        return made
    }

    @Test func `changes the file under all its names, as docker, containerd and podman have it`() throws {
        let store = try TestStore()
        var first = Made.file("a", "content", mode: 0o4755)
        (first.entry.uid, first.entry.gid) = (1000, 1000)
        first.entry.modified = .init(seconds: 5, nanoseconds: 7)
        first.entry.xattrs = [
            .init(name: Array("user.kept".utf8), value: [1]), .init(name: Array("user.new".utf8), value: [1]),
            .init(name: Array("security.capability".utf8), value: [1]),
        ]
        let second = link("b") { entry in
            entry.mode = 0o600
            (entry.uid, entry.gid) = (7, 8)
            entry.modified = .init(seconds: 9, nanoseconds: 1)
            entry.xattrs = [.init(name: Array("user.new".utf8), value: [2])]
        }
        let diffID = try store.load(try tar([first, second])).diffID
        let tree = try store.tree(diffID)
        for name in ["a", "b"] {
            let record = try #require(tree[name]?.record)
            #expect(record.mode == 0o100600)
            #expect((record.uid, record.gid) == (7, 8))
            #expect(record.mtimeSeconds == 9 && record.mtimeNanoseconds == 1)
            #expect(tree[name]?.content == Array("content".utf8))
            let index = try ChainStore(layout: store.layout).layer(diffID)
            var xattrs: [String: [UInt8]] = [:]
            try index.forEachXattr(of: record) { (name, value) throws(FSError) in
                xattrs[String(decoding: name, as: UTF8.self)] = Array(value)
                return true
            }
            #expect(xattrs == ["user.kept": [1], "user.new": [2]])
        }
        #expect(tree["a"]?.number == tree["b"]?.number)
    }

    @Test func `leaves the mode of a symbolic link alone`() throws {
        let store = try TestStore()
        let second = link("b") { entry in entry.mode = 0o600 }
        let tree = try store.tree(store.load(try tar([.symlink("a", "target"), second])).diffID)
        #expect(tree["b"]?.record.mode == 0o120777)
        #expect(tree["a"]?.target == "target")
    }
}
