import Foundation
import Layers
import Linux
import Snapshots
import SystemPackage
import Testing

import Glibc

@Suite(.timeLimit(.minutes(40))) struct `A store is its owner's alone` {
    let base: FilePath
    private final class Directory: Sendable {
        let path: FilePath
        init(_ path: FilePath) { self.path = path }
        deinit { try? path.removeTree() }
    }
    private let directory: Directory

    init() throws {
        var template = Array("/var/tmp/mica-closed-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw Errno.last }
        base = FilePath(platformString: template)
        directory = Directory(base)
    }

    private var root: FilePath { base.appending("store") }

    private func open(_ path: FilePath? = nil) throws -> Store {
        let store = try Store.open(StoreLayout(root: path ?? root))
        // The database is opened by the first operation that needs it.
        _ = try store.images()
        return store
    }

    private func mode(_ path: FilePath) throws -> mode_t { try path.status().st_mode & 0o7777 }

    private func make(_ path: FilePath, _ mode: mode_t) throws {
        try path.makeDirectory()
        chmod(path.string, mode)
    }

    /// Every name in the root, with its mode, that another user could do something with.
    private func open(in root: FilePath) throws -> [String] {
        try root.names().map { root.appending(String(decoding: $0, as: UTF8.self)) }
            .filter { try mode($0) & 0o077 != 0 }.map(\.string)
    }

    private func refusal(_ path: FilePath? = nil) -> Failure? {
        do {
            _ = try open(path)
            return nil
        } catch {
            return error as? Failure ?? Failure("\(error)")
        }
    }

    @Test func `with the directories that pulls make`() throws {
        _ = try open()
        for name in ["arrivals", "blobs"] { try make(root.appending(name), 0o755) }
        chmod(root.string, 0o755)
        _ = try open()
        try #expect(open(in: root) == [])
        try #expect(mode(root) == 0o700)
    }

    @Test func `from its first moment, with all that SQLite makes`() throws {
        let store = try open()
        // The log is there while the database is open.
        try #expect(root.names().map { String(decoding: $0, as: UTF8.self) }.contains("mica.db-wal"))
        try #expect(mode(root) == 0o700)
        try #expect(open(in: root) == [])
        _ = store
    }

    @Test(arguments: [0o755, 0o777, 0o701, 0o770] as [mode_t])
    func `in an empty directory that was open`(mode: mode_t) throws {
        try make(root, mode)
        _ = try open()
        try #expect(self.mode(root) == 0o700)
    }

    @Test func `also where it has been open since an earlier version`() throws {
        _ = try open()
        for name in ["mica.db", "lock"] { chmod(root.appending(name).string, 0o666) }
        for name in ["containers", "tmp", "snapshots"] { chmod(root.appending(name).string, 0o777) }
        // As the one who makes a filesystem for the store leaves it.
        try root.appending("lost+found").makeDirectory(mode: 0o700)
        chmod(root.string, 0o755)
        _ = try open()
        try #expect(mode(root) == 0o700)
        try #expect(open(in: root) == [])
    }

    @Test func `also where only the database is open`() throws {
        _ = try open()
        chmod(root.appending("mica.db").string, 0o644)
        _ = try open()
        try #expect(open(in: root) == [])
    }

    @Test(arguments: [0o755, 0o700] as [mode_t])
    func `and never a directory that has something else in it`(mode: mode_t) throws {
        try make(root, mode)
        try root.appending("work").makeDirectory(mode: 0o755)
        let failure = try #require(refusal())
        #expect(failure.message.contains("not empty: there is work"))
        #expect(failure.advice?.contains("\(root)/mica") == true)
        try #expect(self.mode(root) == mode)
        try #expect(root.names().count == 1)
    }

    @Test func `and what lives beside an open one is not locked in`() throws {
        _ = try open()
        try root.appending("work").makeDirectory()
        // Closed, it concerns no other user.
        _ = try open()
        chmod(root.string, 0o755)
        let failure = try #require(refusal())
        #expect(failure.message.contains("work"))
        #expect(failure.advice?.contains("chmod 700 \(root)") == true)
        try #expect(mode(root) == 0o755)
    }

    @Test func `and not everybody's, even if it is empty`() throws {
        try make(root, 0o1777)
        #expect(refusal()?.message.contains("mode 1777") == true)
        try #expect(mode(root) == 0o1777)
    }

    @Test func `so nothing in an open one is taken for mica's that others may have put there`() throws {
        _ = try open()
        let elsewhere = base.appending("elsewhere")
        try elsewhere.makeDirectory()
        try root.appending("tmp").removeTree()
        symlink(elsewhere.string, root.appending("tmp").string)
        chmod(root.string, 0o777)
        #expect(refusal()?.message.contains("\(root)/tmp is not what mica made there") == true)
    }

    @Test(.enabled(if: geteuid() == 0, "needs root")) func `whoever that is`() throws {
        _ = try open()
        chown(root.string, 12345, 12345)
        let failure = try #require(refusal())
        #expect(failure.message.contains("belongs to user 12345, and this is user 0"))
        #expect(failure.advice?.contains("--root") == true)
    }

    @Test(arguments: [0o777, 0o775] as [mode_t])
    func `so nobody else may put another one in its place`(mode: mode_t) throws {
        let parent = base.appending("parent")
        try make(parent, mode)
        if mode == 0o775 {
            // A group of another user's; an ordinary user has no other one to give it to.
            guard geteuid() == 0 else { return }
            chown(parent.string, 0, 12345)
        }
        for path in [parent.appending("store"), parent.appending("new/deep/store")] {
            let failure = try #require(refusal(path))
            #expect(failure.message.contains("\(parent), where"))
            #expect(failure.advice?.contains("chmod go-w \(parent)") == true)
            #expect(!path.exists)
        }
        // As /tmp is.
        chmod(parent.string, 0o1777)
        _ = try open(parent.appending("store"))
        _ = try open(parent.appending("new/deep/store"))
        chmod(parent.string, 0o777)
        #expect(refusal(parent.appending("store")) != nil)
    }

    @Test func `by whatever path: links are followed once`() throws {
        let parent = base.appending("parent")
        try make(parent, 0o755)
        symlink(parent.appending("store").string, root.string)
        #expect(refusal()?.message.contains("symbolic link") == true)
        let store = try open(parent.appending("store"))
        let again = try open()
        #expect(again.layout.root == store.layout.root)
        chmod(parent.string, 0o777)
        #expect(refusal()?.message.contains("\(parent), where") == true)
    }

    @Test func `and not a file`() throws {
        try Data().write(to: URL(fileURLWithPath: root.string))
        #expect(refusal()?.message.contains("\(Errno.notDirectory)") == true)
    }

    @Test func `also where it was begun and never finished`() throws {
        try StoreLayout(root: root).prepare()
        chmod(root.string, 0o755)
        _ = try open()
        try #expect(mode(root) == 0o700)
        try #expect(open(in: root) == [])
    }
}
