import FUSE
import Foundation
import Glibc
import Linux
import Scratch
import Synchronization
import SystemPackage
import Testing

private let canMount = geteuid() == 0 && FilePath("/dev/fuse").exists

@Suite(.timeLimit(.minutes(40)), .enabled(if: canMount, "needs root and /dev/fuse")) struct `A session` {
    /// Mounts `tree`, runs `body` with the mount point, and unmounts whatever happens.
    private func mounted(
        _ tree: CountingTree,
        _ transport: Transport,
        isWritable: Bool = false,
        log: @escaping @Sendable (String) -> Void = { _ in },
        _ body: (FilePath) throws -> Void
    ) throws {
        let target = FilePath("\(Scratch.prefix("fuse"))\(UUID())")
        try target.makeDirectory()
        defer { _ = target.withPlatformString { rmdir($0) } }
        let session = try Session(operations: tree, transport: transport, log: log)
        var request = MountRequest(source: Array("counting".utf8), target: target)
        if !isWritable { request.flags = UInt(MS_RDONLY) }
        try session.mount(request)
        let server = try WorkerThread { session.run(threads: 4) {} }
        defer {
            _ = target.withPlatformString { umount2($0, CInt(MNT_DETACH)) }
            server.join()
        }
        try body(target)
    }

    private func read(_ path: FilePath) throws -> [UInt8] {
        try OwnedFD.open(path, O_RDONLY).contents(limit: 1 << 20)
    }

    @Test(arguments: Transport.usable) func `shows what its operations say`(_ transport: Transport) throws {
        try mounted(CountingTree(), transport) { target in
            #expect(try target.names() == [Array("file".utf8)])
            #expect(try read(target.appending("file")) == CountingTree.contents)
            let status = try target.appending("file").status()
            #expect(status.st_ino == 2)
            #expect(status.st_mode == S_IFREG | 0o644)
            #expect(status.st_mtim.tv_sec == 1_000_000_000)
            #expect(status.st_mtim.tv_nsec == 123_456_789)
            #expect(try Xattr.names(at: target.appending("file")) == ["user.one", "user.two"])
            #expect(try Xattr.get("user.three", at: target.appending("file")) == nil)
        }
    }

    /// The reason why a warm mount is as fast as the kernel.
    @Test(arguments: Transport.usable) func `is asked everything once`(_ transport: Transport) throws {
        let tree = CountingTree()
        try mounted(tree, transport) { target in
            func useAll() throws {
                _ = try target.names()
                _ = try target.appending("file").status()
                _ = try read(target.appending("file"))
                #expect(!target.appending("absent").exists)
            }
            try useAll()
            // A second time for what a first one settles: that OPEN and OPENDIR are not to be sent.
            try useAll()
            let before = tree.requests
            #expect(before["lookup"] != nil && before["read"] != nil && before["readdir"] != nil)
            for _ in 0..<50 { try useAll() }
            #expect(tree.requests == before)
        }
    }

    @Test(arguments: Transport.usable) func `passes errors on as they are, and reports a damaged index`(
        _ transport: Transport
    ) throws {
        let lines = Mutex<[String]>([])
        try mounted(CountingTree(), transport, log: { line in lines.withLock { $0.append(line) } }) {
            target in
            #expect(throws: Errno(rawValue: EUCLEAN)) { try target.appending("damaged").status() }
            #expect(throws: Errno.readOnlyFileSystem) {
                _ = try OwnedFD.open(target.appending("file"), O_WRONLY)
            }
            #expect(throws: Errno.noSuchFileOrDirectory) { try target.appending("absent").status() }
        }
        #expect(lines.withLock { $0.count } == 1)
        #expect(lines.withLock { $0.first?.contains("damaged") } == true)
    }

    @Test(arguments: Transport.usable)
    func `says how much of a write fitted, and loses none of what comes from mapped memory without a word`(
        _ transport: Transport
    ) throws {
        try mounted(CountingTree(room: 7), transport, isWritable: true) { target in
            let file = try OwnedFD.open(target.appending("file"), O_RDWR)
            let bytes = [UInt8](repeating: 1, count: 12)
            #expect(pwrite(file.raw, bytes, bytes.count, 0) == 7)
            #expect(pwrite(file.raw, bytes, bytes.count, 7) == -1 && Errno.last == .noSpace)
            let size = CountingTree.contents.count
            let map = try #require(mmap(nil, size, PROT_READ | PROT_WRITE, MAP_SHARED, file.raw, 0))
            try #require(map != MAP_FAILED)
            defer { munmap(map, size) }
            map.storeBytes(of: 2, as: UInt8.self)
            #expect(msync(map, size, MS_SYNC) == -1 && Errno.last == .noSpace)
        }
    }

    @Test(arguments: Transport.usable) func `ends with its mount`(_ transport: Transport) throws {
        // `mounted` waits for the threads: this returns only if they do.
        for _ in 0..<10 { try mounted(CountingTree(), transport) { target in _ = try target.names() } }
    }

    /// With as many waiting as CPUs can ask: no answer may depend on where it was asked.
    @Test(arguments: Transport.usable) func `answers others while a slow request is served`(
        _ transport: Transport
    ) throws {
        let tree = CountingTree()
        try mounted(tree, transport) { target in
            // Where one reader may lead, it does now.
            for number in 0..<2000 { #expect(!target.appending("early\(number)").exists) }
            let slow = try (0..<2).map { _ in
                try WorkerThread { _ = try? target.appending("slow").status() }
            }
            defer {
                tree.gate.open()
                for thread in slow { thread.join() }
            }
            while !tree.gate.hasVisitor { sched_yield() }
            for number in 0..<200 { #expect(!target.appending("absent\(number)").exists) }
            #expect(try read(target.appending("file")) == CountingTree.contents)
        }
    }
}
