import Dockerfile
import Digests
import Foundation
import Layers
import Linux
import OCI
import Snapshots
import Synchronization
import SystemPackage
import Testing

import CLinux
import Glibc

@Suite(.timeLimit(.minutes(40))) struct `A commit` {
    private func config(of image: ImageRecord) throws -> JSONValue {
        try JSONDocument.decode(JSONValue.self, from: image.config, name: "config")
    }

    private func prepared(_ test: TestStore) throws -> ImageRecord {
        let image = try test.image([["a": "1", "d/x": "2"], ["b": "3"]], named: ["base"])
        try test.store.prepare("k", parent: test.store.topSnapshot(of: image.id))
        return image
    }

    @Test func `keeps the parent's config and adds a layer, a time and a line of history`() throws {
        let test = try TestStore()
        let base = try prepared(test)
        try test.write("k", "new", "data")
        let options = CommitOptions(
            message: "why",
            author: "me",
            changes: try [
                "CMD [\"run\", \"me\"]", "ENV A=1 B=\"two words\"", "WORKDIR /srv", "USER nobody",
                "LABEL x=y",
                "EXPOSE 80", "VOLUME /data", "STOPSIGNAL SIGINT",
            ].map { try ConfigChange($0) }
        )
        let image = try test.store.commit("k", as: "made", options: options)
        #expect(image.tags == ["docker.io/library/made:latest"])
        #expect(image.layers.count == 3 && Array(image.layers.prefix(2)) == base.layers)
        #expect(SHA256.digest(of: image.config) == image.id)
        let config = try config(of: image)
        #expect(config["author"] == .string("me"))
        #expect(config["os"] == .string("linux"))
        #expect(config["rootfs"]?["diff_ids"] == .array(image.layers.map { .string("\($0)") }))
        let process = try #require(config["config"])
        #expect(process["Cmd"] == .array([.string("run"), .string("me")]))
        #expect(process["Env"] == .array([.string("A=1"), .string("B=two words")]))
        #expect(process["WorkingDir"] == .string("/srv"))
        #expect(process["User"] == .string("nobody"))
        #expect(process["Labels"] == .object(["x": .string("y")]))
        #expect(process["ExposedPorts"] == .object(["80/tcp": .object([:])]))
        #expect(process["Volumes"] == .object(["/data": .object([:])]))
        #expect(process["StopSignal"] == .string("SIGINT"))
        guard case .array(let history)? = config["history"] else { throw Failure("no history") }
        #expect(history.last?["comment"] == .string("why"))
        #expect(abs(image.created - Int64(time(nil))) < 60)
        #expect(try test.chain(image.layers).keys.sorted() == ["", "a", "b", "d", "d/x", "new"])
    }

    @Test func `passes on what it does not know of`() throws {
        let test = try TestStore()
        let layer = try test.layer(["a": "1"])
        let json = """
            {"os":"linux","architecture":"amd64","x-vendor":{"deep":[1,2.5,null]},"rootfs":{"type":"layers",\
            "diff_ids":["\(layer.diffID)"]},"config":{"Cmd":["old"],"OnBuild":["RUN x"],"Shell":["/bin/x"]}}
            """
        let image = try test.store.add(
            image: NewImage(config: Array(json.utf8), layers: [layer], tags: ["odd"])
        )
        try test.store.prepare("k", parent: test.store.topSnapshot(of: image.id))
        let change = try ConfigChange("ENTRYPOINT [\"/init\"]")
        let made = try config(of: test.store.commit("k", as: nil, options: CommitOptions(changes: [change])))
        #expect(made["x-vendor"] == .object(["deep": .array([.integer(1), .number(2.5), .null])]))
        #expect(made["config"]?["OnBuild"] == .array([.string("RUN x")]))
        #expect(made["config"]?["Shell"] == .array([.string("/bin/x")]))
        #expect(made["config"]?["Entrypoint"] == .array([.string("/init")]))
        #expect(made["config"]?["Cmd"] == nil)
    }

    @Test func `changes of a config what it is told to, and nothing else`() throws {
        let test = try TestStore()
        let layer = try test.layer(["a": "1"])
        let process = """
            {"cmd":"old","Healthcheck":{"Test":["NONE"],"StartInterval":5,"Odd":{}},"ENV":["A=1"],"Labels":null,\
            "ExposedPorts":{"80/tcp":null},"Vendor":9007199254740993}
            """
        let json = """
            {"os":"linux","Author":"first","Created":"0001-01-01T00:00:00Z","RootFS":{"type":"layers",\
            "DIFF_IDS":["\(layer.diffID)"]},"config":\(process)}
            """
        let image = try test.store.add(
            image: NewImage(config: Array(json.utf8), layers: [layer], tags: ["odd"])
        )
        #expect(image.created == 0)
        try test.store.prepare("k", parent: test.store.topSnapshot(of: image.id))
        let same = try config(of: test.store.commit("k", as: nil))
        let parsed = try JSONDocument.decode(JSONValue.self, from: Array(process.utf8), name: "it")
        #expect(same["config"] == parsed)
        #expect(
            same["author"] == nil && same["Author"] == nil && same["Created"] == nil && same["RootFS"] == nil
        )
        let change = try ConfigChange("ENV B=$A\nHEALTHCHECK CMD x")
        let made = try config(of: test.store.commit("k", as: nil, options: CommitOptions(changes: [change])))
        var expected = parsed
        expected["ENV"] = nil
        expected["Env"] = .array([.string("A=1"), .string("B=1")])
        expected["Healthcheck"] = .object(["Test": .array([.string("CMD-SHELL"), .string("x")])])
        #expect(made["config"] == expected)
    }

    @Test(arguments: [
        (nil, 2), ("[]", 2), (#"[{"created_by":"x"}]"#, 1), (#"[{},{"empty_layer":true},{}]"#, 0),
    ])
    func `writes its line of history where the layer is, also behind a history that is too short`(
        history: String?,
        missing: Int
    ) throws {
        let test = try TestStore()
        let layers = try [test.layer(["a": "1"]), test.layer(["b": "1"])]
        let diffIDs = layers.map { "\"\($0.diffID)\"" }.joined(separator: ",")
        let json =
            #"{"os":"linux","rootfs":{"type":"layers","diff_ids":[\#(diffIDs)]}"#
            + (history.map { #","history":\#($0)"# } ?? "") + "}"
        let image = try test.store.add(
            image: NewImage(config: Array(json.utf8), layers: layers, tags: ["short"])
        )
        try test.store.prepare("k", parent: test.store.topSnapshot(of: image.id))
        let made = try ImageConfig(json: test.store.commit("k", as: nil).config, name: "it")
        #expect(made.history?.count { $0.emptyLayer != true } == 3)
        #expect(made.history?.last?.createdBy == "mica commit")
        #expect(made.history?.count { $0.createdBy == "unknown" } == missing)
    }

    @Test func `of a container leaves out what is in its image's volumes, and says so`() throws {
        let test = try TestStore()
        let layer = try test.layer(
            ["data/old": "1", "run/x": "2", "other/y": "3"],
            links: ["var/run": "../run"]
        )
        let json = """
            {"os":"linux","config":{"Volumes":{"/data/":{},"/new/dir":{},"/var/run/deep":{},"/":{},"/never":{}}},\
            "rootfs":{"type":"layers","diff_ids":["\(layer.diffID)"]}}
            """
        let image = try test.store.add(
            image: NewImage(config: Array(json.utf8), layers: [layer], tags: ["volumes"])
        )
        let box = try test.container("box", of: image)
        for file in ["data/new", "data/sub/x", "new/dir/x", "new/kept", "run/deep/x", "run/kept", "database"]
        {
            try test.write(box.snapshot, file, "x")
        }
        let warnings = Mutex<[String]>([])
        let made = try test.store.commit("box", as: nil) { warning in warnings.withLock { $0.append(warning) }
        }
        let tree = try test.chain(made.layers)
        #expect(
            tree.keys.sorted() == [
                "", "data", "data/old", "database", "new", "new/dir", "new/kept", "other", "other/y", "run",
                "run/deep", "run/kept", "run/x", "var", "var/run",
            ]
        )
        #expect(tree["data"] == (try test.chain(image.layers))["data"])
        #expect(
            warnings.withLock { $0.sorted() }.map { $0.prefix { $0 != " " } } == [
                "/data", "/new/dir", "/run/deep",
            ]
        )
        // Who mounts the image itself means what he writes.
        try test.store.prepare("k", parent: test.store.topSnapshot(of: image.id))
        try test.write("k", "data/new", "x")
        #expect(try test.chain(test.store.commit("k", as: nil).layers)["data/new"] != nil)
    }

    @Test(arguments: ["deleted", "a file"]) func `of a container has its image's volume as it was`(
        how: String
    ) throws {
        let test = try TestStore()
        let layer = try test.layer(["data/old": "1", "a": "2"])
        let json = """
            {"os":"linux","config":{"Volumes":{"/data":{}}},"rootfs":{"type":"layers","diff_ids":["\(layer.diffID)"]}}
            """
        let image = try test.store.add(
            image: NewImage(config: Array(json.utf8), layers: [layer], tags: ["volumes"])
        )
        let box = try test.container("box", of: image)
        if how == "a file" {
            try test.write(box.snapshot, "data", "now a file")
        } else {
            try shell("mknod data c 0 0", in: test.upper(box.snapshot))
        }
        let made = try test.store.commit("box", as: nil)
        #expect(try test.chain(made.layers).keys.sorted() == ["", "a", "data", "data/old"])
    }

    @Test func `of the same changes is the same layer`() throws {
        let test = try TestStore()
        _ = try prepared(test)
        for number in 0..<50 { try test.write("k", "d/\(number)", "\(number)") }
        let first = try test.store.commit("k", as: nil)
        let second = try test.store.commit("k", as: nil)
        #expect(first.layers == second.layers)
    }

    @Test func `of a container names its image's config`() throws {
        let test = try TestStore()
        let base = try test.image([["a": "1"]], named: ["base"], note: "somebody")
        let box = try test.container("box", of: base)
        try test.write(box.snapshot, "f", "x")
        let image = try test.store.commit("box", as: "boxed")
        #expect(try config(of: image)["os"] == .string("linux"))
        #expect(image.layers.count == 2)
    }

    @Test func `refuses a name that a layer can't hold, and names it`() throws {
        let test = try TestStore()
        _ = try prepared(test)
        try test.write("k", "d/.wh.precious", "data")
        let failure = #expect(throws: Failure.self) { try test.store.commit("k", as: "x") }
        #expect(failure?.message.contains("/d/.wh.precious") == true)
        #expect(try test.store.images().count == 1)
        #expect(try test.layout.tmp.names().isEmpty)
        #expect(try test.layout.layers.names().count == 2)
    }

    @Test func `leaves out sockets and says so`() throws {
        let test = try TestStore()
        _ = try prepared(test)
        try shell(
            "python3 -c 'import socket; socket.socket(socket.AF_UNIX).bind(\"sock\")'",
            in: test.upper("k")
        )
        let warnings = Mutex<[String]>([])
        let image = try test.store.commit("k", as: nil) { warning in warnings.withLock { $0.append(warning) }
        }
        #expect(warnings.withLock { $0 }.map { $0.hasPrefix("/sock is a socket") } == [true])
        #expect(try test.chain(image.layers)["sock"] == nil)
    }

    @Test func `refuses what has no upper, and a bad name before any work`() throws {
        let test = try TestStore()
        let base = try prepared(test)
        #expect(refusal { _ = try test.store.commit("base", as: "x") } == .failedPrecondition)
        #expect(refusal { _ = try test.store.commit("nothing", as: "x") } == .notFound)
        #expect(throws: Failure.self) { try test.store.commit("k", as: "Not A Name") }
        #expect(try test.store.images().map(\.id) == [base.id])
    }

    @Test(.enabled(if: TestStore.isRoot, "needs root for trusted attributes"))
    func `strips the overlay's own attributes and unescapes those of an inner one`() throws {
        let test = try TestStore()
        _ = try prepared(test)
        try test.write("k", "f", "x")
        let file = try test.upper("k").appending("f")
        for name in [
            "trusted.overlay.origin", "trusted.overlay.mica.ino", "user.overlay.impure", "user.kept",
        ] as [XattrName] {
            try Xattr.set(name, [1], at: file)
        }
        try Xattr.set("trusted.overlay.overlay.opaque", [0x79], at: file)
        try Xattr.set("trusted.overlay.overlay.overlay.redirect", [2], at: file)
        let entry = try #require(try test.chain(test.store.commit("k", as: nil).layers)["f"])
        #expect(
            entry.xattrs == [
                "user.kept": [1], "trusted.overlay.opaque": [0x79], "trusted.overlay.overlay.redirect": [2],
            ]
        )
    }

    @Test func `keeps names of attributes that are no text apart`() throws {
        let test = try TestStore()
        _ = try prepared(test)
        try test.write("k", "f", "x")
        let file = try test.upper("k").appending("f")
        let names = [[0xff], [0xfe], Array("\u{e9}".utf8), Array("e\u{301}".utf8)].map {
            "user." + XattrName($0)
        }
        for (number, name) in names.enumerated() { try Xattr.set(name, [UInt8(number)], at: file) }
        let index = try ChainStore(layout: test.layout).index(
            for: test.store.commit("k", as: nil).layers
        )
        let inode = try #require(try Array("f".utf8).withUnsafeBytes { try index.lookup($0, in: 0)?.inode })
        var found: [XattrName: [UInt8]] = [:]
        try index.forEachXattr(of: index.inode(inode)) { (name, value) throws(FSError) in
            found[XattrName(name)] = [UInt8](value)
            return true
        }
        for (number, name) in names.enumerated() { #expect(found[name] == [UInt8(number)]) }
    }

    /// A kernel overlay's users may set such an attribute on a set-user-ID file of theirs.
    @Test(.enabled(if: TestStore.isRoot, "needs root for other owners"))
    func `by root believes no attribute that says whose a file is`()
        throws
    {
        let test = try TestStore()
        _ = try prepared(test)
        try test.write("k", "f", "x")
        let upper = try test.upper("k")
        let (theirs, own) = (upper.appending("f"), upper.appending("root's"))
        try test.write("k", "root's", "x")
        try Errno.check(chown(theirs.string, 1000, 1000))
        try Xattr.set("user.overlay.mica.owner", Array("0:0".utf8), at: theirs)
        for file in [own, upper] { try Xattr.set("user.overlay.mica.owner", Array("7:7".utf8), at: file) }
        func owners() throws -> [UInt32?] {
            let tree = try test.chain(test.store.commit("k", as: nil).layers)
            return ["f", "root's", ""].map { tree[$0]?.uid }
        }
        try #expect(owners() == [1000, 0, 0])
        try Xattr.set("trusted.overlay.mica.upper", [0x79], at: upper)
        try #expect(owners() == [1000, 0, 0])
        try Errno.check(removexattr(upper.string, "trusted.overlay.mica.upper"))
        try Xattr.set("user.overlay.mica.upper", [0x79], at: upper)
        try #expect(owners() == [1000, 0, 0])
    }

    @Test(.enabled(if: TestStore.isRoot, "needs root for trusted attributes"))
    func `takes empty files for whiteouts where the directory says so`() throws {
        let test = try TestStore()
        _ = try prepared(test)
        let upper = try test.upper("k")
        try test.write("k", "d/x", "")
        try Xattr.set("trusted.overlay.whiteout", [0x79], at: upper.appending("d/x"))
        #expect(try test.chain(test.store.commit("k", as: nil).layers)["d/x"] != nil)
        try Xattr.set("trusted.overlay.opaque", [0x78], at: upper.appending("d"))
        #expect(try test.chain(test.store.commit("k", as: nil).layers)["d/x"] == nil)
    }

    @Test func `of files that change meanwhile is still a whole layer`() throws {
        let test = try TestStore()
        _ = try prepared(test)
        for number in 0..<40 { try test.write("k", "f\(number)", String(repeating: "x", count: 200_000)) }
        let upper = try test.upper("k")
        let isDone = Mutex(false)
        let writer = Thread {
            var round = 0
            while !isDone.withLock({ $0 }) {
                let path = upper.appending("f\(round % 40)").string
                truncate(path, round % 3 == 0 ? 10 : 500_000)
                if round % 7 == 0 { unlink(path) }
                round += 1
            }
        }
        writer.start()
        defer { isDone.withLock { $0 = true } }
        for _ in 0..<5 {
            let image = try test.store.commit("k", as: nil)
            _ = try test.chain(image.layers)
        }
    }
}
