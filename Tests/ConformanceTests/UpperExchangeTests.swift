import Foundation
import Glibc
import Linux
import MountFixtures
import SystemPackage
import Testing

/// An upper is mounted by mica and by the kernel in turns, and both must see the same in it.
@Suite(.timeLimit(.minutes(40)), .enabled(if: geteuid() == 0, "mounts"))
struct `An upper that mica and the kernel share` {
    private static let base = """
        mkdir -p etc usr/bin usr/lib moved/a/b swap1 swap2; echo root > etc/passwd; echo conf > etc/conf
        for i in 1 2 3 4 5 6 7 8 9; do echo binary $i > usr/bin/prog$i; done
        head -c 300000 /dev/urandom > usr/lib/large; truncate -s 1M usr/lib/sparse; echo end >> usr/lib/sparse
        ln usr/bin/prog1 usr/bin/prog1-again; ln usr/bin/prog2 etc/prog2; chmod 4755 usr/bin/prog3
        echo 1 > moved/a/b/deep; echo 2 > moved/a/file; echo s1 > swap1/f; echo s2 > swap2/f
        setfattr -n user.note -v hello etc/passwd; touch -d '2011-12-13 14:15:16.171819' etc etc/* usr/bin/*
        """

    /// None changes one name of a hard-linked file in a kernel's mount, which would part it from the others.
    private static let scripts = [
        "attributes": "chown 1:2 -h usr/bin/prog[3-9]; chmod 600 usr/lib/sparse; touch usr/lib/large",
        "xattrs": "setfattr -n user.new -v v usr/bin/prog5; setfattr -x user.note etc/passwd",
        "names":
            "mv usr/lib/large etc/large; ln etc/conf usr/conf; mv etc/passwd etc/passwd-; chown 5 usr/conf",
        "directories":
            "mv moved elsewhere; chown 3 elsewhere/a/file; mv elsewhere/a/b usr/b; chmod 600 usr/b/deep",
        "exchanges": "mv swap1 t; mv swap2 swap1; mv t swap2; mv etc/conf x; mv usr/bin/prog4 etc/conf",
        "data after attributes": """
        chown 5 usr/lib/large usr/lib/sparse usr/bin/prog5 usr/bin/prog6; truncate -s 100 usr/lib/large
        echo more >> usr/bin/prog5; printf x | dd of=usr/lib/sparse bs=1 seek=5000 conv=notrunc 2>/dev/null; : > usr/bin/prog6
        """,
        "deletions":
            "rm -r moved/a; mkdir moved/a; chown 9 moved; rm usr/bin/prog7; mv usr/bin/prog8 usr/bin/prog7",
    ]

    let workspace: Workspace
    let lower: String
    let mica: LayeredMount

    init() throws {
        workspace = try Workspace()
        lower = try workspace.directory("lower")
        try Self.shell(Self.base, in: lower)
        mica = try LayeredMount(Lower(lower, as: .image, in: workspace), in: workspace)
    }

    private static func shell(_ script: String, in directory: String) throws {
        try Tool.run(URL(fileURLWithPath: "/bin/sh"), ["-ec", "cd '\(directory)'\n\(script)"])
    }

    private func kernelMount() throws -> OverlayMount {
        // As the options of a test's own mounts, but for the index, whose files it cannot share.
        let target = try workspace.directory("kernel")
        return try OverlayMount(
            sharing: mica.upper,
            work: mica.work,
            over: lower,
            at: target
        )
    }

    private func expectSame(_ mine: Tree, _ theirs: Tree, _ what: String) {
        let differences = mine.differences(from: theirs)
        #expect(differences == [], "\(what):\n\(differences.joined(separator: "\n"))")
    }

    @Test(arguments: scripts.keys.sorted()) func `is read by the kernel as mica wrote it`(_ name: String)
        throws
    {
        try Self.shell(#require(Self.scripts[name]), in: mica.path)
        let shown = try Tree(at: mica.path)
        #expect(shown.oddities == [])
        try mica.unmount()
        if name == "data after attributes" { try mica.materialize() }
        let kernel = try kernelMount()
        expectSame(try Tree(at: kernel.path), shown, "the kernel's mount")
        // And goes on from there.
        try Self.shell("chown 44 usr/bin/prog9; mv usr usr2; echo new > usr2/bin/prog9", in: kernel.path)
        let changed = try Tree(at: kernel.path)
        try kernel.unmount()
        try mica.mount()
        expectSame(try Tree(at: mica.path), changed, "mica's mount again")
    }

    @Test(arguments: scripts.keys.sorted()) func `is read by mica as the kernel wrote it`(_ name: String)
        throws
    {
        try mica.unmount()
        let kernel = try kernelMount()
        try Self.shell(#require(Self.scripts[name]), in: kernel.path)
        let shown = try Tree(at: kernel.path)
        try kernel.unmount()
        try mica.mount()
        expectSame(try Tree(at: mica.path), shown, "mica's mount")
        try Self.shell("chown -R 44 usr; mv usr usr2", in: mica.path)
        let changed = try Tree(at: mica.path)
        try mica.remount()
        expectSame(try Tree(at: mica.path), changed, "after a remount")
        try mica.unmount()
        let again = try kernelMount()
        expectSame(try Tree(at: again.path), changed, "the kernel's mount again")
    }

    @Test
    func `is refused by the kernel file by file where it has half of the data, and read once materialized`()
        throws
    {
        try Self.shell(
            "printf x | dd of=usr/lib/large bs=1 seek=100000 conv=notrunc 2>/dev/null; chown 5 etc/conf",
            in: mica.path
        )
        let shown = try Tree(at: mica.path)
        try mica.unmount()
        let before = try kernelMount()
        #expect(open("\(before.path)/usr/lib/large", O_RDONLY) == -1)
        #expect(Errno.last == .ioError)
        try before.unmount()
        try mica.materialize()
        // metacopy=off: nothing is left to be found.
        let features = "redirect_dir=on,metacopy=off,index=off"
        let after = try OverlayMount(
            [lower],
            upper: mica.upper,
            work: mica.work,
            at: try workspace.directory("materialized"),
            features: features
        )
        expectSame(try Tree(at: after.path), shown, "the kernel's mount")
        try after.unmount()
        try mica.mount()
        expectSame(try Tree(at: mica.path), shown, "mica's mount again")
    }

    @Test func `has no data of a tree whose owner was changed`() throws {
        try Self.shell("chown -R 1000:1000 .", in: mica.path)
        // Of 512 bytes; what is no directory has its attributes in the inode, or a block of them.
        let blocks = try Tool.run(
            URL(fileURLWithPath: "/bin/sh"),
            ["-ec", "find '\(mica.upper)' -type f -size +0 -printf '%b %p\\n' | awk '$1 > 8'"]
        )
        #expect(blocks == "")
        try Self.shell(
            "cmp usr/lib/large '\(lower)/usr/lib/large'; cmp etc/prog2 '\(lower)/etc/prog2'",
            in: mica.path
        )
        try mica.remount()
        try Self.shell(
            "cmp usr/lib/large '\(lower)/usr/lib/large'; cmp etc/prog2 '\(lower)/etc/prog2'",
            in: mica.path
        )
    }

    private static let nested = """
        rm usr/bin/prog7 etc/conf; mv usr/lib/large etc/large; mv moved elsewhere; rm -r swap1; mkdir swap1
        echo new > swap1/new; echo more >> usr/bin/prog5; ln etc/passwd etc/passwd2; chmod 600 usr/bin/prog6
        """

    @Test func `can be inside a mica mount, with the kernel over it`() throws {
        let (upper, work) = ("\(mica.path)/upper", "\(mica.path)/work")
        for directory in [upper, work] { try FilePath(directory).makeDirectory() }
        func mount() throws -> OverlayMount {
            let target = try workspace.directory("kernel")
            return try OverlayMount(sharing: upper, work: work, over: lower, at: target)
        }
        let first = try mount()
        try Self.shell(Self.nested, in: first.path)
        let shown = try Tree(at: first.path)
        try first.unmount()
        try mica.remount()
        let second = try mount()
        expectSame(try Tree(at: second.path), shown, "after a remount of both")
        try second.unmount()
    }

    @Test func `can be inside a mica mount, with mica over it`() throws {
        let nested = try LayeredMount(
            Lower(lower, as: .image, in: workspace),
            in: workspace,
            uppers: mica.path
        )
        try Self.shell(Self.nested, in: nested.path)
        let shown = try Tree(at: nested.path)
        #expect(shown.oddities == [])
        try nested.unmount()
        try mica.remount()
        try nested.mount()
        expectSame(try Tree(at: nested.path), shown, "after a remount of both")
        try nested.unmount()
        // The outer mount's own upper has no whiteout of it.
        let whiteouts = try Tool.run(
            URL(fileURLWithPath: "/usr/bin/find"),
            ["\(mica.upper)/upper", "-type", "c"]
        )
        #expect(whiteouts == "")
    }

    @Test func `is refused after a volatile mount by the kernel`() throws {
        try mica.unmount()
        let kernel = try OverlayMount(
            sharing: mica.upper,
            work: mica.work,
            over: lower,
            at: try workspace.directory("kernel"),
            options: ",volatile"
        )
        try kernel.unmount()
        #expect(throws: (any Error).self) { try mica.mount() }
        try Self.shell("rm -r work/incompat/volatile", in: mica.work)
        try mica.mount()
    }
}
