import FUSE
import Linux
import Mount
import Options
import SystemPackage
import Testing

private func parse(_ arguments: String...) throws -> Arguments {
    try Arguments(arguments.map { Array($0.utf8) })
}

private func parse(options: String) throws -> Arguments { try parse("-o", options, "/target") }

private func text(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self) }

private let layers = "lowerdir=a:b,upperdir=u,workdir=w"

@Suite(.timeLimit(.minutes(40))) struct `The command line` {
    @Test func `is fuse-overlayfs's`() throws {
        let arguments = try parse("-o", "lowerdir=/a:b/c:l/XYZ,upperdir=/u,workdir=/w", "/merged")
        #expect(arguments.lower == .directories(["/a", "b/c", "l/XYZ"]))
        #expect(arguments.upper == "/u")
        #expect(arguments.work == "/w")
        #expect(arguments.target == "/merged")
        #expect(arguments.mountFlags == 0)
        #expect(!arguments.isForeground && !arguments.isVolatile && !arguments.isDebugging)
        #expect(text(arguments.source) == "mica" && text(arguments.subtype) == "mica")
    }

    @Test func `is what podman says`() throws {
        let arguments = try parse(
            "-o",
            "lowerdir=l/A:l/B,upperdir=/s/diff,workdir=/s/work,,volatile,"
                + "uidmapping=:0:100000:65536,gidmapping=:0:100000:65536,context=\"system_u:object_r:x:s0:c1,c2\",",
            "/s/merged"
        )
        #expect(arguments.isVolatile)
        #expect(arguments.identity.uids.shown(5) == 100_005)
        #expect(arguments.identity.gids.shown(5) == 100_005)
        #expect(arguments.contexts.map { text($0) } == ["context=\"system_u:object_r:x:s0:c1,c2\""])
    }

    @Test func `chooses the transport`() throws {
        #expect(try parse(options: layers).transport == .automatic)
        #expect(try parse(options: "\(layers),transport=io_uring").transport == .uring)
        #expect(try parse("--transport", "dev", "-o", layers, "/target").transport == .device)
        #expect(throws: Failure.self) { try parse(options: "\(layers),transport=splice") }
        #expect(throws: Failure.self) { try parse("--transport", "DEV", "-o", layers, "/target") }
    }

    @Test func `chooses how data moves`() throws {
        #expect(try parse(options: layers).io == .automatic)
        #expect(try parse(options: "\(layers),io=passthrough").io == .passthrough)
        #expect(try parse("--io", "cached", "-o", layers, "/target").io == .cached)
        #expect(throws: Failure.self) { try parse(options: "\(layers),io=direct") }
    }

    @Test func `is what mount.fuse3 says`() throws {
        let arguments = try parse("anything", "/target", "-o", "rw,lowerdir=/a,dev,suid")
        #expect(text(arguments.source) == "anything")
        #expect(arguments.target == "/target")
    }

    @Test func `is mica's own`() throws {
        let arguments = try parse(
            "--chain",
            "c",
            "--store",
            "s",
            "--upper",
            "u",
            "--work",
            "w",
            "--source",
            "debian",
            "--log",
            "log",
            "--lock",
            "lock",
            "--lock-fd",
            "3",
            "--threads",
            "7",
            "--foreground",
            "t"
        )
        #expect(arguments.lower == .chain("c", store: "s"))
        #expect(arguments.upper == "u" && arguments.work == "w" && arguments.log == "log")
        #expect(arguments.lock == "lock" && arguments.lockDescriptor == 3)
        #expect(arguments.threads == 7 && arguments.isForeground && text(arguments.source) == "debian")
    }

    @Test func `mixes both`() throws {
        let arguments = try parse(
            "--chain",
            "c",
            "--store",
            "s",
            "-o",
            "upperdir=u,workdir=w,squash_to_root",
            "t"
        )
        #expect(arguments.lower == .chain("c", store: "s"))
        #expect(arguments.upper == "u" && arguments.identity.squashesToRoot)
    }

    @Test func `takes options before, behind, apart, together, and the last of several`() throws {
        let arguments = try parse(
            "-olowerdir=a",
            "t",
            "-o",
            "noexec,upperdir=u",
            "-oworkdir=w,exec,workdir=v",
            "-f"
        )
        #expect(arguments.lower == .directories(["a"]))
        #expect(arguments.upper == "u" && arguments.work == "v")
        #expect(arguments.mountFlags == 0)
        #expect(arguments.isForeground)
        #expect(try parse("-o", "lowerdir=a", "--", "-t").target == "-t")
    }

    @Test func `adds lowers one by one, as fsconfig does`() throws {
        #expect(try parse(options: "lowerdir+=/a:b,lowerdir+=/c").lower == .directories(["/a:b", "/c"]))
    }

    @Test func `is read-only without an upper`() throws {
        let arguments = try parse(options: "lowerdir=a,workdir=w")
        #expect(arguments.mountFlags == 1)
        #expect(arguments.upper == nil && arguments.work == nil)
        // An upper that can't be written to is the topmost lower.
        #expect(try parse(options: "ro,lowerdir=a:b,upperdir=u").lower == .directories(["u", "a", "b"]))
    }

    @Test(arguments: [
        (#"a\:b:c"#, ["a:b", "c"]),
        (#"a\\:b:c"#, ["a:b", "c"]),
        (#"a\,b:c\,d"#, ["a,b", "c,d"]),
        (#"a\\b:c\d"#, [#"a\b"#, "cd"]),
        (#"a\\\:b"#, [#"a\:b"#]),
        (#"a\\\\"#, [#"a\\"#]),
        (#"a\"#, [#"a\"#]),
        (":a:b:", ["a", "b"]),
        ("a b:c=d", ["a b", "c=d"]),
        (#"\"a":"b""#, [#""a""#, #""b""#]),
    ]) func `understands escaped colons, commas and backslashes`(text: String, expected: [String]) throws {
        #expect(try parse(options: "lowerdir=\(text)").lower == .directories(expected.map { FilePath($0) }))
    }

    @Test func `understands them in the upper as well`() throws {
        let arguments = try parse(options: #"lowerdir=a,upperdir=u\:1\,2:3,workdir=w\\:1"#)
        #expect(arguments.upper == "u:1,2:3")
        #expect(arguments.work == "w:1")
    }

    @Test func `keeps paths that are not UTF-8`() throws {
        let name: [UInt8] = [0x2f, 0x80, 0xff]
        let arguments = try Arguments([
            Array("-o".utf8), Array("lowerdir=".utf8) + name + [0x3a] + name, name,
        ])
        let path = FilePath(platformString: name.map { CChar(bitPattern: $0) } + [0])
        #expect(arguments.target == path)
        #expect(arguments.lower == .directories([path, path]))
    }

    @Test func `takes sixty lowers and more`() throws {
        let names = (1...500).map { "l/\($0)" }
        let arguments = try parse(options: "lowerdir=" + names.joined(separator: ":"))
        #expect(arguments.lower == .directories(names.map { FilePath($0) }))
    }

    @Test func `answers questions whatever else is asked`() throws {
        #expect(try parse("-h").request == .help)
        #expect(try parse("--help", "--nonsense").request == .help)
        #expect(try parse("-V").request == .version)
        #expect(try parse("--version").request == .version)
    }

    private typealias Flag = @Sendable (Arguments) -> Bool

    @Test func `has effects`() throws {
        let effects: [(String, Flag)] = [
            ("writeback=1", { $0.writesBack }), ("debug", { $0.isDebugging }), ("debug", { $0.isForeground }),
            ("volatile", { $0.isVolatile }),
            ("fsync=0", { $0.isVolatile }), ("sync=0", { $0.isVolatile }),
            ("userxattr", { $0.usesUserXattrs }),
            ("allow_other", { $0.allowsOther }), ("squash_to_root", { $0.identity.squashesToRoot }),
            ("static_nlink", { $0.identity.hasStaticLinkCount }), ("noacl", { $0.identity.hidesACLs }),
            ("noxattrs=1", { $0.identity.hidesXattrs }),
            ("metacopy=off", { $0.allowsMetacopy == false }),
        ]
        for (option, flag) in effects {
            #expect(flag(try parse(options: layers)) == false, "\(option)")
            #expect(flag(try parse(options: "\(layers),\(option)")) == true, "\(option)")
        }
    }

    @Test func `takes names for bytes`() throws {
        let bytes = Array("lowerdir=a:b,fsname=x".utf8) + [0xff] + Array(",subtype=y".utf8) + [0xfe]
        let arguments = try Arguments([Array("-o".utf8), bytes, Array("target".utf8)])
        #expect(arguments.source == Array("x".utf8) + [0xff])
        #expect(arguments.subtype == Array("y".utf8) + [0xfe])
    }

    @Test func `sets numbers and names`() throws {
        let arguments = try parse(
            options:
                "\(layers),squash_to_uid=7,squash_to_gid=8,xattr_permissions=2,fsname=a\\,b,subtype=x,max_threads=9"
        )
        #expect(arguments.identity.squashUID == 7 && arguments.identity.squashGID == 8)
        #expect(arguments.identity.ownerStore == .user)
        #expect(text(arguments.source) == "a,b" && text(arguments.subtype) == "x" && arguments.threads == 9)
        #expect(try parse(options: "\(layers),threaded=0").threads == 1)
        #expect(try parse("-s", "-o", layers, "t").threads == 1)
        #expect(try parse(options: "\(layers),fsync=0,fsync=1").isVolatile == false)
    }

    @Test(
        arguments: [
            ("ro", 1), ("nosuid,nodev,noexec", 14), ("nosuid,suid", 0), ("sync", 16),
            ("noatime,nodiratime", 3072),
            ("noatime,atime", 0), ("relatime", 1 << 21), ("strictatime", 1 << 24), ("lazytime", 1 << 25),
        ] as [(String, UInt)]
    ) func `sets mount flags`(options: String, flags: UInt) throws {
        #expect(try parse(options: "\(layers),\(options)").mountFlags == flags)
    }

    @Test func `sets the propagation`() throws {
        #expect(try parse(options: layers).propagation == nil)
        #expect(try parse(options: "\(layers),private").propagation == 1 << 18)
        #expect(try parse(options: "\(layers),rslave").propagation == 1 << 19)
    }

    @Test(arguments: [
        "index=on", "index=off", "xino=auto", "uuid=null", "nfs_export=off", "verity=off", "redirect_dir=on",
        "default_permissions", "timeout=0.5", "writeback=0", "fast_ino=1", "fast_ino_check=0",
        "clone_fd", "max_idle_threads=-1", "kernel_cache", "splice_read", "max_write=131072", "defaults",
        "nofail",
        "_netdev", "x-systemd.automount", "X-mount.mkdir=0755", "comment=why", "user=me", "threaded=1",
        "fsync=1",
        "noxattrs=0", "rw", "async", "nousers", "noowner", "nogroup", "nomand", "iversion",
    ]) func `accepts what makes no difference`(option: String) throws {
        _ = try parse(options: "\(layers),\(option)")
    }

    @Test(arguments: [
        ("sideways", "unknown option sideways"), ("lowerdir_=x", "unknown option lowerdir_=x"),
        ("ro=1", "unknown option ro=1"), ("private=1", "unknown option private=1"),
        ("=x", "unknown option =x"),
        ("plugins=/x.so", "option plugins=/x.so is refused"), ("allow_root", "option allow_root is refused"),
        ("auto_unmount", "option auto_unmount is refused"), ("ino32_t", "refused"),
        ("datadir+=/x", "refused"), ("remount", "option remount is refused: mount(8)"),
        ("nfs_export=on", "option nfs_export=on is refused"), ("verity=require", "refused"),
        ("index=maybe", "it may be on, off"), ("redirect_dir=nofollow", "refused"),
        ("metacopy=maybe", "refused"),
        ("lowerdir=", "lowerdir= needs a value"), ("lowerdir", "lowerdir= needs a value"),
        ("lowerdir=a::b", "data-only layers"), ("squash_to_uid=-1", "takes a number from 0 to"),
        ("squash_to_gid=x", "squash_to_gid takes a number"), ("squash_to_root=1", "takes no value"),
        ("xattr_permissions=3", "from 0 to 2"), ("fsync=2", "from 0 to 1"),
        ("timeout=soon", "takes a number"),
        ("volatile=1", "volatile takes no value"), ("uidmapping=1:2", "expected STORED:SHOWN:COUNT"),
        ("gidmapping=", "gidmapping= needs a value"), ("default_permissions=1", "takes no value"),
    ]) func `refuses by name what it does not do`(option: String, words: String) {
        let failure = #expect(throws: Failure.self) { try parse(options: "\(layers),\(option)") }
        #expect(failure?.message.contains(words) == true, "\(failure?.message ?? "")")
        #expect(failure?.exitCode == 2)
    }

    @Test(arguments: [
        ([], "no mountpoint"), (["-o", "lowerdir=a"], "no mountpoint"), (["t"], "no lowerdir"),
        (["-o", "upperdir=u,workdir=w", "t"], "no lowerdir"), (["t", "-o"], "-o needs a value"),
        (["-o", "lowerdir=a,upperdir=u", "t"], "without workdir="),
        (["--chain", "c", "t"], "--chain and --store go together"),
        (["--chain", "c", "--store", "s", "-o", "lowerdir=a", "t"], "two forms"),
        (["--chain", "c", "--store", "s", "--upper", "u", "t"], "without workdir="),
        (["-o", "lowerdir=a", "s", "t", "u"], "one directory to mount at"),
        (["-x", "t"], "unknown option -x"),
        (["--nonsense"], "unknown option --nonsense"), (["-o", "lowerdir=a", ""], "has no name"),
        (["--threads", "0", "t"], "--threads takes a number from 1 to 64, not 0"),
        (["--lock-fd", "-1", "t"], "--lock-fd takes a number"),
    ]) func `says what is missing or too much`(arguments: [String], words: String) {
        let failure = #expect(throws: Failure.self) { try Arguments(arguments.map { Array($0.utf8) }) }
        #expect(failure?.message.contains(words) == true, "\(failure?.message ?? "")")
        #expect(failure?.exitCode == 2)
    }
}
