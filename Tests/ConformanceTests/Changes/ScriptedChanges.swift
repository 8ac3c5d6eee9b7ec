import Glibc

/// A series of changes to `TrickyLayers`, some of which must fail. In each group, what is done to lower files
/// comes first, then what is done to the result.
enum ScriptedChanges {
    static let all: [Change] =
        contents + attributes + hiding + hardLinks + renames + directories + special + refusals

    private static let contents: [Change] = [
        .create("etc/new", "made\n", mode: 0o600), .create("etc/new", "again"),
        .write("etc/passwd", "toor", at: 0), .read("etc/passwd"),
        .append("etc/passwd", "user:x:1000:1000::/home/user:/bin/sh\n"),
        .append("etc/new", "more\n"),
        .write("home/user/big", "in the middle", at: 150_000), .read("home/user/big", at: 149_990),
        .write("home/user/holes", "into a hole", at: 500_000), .read("home/user/holes", at: 1_048_570),
        .truncate("home/user/same", to: 5), .truncate("home/user/same again", to: 20_000),
        .truncate("etc/empty", to: 1 << 16), .write("etc/shadow", "", flags: O_TRUNC),
        .write("etc/shadow", "beyond the end", at: 10_000),
        .write("home/user/nothing", "x", at: (1 << 20) - 1),
        .write("names" / Path([0x6e, 0xe4, 0x6d, 0x65, 0xff, 0xfe]), "still not UTF-8"),
    ]

    private static let attributes: [Change] = [
        .chmod("home/user/big", 0o600), .chown("home/user/big", 1001, 1002),
        .setTime("home/user/big", 1_234_567_890, 987_654_321),
        .chmod("bin/wall", 0o755), .chown("bin/wall", 3, 3), .chmod("merged", 0o2770),
        .chown("links/dangling", 11, 12), .setTime("links/dangling", 1_000_000_000, 1),
        .setXattr("etc/passwd", "user.one", [1]), .setXattr("etc/passwd", "user.one", [2], flags: 1),
        .setXattr("etc/passwd", "user.two", [2], flags: 2), .setXattr("etc/passwd", "user.one", [], flags: 2),
        .removeXattr("etc/passwd", "user.one"), .removeXattr("etc/passwd", "user.one"),
        .removeXattr("home/user", "user.theme"), .removeXattr("home", "trusted.note"),
        .setXattr("home", "trusted.other", Array("root only".utf8)),
        .removeXattr("bin/ping", "security.capability"), .setXattr("dev/null", "user.not", [1]),
        .setTime("opaque", 1_600_000_000, 5), .setTime("", 1_600_000_001, 6), .chmod("", 0o751),
    ]

    private static let hiding: [Change] = [
        .unlink("merged/two"), .unlink("merged/two"), .create("merged/two", "reborn"),
        .unlink("merged/two"), .mkdir("merged/two"), .rmdir("merged/two"),
        .symlink("anywhere", at: "merged/two"), .unlink("names/A"), .unlink("names/a"),
        .unlink("x" / Path([0x80])), .rmdir("x"), .mkdir("x", 0o1755),
        .rmdir("home"), .rmdir("kinds/file-dir"), .unlink("kinds/file-dir/in"), .rmdir("kinds/file-dir"),
        .mkdir("kinds/file-dir"), .unlink("etc"), .rmdir("etc/passwd"),
        .remove("opaque"), .mkdir("opaque"), .create("opaque/only this", "x"), .read("opaque/new"),
        .remove("implied"), .create("implied", "a file now"),
        .remove("kinds/round"), .symlink("../etc", at: "kinds/round"),
        .unlink("gone/file"), .rmdir("gone"), .mkdir("gone"), .mkdir("gone/dir"), .read("gone/dir/file"),
    ]

    private static let hardLinks: [Change] = [
        .link("links/a", to: "links/d"), .append("etc/c", "through one name\n"), .read("links/a", at: 12),
        .chmod("links/d", 0o640), .unlink("links/a"), .append("links/d", "through another\n"),
        .link("merged/one", to: "etc/merged-one"), .write("merged/same", "BACK", at: 0),
        .unlink("names/to deep"), .link("links/absolute", to: "links/absolute2"),
        .link("dev/null", to: "dev/zilch"), .link("etc", to: "etc2"), .link("etc/new", to: "etc/passwd"),
        .link("etc/new", to: "etc/newer"), .unlink("etc/new"),
    ]

    private static let renames: [Change] = [
        .rename("etc/shadow", to: "etc/shade"), .rename("etc/shade", to: "etc/passwd"),
        .rename("bin/su", to: "merged/two"), .rename("links/loop", to: "etc/loop"),
        .rename("dev/pipe", to: "pipe"), .rename("etc/newer", to: "home/user/nothing"),
        .rename("home/user", to: "home/somebody"), .read("home/user/big"), .read("home/somebody/big"),
        .append("home/somebody/same", "after the move"), .rename("home/somebody", to: "person"),
        .mkdir("home/user"), .rename("names", to: "home/user"), .rename("person", to: "home/user"),
        .rename("home", to: "home/user/inside"), .rename("etc", to: "bin"), .rename("bin/ping", to: "dev"),
        .rename("merged", to: "bin/wall"), .rename("absent", to: "present"),
        .rename("bin/ping", to: "bin/wall", flags: 1), .rename("bin/ping", to: "bin/pong", flags: 1),
        .rename("bin/pong", to: "bin/wall", flags: 2), .rename("links", to: "kinds", flags: 2),
        .rename("dev/disk", to: "kinds", flags: 2), .rename("bin/wall", to: "absent", flags: 2),
        .rename("merged/one", to: "merged/same"), .rename("gone", to: "gone too"),
        .rename("gone too", to: "gone"), .rename("remade", to: "kinds/remade"), .mkdir("remade"),
        .read("remade/new"),
    ]

    private static let directories: [Change] = [
        .mkdir("tmp/a"), .mkdir("tmp/a/b"), .create("tmp/a/b/c", "x"), .rmdir("tmp/a"),
        .rename("tmp/a", to: "tmp/d"), .remove("tmp/d"), .mkdir("tmp/d/e"), .mkdir("tmp"),
        .mkdir(Path([UInt8](repeating: 0x64, count: 255))),
        .mkdir(Path([UInt8](repeating: 0x64, count: 256))),
    ]

    private static let special: [Change] = [
        .mknod("dev/tty9", S_IFCHR | 0o620, device(4, 9)),
        .mknod("dev/loop", S_IFBLK | 0o660, device(7, 300)),
        .mknod("dev/fifo", S_IFIFO | 0o600), .mknod("dev/socket", S_IFSOCK | 0o700),
        .mknod("dev/plain", S_IFREG | 0o604), .mknod("dev/null", S_IFIFO | 0o600),
        .chmod("dev/null", 0o600), .chown("dev/disk", 1, 1), .chmod("pipe", 0o644),
        .unlink("dev/disk"), .mknod("dev/disk", S_IFIFO | 0o600),
    ]

    private static let refusals: [Change] = [
        .read("etc/passwd/below"), .create("nowhere/file"), .mkdir("nowhere/dir"), .read("kinds"),
        .write("etc", "a directory"), .truncate("etc", to: 0), .rmdir("links/dangling"), .unlink("absent"),
        .create(Path([UInt8](repeating: 0x66, count: 256))), .truncate("etc/passwd", to: -1),
        .rename("", to: "root"), .setXattr("etc/passwd", "nonsense.name", [1]),
    ]
}
