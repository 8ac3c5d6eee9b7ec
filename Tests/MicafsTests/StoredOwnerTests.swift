import FUSE
import Glibc
import Linux
import Mount
import Nodes
import SystemPackage
import Testing

private let attribute: XattrName = "user.containers.override_stat"

@Suite(.timeLimit(.minutes(40))) struct `Owners kept in an attribute` {
    private let below = RecordingTree(isUnprivileged: true)
    private let tree: any Operations

    init() {
        var options = IdentityOptions()
        options.ownerStore = .user
        tree = options.apply(to: below)
    }

    private func stored(_ node: UInt64) -> String? {
        below[node]?.xattrs[attribute].map { String(decoding: $0, as: UTF8.self) }
    }

    @Test(
        arguments: [
            ("0:0:755", S_IFREG | 0o755, 0, 0, 0), ("1000:1001:4711:file", S_IFREG | 0o4711, 1000, 1001, 0),
            ("1:2:0644:file", S_IFREG | 0o644, 1, 2, 0), ("0:6:660:block-8-1", S_IFBLK | 0o660, 0, 6, 0x801),
            ("0:0:666:char1:3", S_IFCHR | 0o666, 0, 0, 0x103), ("5:6:600:pipe", S_IFIFO | 0o600, 5, 6, 0),
            ("5:6:777:symlink", S_IFLNK | 0o777, 5, 6, 0), ("5:6:100600", S_IFREG | 0o600, 5, 6, 0),
        ] as [(String, UInt32, UInt32, UInt32, UInt32)]
    )
    func `are shown as they are written`(text: String, mode: UInt32, uid: UInt32, gid: UInt32, rdev: UInt32)
        throws
    {
        below.add(2, "file", mode: S_IFREG | 0o755, uid: 42, gid: 42, xattrs: [attribute: text])
        let status = try #require(try tree.find("file"))
        #expect((status.mode, status.uid, status.gid, status.rdev) == (mode, uid, gid, rdev))
        #expect(try tree.attributes(of: 2).mode == mode)
    }

    @Test(arguments: ["", "0:0", "a:0:755", "0:0:8", "0:0:755:bogus", "0:0:755:char", "0:0:755:char-9999-0"])
    func `are damage when they say nothing`(text: String) {
        below.add(2, "file", xattrs: [attribute: text])
        #expect(throws: FSError.system(.ioError)) { _ = try tree.find("file") }
        #expect(below.references(2) == 0)
    }

    @Test func `are whose the file is where there are none`() throws {
        below.add(2, "file", mode: S_IFREG | 0o640, uid: 42, gid: 43)
        let status = try tree.attributes(of: 2)
        #expect((status.mode, status.uid, status.gid) == (S_IFREG | 0o640, 42, 43))
        below.add(3, "older", xattrs: ["user.fuseoverlayfs.override_stat": "7:8:600"])
        #expect(try tree.attributes(of: 3).uid == 7)
    }

    @Test func `are recorded for what is made, which belongs to the daemon`() throws {
        let file = try tree.create("file", mode: S_IFREG | 0o4111, uid: 33, gid: 44)
        #expect((file.mode, file.uid, file.gid) == (S_IFREG | 0o4111, 33, 44))
        #expect(stored(file.id) == "33:44:4111")
        // The daemon can read and write it, and no user can run it as the daemon.
        #expect(below[file.id]?.status.mode == S_IFREG | 0o711)
        #expect(below[file.id]?.status.uid == geteuid())
        let directory = try tree.create("dir", mode: S_IFDIR | 0o777, uid: 33, gid: 44)
        #expect(stored(directory.id) == "33:44:755")
        let fifo = try tree.create("fifo", mode: S_IFIFO | 0o644, uid: 33, gid: 44)
        #expect(stored(fifo.id) == nil)
        #expect(fifo.uid == geteuid())
    }

    @Test func `inherit the group of a set-group-id directory`() throws {
        below[1]?.xattrs[attribute] = Array("0:50:2775".utf8)
        let file = try tree.create("file", mode: S_IFREG | 0o666, uid: 33, gid: 44)
        #expect(stored(file.id) == "33:50:644")
        let directory = try tree.create("dir", mode: S_IFDIR | 0o777, uid: 33, gid: 44)
        #expect(stored(directory.id) == "33:50:2755")
    }

    @Test func `change with chown and chmod, the inode's own do not`() throws {
        below.add(2, "file", mode: S_IFREG | 0o755, uid: geteuid(), xattrs: [attribute: "0:0:6755"])
        let owned = try tree.chown(2, uid: 12)
        #expect((owned.uid, owned.gid, owned.mode) == (12, 0, S_IFREG | 0o755))
        #expect(try tree.chmod(2, 0o4700).mode == S_IFREG | 0o4700)
        #expect(stored(2) == "12:0:4700")
        #expect(below[2]?.status.mode == S_IFREG | 0o755)
        #expect(below[2]?.status.uid == geteuid())
    }

    @Test func `lose their privileges by a write`() throws {
        below.add(
            2,
            "file",
            xattrs: [attribute: "0:0:6755", "user.containers.override_security.capability": "x"]
        )
        #expect(try tree.xattr("security.capability", of: 2) == [UInt8(ascii: "x")])
        var bytes: [UInt8] = [1]
        _ = try bytes.withUnsafeMutableBytes {
            try tree.write(2, UnsafeRawBufferPointer($0), at: 0, killsPrivileges: true)
        }
        #expect(stored(2) == "0:0:755")
        #expect(try tree.xattr("security.capability", of: 2) == nil)
    }

    @Test func `are not for the inside to see or to set`() throws {
        below.add(2, "file", xattrs: [attribute: "0:0:755", "user.x": "1"])
        #expect(try tree.xattrs(of: 2) == ["user.x"])
        #expect(try tree.xattr(attribute, of: 2) == nil)
        #expect(throws: FSError.system(.notPermitted)) {
            try tree.set(attribute, Array("0:0:4755".utf8), of: 2)
        }
        #expect(throws: FSError.system(.notPermitted)) { try tree.removeXattr(attribute, of: 2) }
        #expect(throws: FSError.system(.notPermitted)) {
            try tree.set("user.containers.override_security.capability", [1], of: 2)
        }
        try tree.set("security.capability", [1], of: 2)
        #expect(below[2]?.xattrs["user.containers.override_security.capability"] == [1])
        #expect(try tree.xattrs(of: 2).sorted() == ["security.capability", "user.x"])
        #expect(throws: FSError.system(.notSupported)) { try tree.set("system.posix_acl_access", [], of: 2) }
    }

    @Test func `are listed in portions, of which what is not taken is forgotten`() throws {
        for node: UInt64 in 2...202 {
            below.add(node, "file\(node)", xattrs: [attribute: "\(node):0:600"])
        }
        var names: [String] = []
        try tree.list(1, from: 0, isCounting: true) { (entry) throws(FSError) in
            guard names.count < 100 else { return false }
            names.append(String(decoding: entry.name, as: UTF8.self))
            let node = entry.attributes.id
            return UInt64(entry.attributes.uid) == node && entry.next == node - 1
        }
        #expect(names == (2...101).map { "file\($0)" })
        for node: UInt64 in 2...202 { #expect(below.references(node) == (node <= 101 ? 1 : 0)) }
    }

    @Test func `make a link of a file that stands for one`() throws {
        below.add(2, "link", xattrs: [attribute: "0:0:777:symlink"], contents: "../target")
        #expect(try tree.target(of: 2) == Array("../target".utf8))
        below.add(3, "file", xattrs: [attribute: "0:0:777"], contents: "x")
        #expect(throws: FSError.system(.invalidArgument)) { _ = try tree.target(of: 3) }
    }

    @Test func `are mapped like any other`() throws {
        var options = IdentityOptions()
        options.ownerStore = .user
        options.uids = try IdentityMap(parsing: "0:1000:10", for: "uidmapping")
        let tree = options.apply(to: below)
        let file = try tree.create("file", mode: S_IFREG | 0o600, uid: 1003, gid: 4)
        #expect(file.uid == 1003)
        #expect(stored(file.id) == "3:4:600")
    }
}
