import Digests
import Foundation
import Layers
import Linux
import Snapshots
import SystemPackage
import Testing

/// The upper is made by the kernel, and what is committed must be what the kernel showed.
@Suite(.timeLimit(.minutes(40)), .enabled(if: KernelOverlay.isPossible, "needs root and overlayfs"))
struct `A commit of the kernel's upper` {
    static let base = """
        mkdir -p etc usr/bin usr/lib/deep/er var/log dir/sub gone/inside moved/a/b swap1 swap2 opq
        echo root > etc/passwd; echo host > etc/hostname; echo conf > etc/conf; chmod 600 etc/conf
        for i in $(seq 40); do echo binary $i > usr/bin/prog$i; done
        head -c 300000 /dev/urandom > usr/lib/large; truncate -s 1M usr/lib/sparse; echo end >> usr/lib/sparse
        ln -s ../etc/passwd usr/link; ln usr/bin/prog1 usr/bin/prog1-again
        mknod usr/null c 1 3; mkfifo usr/fifo; chmod 4755 usr/bin/prog2
        setfattr -n user.note -v hello etc/passwd; setfattr -n user.dir -v hello dir
        setfattr -n trusted.secret -v x usr/bin/prog3; chown 7:8 usr/bin/prog4
        echo 1 > gone/inside/file; echo 2 > moved/a/b/deep; echo 3 > moved/a/file; echo 4 > moved/top
        ln moved/top moved/top2; ln moved/a/file dir/outside; ln moved/a/file usr/outside; echo 5 > dir/sub/file; echo s1 > swap1/f; echo s2 > swap2/f; echo o > opq/old
        touch -d '2011-12-13 14:15:16.171819' etc etc/passwd usr/lib moved moved/a; chmod 1777 var/log
        printf 'x' > "$(printf 'usr/\\303\\244')"; printf 'y' > usr/'a b'
        """

    static let scripts: [String: String] = [
        "nothing": "true",
        "a changed file": "echo more >> etc/passwd",
        "attributes only": """
        chmod 640 etc/hostname; chown 1:2 usr/bin/prog5; touch -d '2020-01-01 01:01:01.5' usr/lib/large
        setfattr -n user.new -v v usr/bin/prog6; setfattr -x user.note etc/passwd; chmod 700 var
        """,
        "the root's own attributes": "chmod 711 .; chown 3:4 .; setfattr -n user.root -v r .",
        "new files of all types": """
        mkdir -p new/dir; echo n > new/file; ln -s nowhere new/link; mknod new/dev b 8 1; mkfifo new/fifo
        ln new/file new/dir/again; truncate -s 5M new/sparse; printf tail >> new/sparse; : > new/empty
        echo z > $'new/\\303\\244\\303\\266'; chmod 6755 new/file
        """,
        "deletions": "rm -r gone usr/bin/prog1 usr/link dir/sub; rm usr/bin/prog7; echo 1 > usr/bin/prog7",
        "a directory deleted and made again": "rm -r opq; mkdir opq; echo new > opq/new",
        "one type over another": """
        rm -r gone; echo file > gone; rm etc/conf; mkdir etc/conf; echo in > etc/conf/in; rm usr/link
        mkdir usr/link; rm usr/null; ln -s x usr/null; rm usr/fifo; mknod usr/fifo c 1 5
        """,
        "an empty tree": "rm -rf ./*",
        "hard links":
            "ln etc/conf etc/conf2; ln etc/conf usr/conf3; echo x >> etc/conf; rm usr/bin/prog1-again",
        "renamed files":
            "mv etc/conf etc/conf.old; mv usr/lib/large dir/large; mv usr/bin/prog8 usr/bin/prog9",
    ]

    static let redirects: [String: String] = [
        "a renamed directory": "mv moved elsewhere",
        "one renamed into another and changed": """
        mv moved dir/moved; echo more >> dir/moved/a/b/deep; rm dir/moved/a/file; echo n > dir/moved/new
        """,
        "renamed within renamed": "mv moved other; mv other/a other/z; mv other/z/b usr/b; echo q > usr/b/q",
        "two exchanged": "mv swap1 t; mv swap2 swap1; mv t swap2; echo x > swap1/x",
        "a new one in the old one's place": "mv moved away; mkdir moved; echo fresh > moved/fresh",
        "renamed over an emptied one": "rm -r opq/*; mv -T moved opq",
        "renamed, then deleted in part": "mv usr/lib usr/lib2; rm -r usr/lib2/deep; rm usr/lib2/large",
        "there and back": "mv moved m; mv m moved; echo x > moved/x",
        "attributes of renamed files":
            "mv usr u; chmod 600 u/bin/prog10; touch u/lib/sparse; chown 5 u/bin/prog11",
    ]

    private func check(_ name: String, _ script: String, options: String) throws {
        let test = try TestStore()
        try test.store.prepare("base", parent: nil)
        try shell(Self.base, in: test.upper("base"))
        let base = try test.store.commit("base", as: "base")
        // The snapshot that the base was committed from stays, and is the kernel's lower.
        let original = try TreeEntry.list(test.upper("base"))
        #expect(differences(original, try test.chain(base.layers)) == [], "\(name): the base")

        try test.store.prepare("work", parent: test.store.topSnapshot(of: base.id))
        let shown = try KernelOverlay.change(
            "work",
            of: test,
            over: test.upper("base"),
            options: options,
            script: script
        )
        let image = try test.store.commit("work", as: "work", options: CommitOptions(message: name))
        #expect(differences(shown, try test.chain(image.layers)) == [], "\(name)")
        #expect(image.layers.dropLast() == base.layers[...])

        // The same again is the same image but for its time; as a snapshot, the same layer.
        let snapshot = try test.store.commit(name: "committed", key: "work")
        #expect(snapshot.layers == image.layers, "\(name)")
    }

    @Test(arguments: scripts.keys.sorted())
    func `shows what the mount showed`(_ name: String) throws {
        try check(name, #require(Self.scripts[name]), options: "")
    }

    @Test(arguments: scripts.keys.sorted())
    func `shows what the mount showed, with metacopy and redirects on`(_ name: String) throws {
        try check(name, #require(Self.scripts[name]), options: ",redirect_dir=on,metacopy=on")
    }

    @Test(arguments: redirects.keys.sorted())
    func `shows renamed directories whole`(_ name: String) throws {
        try check(name, #require(Self.redirects[name]), options: ",redirect_dir=on")
    }

    @Test(arguments: redirects.keys.sorted())
    func `shows renamed directories whole, with metacopy on`(_ name: String) throws {
        try check(name, #require(Self.redirects[name]), options: ",redirect_dir=on,metacopy=on")
    }

    @Test(arguments: scripts.keys.sorted())
    func `shows what the mount showed, with its notes in user attributes`(_ name: String) throws {
        // With userxattr, user.overlay.* is the kernel's, and files in the base must not have it.
        try check(name, #require(Self.scripts[name]), options: ",userxattr")
    }
}
