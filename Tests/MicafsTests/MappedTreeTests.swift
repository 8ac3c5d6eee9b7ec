import FUSE
import Glibc
import Linux
import Mount
import Nodes
import SystemPackage
import Testing

@Suite(.timeLimit(.minutes(40))) struct `A mapped tree` {
    private func options(_ change: (inout IdentityOptions) throws -> Void) rethrows -> IdentityOptions {
        var options = IdentityOptions()
        try change(&options)
        return options
    }

    private func mapping(_ uids: String, _ gids: String) throws -> IdentityOptions {
        var options = IdentityOptions()
        options.uids = try IdentityMap(parsing: uids, for: "uidmapping")
        options.gids = try IdentityMap(parsing: gids, for: "gidmapping")
        return options
    }

    @Test func `is the tree itself when there is nothing to map`() {
        let tree = RecordingTree()
        #expect(IdentityOptions().apply(to: tree) === tree)
    }

    @Test(
        arguments: [
            // mapping of users, of groups, squash to root, to user, to group; uid:gid below; shown
            (nil, nil, false, nil, nil, 5, 6, 5, 6),
            ("0:100000:65536", "0:200000:65536", false, nil, nil, 0, 0, 100_000, 200_000),
            ("0:100000:65536", "0:200000:65536", false, nil, nil, 1000, 1000, 101_000, 201_000),
            ("0:100000:65536", nil, false, nil, nil, 70_000, 70_000, 65534, 70_000),
            ("0:1000:1:1:110000:10", "0:1000:1", false, nil, nil, 1, 1, 110_000, 65534),
            (nil, nil, true, nil, nil, 5, 6, 0, 0),
            (nil, nil, false, 7, nil, 5, 6, 7, 6),
            (nil, nil, true, nil, 8, 5, 6, 0, 8),
            ("0:100:10", "0:100:10", true, 7, 8, 5, 99, 7, 8),
        ] as [(String?, String?, Bool, UInt32?, UInt32?, UInt32, UInt32, UInt32, UInt32)]
    )
    func `shows owners`(
        uids: String?,
        gids: String?,
        toRoot: Bool,
        toUser: UInt32?,
        toGroup: UInt32?,
        uid: UInt32,
        gid: UInt32,
        shownUser: UInt32,
        shownGroup: UInt32
    ) throws {
        let below = RecordingTree()
        below.add(2, "file", uid: uid, gid: gid)
        let options = try options {
            if let uids { $0.uids = try IdentityMap(parsing: uids, for: "uidmapping") }
            if let gids { $0.gids = try IdentityMap(parsing: gids, for: "gidmapping") }
            $0.squashesToRoot = toRoot
            $0.squashUID = toUser
            $0.squashGID = toGroup
        }
        let tree = options.apply(to: below)
        var statuses = [try tree.attributes(of: 2), try #require(try tree.find("file"))]
        try tree.list(1, from: 0, isCounting: false) { (entry) throws(FSError) in
            statuses.append(entry.attributes)
            return true
        }
        #expect(statuses.count == 3)
        for status in statuses { #expect((status.uid, status.gid) == (shownUser, shownGroup)) }
        #expect(below[2]?.status.uid == uid)
    }

    @Test func `records creators by their numbers below`() throws {
        let below = RecordingTree()
        let tree = try mapping("0:100000:65536", "0:200000:65536").apply(to: below)
        let status = try tree.create("new", mode: S_IFREG | 0o666, uid: 100_033, gid: 200_044)
        #expect((status.uid, status.gid) == (100_033, 200_044))
        #expect(
            (below.callers.last?.uid, below.callers.last?.gid, below.callers.last?.umask) == (33, 44, 0o22)
        )
        _ = try tree.create("dir", mode: S_IFDIR | 0o755, uid: 100_000, gid: 200_001)
        #expect((below.callers.last?.uid, below.callers.last?.gid) == (0, 1))
    }

    @Test func `records as nobody's what those create that it has no number for, and gives them nothing`()
        throws
    {
        let below = RecordingTree()
        below.add(2, "file")
        let tree = try mapping("0:100000:65536", "0:200000:65536").apply(to: below)
        _ = try tree.create("new", mode: S_IFREG | 0o666, uid: 0, gid: 200_005)
        #expect((below.callers.last?.uid, below.callers.last?.gid) == (65534, 5))
        let narrow = try mapping("0:100000:10", "0:200000:10").apply(to: below)
        let status = try narrow.create("other", mode: S_IFREG | 0o666, uid: 0, gid: 0)
        #expect((status.uid, status.gid) == (65534, 65534))
        #expect(throws: FSError.system(.invalidArgument)) { _ = try tree.chown(2, uid: 99_999) }
        #expect(throws: FSError.system(.invalidArgument)) { _ = try tree.chown(2, gid: 5) }
        #expect(try tree.chown(2, uid: 100_007).uid == 100_007)
        #expect(below[2]?.status.uid == 7)
    }

    @Test func `squashes for a daemon that may not give files away`() throws {
        let below = RecordingTree(isUnprivileged: true)
        below.add(2, "file", uid: 3, gid: 3)
        let tree = options { $0.squashesToRoot = true }.apply(to: below)
        let status = try tree.create("new", mode: S_IFREG | 0o666, uid: geteuid() + 1, gid: getegid())
        #expect((status.uid, status.gid) == (0, 0))
        #expect(below.callers.last?.uid == geteuid())
        #expect(try tree.chown(2, uid: 5, gid: 5).uid == 0)
        let plain = options { $0.hasStaticLinkCount = true }.apply(to: below)
        #expect(throws: FSError.system(.notPermitted)) { _ = try plain.chown(2, uid: geteuid() + 1) }
    }

    /// Version 2; owner rw-, user 5 r--, group 7 -w-, mask rw-, others ---.
    private func acl(_ user: [UInt8], _ group: [UInt8]) -> [UInt8] {
        let anyone: [UInt8] = [0xff, 0xff, 0xff, 0xff]
        let entries: [[UInt8]] = [
            [2, 0, 0, 0], [1, 0, 6, 0] + anyone, [2, 0, 4, 0] + user, [4, 0, 4, 0] + anyone,
            [8, 0, 2, 0] + group, [0x10, 0, 6, 0] + anyone, [0x20, 0, 0, 0] + anyone,
        ]
        return entries.flatMap { $0 }
    }

    @Test(arguments: ["system.posix_acl_access", "system.posix_acl_default"] as [XattrName])
    func `translates the users and groups of ACLs both ways`(name: XattrName) throws {
        let below = RecordingTree()
        below.add(2, "file")
        let tree = try mapping("0:256:100", "0:512:100").apply(to: below)
        // 256 + 5, 512 + 7, little-endian.
        let shown = acl([5, 1, 0, 0], [7, 2, 0, 0])
        try tree.set(name, shown, of: 2)
        #expect(below[2]?.xattrs[name] == acl([5, 0, 0, 0], [7, 0, 0, 0]))
        #expect(try tree.xattr(name, of: 2) == shown)
        #expect(throws: FSError.system(.invalidArgument)) {
            try tree.set(name, acl([5, 0, 0, 0], [7, 2, 0, 0]), of: 2)
        }
        #expect(throws: FSError.system(.invalidArgument)) { try tree.set(name, [2, 0, 0], of: 2) }
        // 65534, for one without a number here.
        below[2]?.xattrs[name] = acl([200, 0, 0, 0], [7, 0, 0, 0])
        #expect(try tree.xattr(name, of: 2) == acl([0xfe, 0xff, 0, 0], [7, 2, 0, 0]))
    }

    @Test func `translates the root of file capabilities`() throws {
        let below = RecordingTree()
        below.add(2, "file")
        let tree = try mapping("0:256:100:5:1000:1", "0:512:100").apply(to: below)
        let masks: [UInt8] = [0, 4, 0, 0] + [UInt8](repeating: 0, count: 12)
        // Version 2 with the flag "effective" is root's; root is 256 here.
        below[2]?.xattrs["security.capability"] = [1, 0, 0, 2] + masks
        #expect(try tree.xattr("security.capability", of: 2) == [1, 0, 0, 3] + masks + [0, 1, 0, 0])
        try tree.set("security.capability", [1, 0, 0, 3] + masks + [3, 1, 0, 0], of: 2)
        #expect(below[2]?.xattrs["security.capability"] == [1, 0, 0, 3] + masks + [3, 0, 0, 0])
        try tree.set("security.capability", [1, 0, 0, 3] + masks + [0, 1, 0, 0], of: 2)
        #expect(below[2]?.xattrs["security.capability"] == [1, 0, 0, 2] + masks)
        #expect(throws: FSError.system(.invalidArgument)) {
            try tree.set("security.capability", [1, 0, 0, 2] + masks, of: 2)
        }
        try tree.set("user.other", [1, 2], of: 2)
        #expect(below[2]?.xattrs["user.other"] == [1, 2])
    }

    @Test func `has no ACLs, no attributes, and one link to a directory, if so asked`() throws {
        let below = RecordingTree()
        below.add(2, "file", xattrs: ["user.x": "y", "system.posix_acl_access": "z"])
        let withoutACLs = options { $0.hidesACLs = true }.apply(to: below)
        #expect(try withoutACLs.xattrs(of: 2) == ["user.x"])
        #expect(try withoutACLs.xattr("user.x", of: 2) == [UInt8(ascii: "y")])
        #expect(throws: FSError.system(.notSupported)) {
            _ = try withoutACLs.xattr("system.posix_acl_access", of: 2)
        }
        #expect(throws: FSError.system(.notSupported)) {
            try withoutACLs.set("system.posix_acl_default", [], of: 2)
        }
        let bare = options { $0.hidesXattrs = true }.apply(to: below)
        #expect(throws: FSError.system(.noFunction)) { _ = try bare.xattrs(of: 2) }
        #expect(throws: FSError.system(.noFunction)) { try bare.removeXattr("user.x", of: 2) }
        let flat = options { $0.hasStaticLinkCount = true }.apply(to: below)
        #expect(try flat.attributes(of: 1).nlink == 1)
        #expect(try flat.attributes(of: 2).nlink == 1)
        #expect(try below.attributes(of: 1).nlink == 2)
    }
}
