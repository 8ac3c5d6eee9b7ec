import FUSE
import Foundation
import Linux
import MountFixtures
import SystemPackage
import Testing

import Glibc

private let canPass = geteuid() == 0 && Machine.isKernel(atLeast: 6, 9)

/// In passthrough mode the kernel reads and writes files itself, and takes one file only for each node that is open:
/// readers and writers of a file have the same one all the same.
@Suite(.timeLimit(.minutes(40)), .enabled(if: canPass, "needs root and Linux 6.9"))
struct `A mount in passthrough mode` {
    let workspace: Workspace

    init() throws { workspace = try Workspace() }

    /// Both forms of lower on every transport, and on each kind of filesystem: the kernel passes files of some, and not
    /// of those that are stacked themselves.
    struct Way: Sendable, CustomTestStringConvertible {
        let form: LowerForm
        let transport: Transport
        /// Of lower and upper; without it the one that has the tests' files.
        var filesystem: Filesystem?

        var testDescription: String {
            "\(form), \(transport.rawValue)" + (filesystem.map { ", on \($0)" } ?? "")
        }
    }

    static let cases = LowerForm.served.flatMap { form in
        Transport.usable.map { Way(form: form, transport: $0) }
            + Filesystem.kinds.map { Way(form: form, transport: .automatic, filesystem: $0) }
    }

    /// Runs `body` on a mount over a small tree, and looks whether the lower is what it was.
    private func mounted(_ way: Way, _ body: (SmallTree) throws -> Void) throws {
        let options = ["--io", "passthrough", "--transport", way.transport.rawValue]
        let disk = try way.filesystem?.make(in: workspace)
        let workspace = try disk.map { try Workspace(in: $0) } ?? self.workspace
        let tree = try SmallTree(way.form, in: workspace, options: options) { lower in
            try Errno.check(link("\(lower)/large", "\(lower)/other/alias"))
            try SmallTree.write("", to: "\(lower)/nothing")
            try shell("cp /bin/busybox \(lower)/busybox")
        }
        let before = try digests(workspace)
        try body(tree)
        try tree.mount.unmount()
        let after = try digests(workspace)
        #expect(after == before)
    }

    @discardableResult
    private func shell(_ script: String) throws -> String {
        try Tool.run(URL(fileURLWithPath: "/bin/sh"), ["-euc", script])
    }

    /// Of all that lowers have: files of the directory, and of the store.
    private func digests(_ workspace: Workspace) throws -> String {
        try shell(
            "cd \(workspace.path); find lower store* -type f ! -name 'mica.db*' | sort | xargs sha256sum"
        )
    }

    private func ino(_ tree: SmallTree, _ name: String) throws -> UInt { UInt(try tree.status(name).st_ino) }

    @Test(arguments: cases) func `opens files with nothing in them`(_ way: Way) throws {
        try mounted(way) { tree in
            #expect(try tree.read("nothing") == "")
            let reader = try tree.open("nothing", O_RDONLY)
            try tree.write("something", to: "nothing")
            #expect(try tree.read("nothing") == "something")
            #expect(try reader.contents(limit: 20) == Array("something".utf8))
        }
    }

    @Test(arguments: cases)
    func `shows who reads a lower file what another writes`(_ way: Way) throws {
        try mounted(way) { tree in
            let ino = try ino(tree, "large")
            do {
                let reader = try tree.open("large", O_RDONLY)
                let mapping = try Mapping(reader, length: 8192)
                #expect(mapping.text(at: 4096, count: 7) == "6789012")
                let writer = try tree.open("large", O_RDWR)
                try writer.put("written", at: 4096)
                #expect(try writer.text(at: 4095, count: 9) == "5written3")
                #expect(try reader.text(at: 4096, count: 7) == "written")
                #expect(mapping.text(at: 4096, count: 7) == "written")
                #expect(try tree.open("large", O_RDONLY).text(at: 4096, count: 7) == "written")
                for file in [try writer.status(), try reader.status(), try tree.status("large")] {
                    #expect(file.st_ino == ino)
                }
            }
            // It is no longer open: the kernel may get it now, and remembers nothing from before.
            for text in ["another", "one yet "] {
                do {
                    let writer = try tree.open("large", O_RDWR)
                    #expect(try writer.text(at: 4095, count: 1) == "5")
                    try writer.put(text, at: 4096)
                }
                #expect(try tree.open("large", O_RDONLY).text(at: 4096, count: text.utf8.count) == text)
            }
        }
    }

    @Test(arguments: cases)
    func `has one set of locks for readers and writers`(_ way: Way) throws {
        try mounted(way) { tree in
            let reader = try tree.open("large", O_RDONLY)
            let shared = reader.use { flock($0, LOCK_SH) }
            let writer = try tree.open("other/alias", O_RDWR)
            let before = writer.use { flock($0, LOCK_EX | LOCK_NB) }
            try writer.put("x", at: 0)
            let after = writer.use { flock($0, LOCK_EX | LOCK_NB) }
            _ = reader.use { flock($0, LOCK_UN) }
            let alone = writer.use { flock($0, LOCK_EX | LOCK_NB) }
            let another = try tree.open("large", O_RDONLY)
            let beside = another.use { flock($0, LOCK_SH | LOCK_NB) }
            #expect([shared, before, after, alone, beside] == [0, -1, -1, 0, -1])
        }
    }

    @Test(arguments: cases)
    func `tells who watches a file what another writes to it`(_ way: Way)
        throws
    {
        try mounted(way) { tree in
            let watcher = OwnedFD(adopting: try Errno.check(inotify_init1(CInt(IN_NONBLOCK))))
            let reader = try tree.open("large", O_RDONLY)
            _ = try Errno.check(
                watcher.use { inotify_add_watch($0, tree.path("large"), UInt32(IN_MODIFY)) }
            )
            try tree.open("other/alias", O_RDWR).put("written", at: 0)
            var event = [UInt8](repeating: 0, count: 64)
            // Before write(2) returned.
            let got = watcher.use { fd in
                event.withUnsafeMutableBytes { Glibc.read(fd, $0.baseAddress, $0.count) }
            }
            #expect(got > 0)
            #expect(try reader.text(at: 0, count: 7) == "written")
        }
    }

    @Test(arguments: cases)
    func `shows a write to who opened after the writer`(_ way: Way) throws {
        try mounted(way) { tree in
            let writer = try tree.open("large", O_RDWR)
            let reader = try tree.open("large", O_RDONLY)
            let mapping = try Mapping(reader, length: 8192)
            try writer.put("written", at: 10)
            #expect(try reader.text(at: 10, count: 7) == "written")
            #expect(mapping.text(at: 10, count: 7) == "written")
            try Mapping(writer, length: 4096, isWritable: true).put("mapped", at: 20)
            #expect(try reader.text(at: 20, count: 6) == "mapped")
        }
    }

    @Test(arguments: cases)
    func `has all names of a hard link lead to the new data`(_ way: Way) throws {
        try mounted(way) { tree in
            let reader = try tree.open("other/alias", O_RDONLY)
            #expect(try reader.text(at: 0, count: 3) == "012")
            let writer = try tree.open("large", O_RDWR)
            try writer.put("written", at: UInt64(SmallTree.large))
            for name in ["large", "other/alias"] {
                #expect(try tree.status(name).st_size == SmallTree.large + 7)
                #expect(
                    try tree.open(name, O_RDONLY).text(at: UInt64(SmallTree.large), count: 7) == "written"
                )
                #expect(try tree.status(name).st_nlink == 2)
            }
            let inos = [try ino(tree, "large"), try ino(tree, "other/alias")]
            #expect(inos[0] == inos[1])
            #expect(try reader.text(at: UInt64(SmallTree.large), count: 7) == "written")
            #expect(truncate(tree.path("other/alias"), 5) == 0)
            #expect(try reader.text(at: 0, count: 7) == "01234")
            #expect(try tree.read("large") == "01234")
            #expect(try tree.status("large").st_size == 5)
        }
    }

    @Test(arguments: cases)
    func `runs a program whose file is then replaced`(_ way: Way) throws {
        try mounted(way) { tree in
            let busybox = tree.path("busybox")
            let script = """
                "\(busybox)" sleep 1000 & pid=$!
                until "\(busybox)" cmp -s /proc/$pid/exe "\(busybox)"; do :; done
                if (: >> "\(busybox)"); then echo written; else echo refused; fi
                printf 'echo new' > "\(busybox).new"; mv "\(busybox).new" "\(busybox)"
                sh "\(busybox)"; kill $pid
                """
            let said = try shell("(\(script)) 2>/dev/null")
            #expect(said == "refused\nnew\n")
        }
    }

    @Test(arguments: cases)
    func `reopens a descriptor by its link in proc`(_ way: Way) throws {
        try mounted(way) { tree in
            let reader = try tree.open("large", O_RDONLY)
            let link = FilePath("/proc/self/fd/\(reader.raw)")
            #expect(try OwnedFD.open(link, O_RDONLY).text(at: 0, count: 3) == "012")
            let writer = try tree.open("large", O_RDWR)
            try writer.put("new", at: 0)
            #expect(try OwnedFD.open(link, O_RDONLY).text(at: 0, count: 3) == "new")
            try OwnedFD.open(link, O_RDWR).put("old", at: 0)
            #expect(try writer.text(at: 0, count: 3) == "old")
            let again = try OwnedFD.open(FilePath("/proc/self/fd/\(writer.raw)"), O_RDWR)
            try again.put("NEW", at: 0)
            #expect(try tree.open("large", O_RDONLY).text(at: 0, count: 3) == "NEW")
        }
    }

    @Test(arguments: cases)
    func `truncates what others read`(_ way: Way) throws {
        try mounted(way) { tree in
            let reader = try tree.open("large", O_RDONLY)
            #expect(truncate(tree.path("large"), 100) == 0)
            #expect(try reader.text(at: 1000, count: 3) == "")
            #expect(try reader.status().st_size == 100)
            #expect(try tree.read("large").utf8.count == 100)
            let second = try tree.open("file", O_RDONLY)
            try tree.write("cut", to: "file")
            #expect(try tree.read("file") == "cut")
            #expect(try tree.status("file").st_size == 3)
            #expect(try second.text(at: 0, count: 10) == "cut")
            let third = try tree.open("busybox", O_RDONLY)
            #expect(try third.text(at: 1, count: 3) == "ELF")
            try tree.write("cut", to: "busybox")
            #expect(try third.text(at: 0, count: 10) == "cut")
            #expect(try tree.read("busybox") == "cut")
        }
    }

    @Test(arguments: cases)
    func `serves sixteen at once`(_ way: Way) throws {
        try mounted(way) { tree in
            let path = tree.path("large")
            let threads = try (0..<16).map { number in
                try WorkerThread {
                    for round in 0..<20 {
                        let flags = (number + round).isMultiple(of: 2) ? O_RDWR : O_RDONLY
                        guard let file = try? OwnedFD.open(FilePath(path), flags) else { continue }
                        _ = try? file.text(at: UInt64(number * 100), count: 10)
                        if flags == O_RDWR {
                            try? file.put("thread \(number % 10)", at: UInt64(number * 1000))
                        }
                    }
                }
            }
            for thread in threads { thread.join() }
            let file = try tree.open("large", O_RDONLY)
            for number in 0..<16 {
                #expect(try file.text(at: UInt64(number * 1000), count: 8) == "thread \(number % 10)")
            }
            #expect(try file.status().st_size == SmallTree.large)
        }
    }

    @Test(arguments: cases)
    func `keeps a file that is removed while open`(_ way: Way) throws {
        try mounted(way) { tree in
            let reader = try tree.open("large", O_RDONLY)
            let writer = try tree.open("large", O_RDWR)
            #expect(unlink(tree.path("large")) == 0)
            #expect(unlink(tree.path("other/alias")) == 0)
            try writer.put("gone", at: 0)
            #expect(try writer.text(at: 0, count: 4) == "gone")
            #expect(try reader.text(at: 0, count: 4) == "gone")
            #expect(try writer.status().st_nlink == 0)
        }
    }
}
