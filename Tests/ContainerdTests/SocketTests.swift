import Containerd
import Glibc
import Layers
import Linux
import MountFixtures
import Snapshots
import SystemPackage
import Testing

@Suite(.timeLimit(.minutes(40)))
struct `A service's socket` {
    private let workspace: Workspace
    private var directory: FilePath { FilePath("\(workspace.path)/run") }

    init() throws { workspace = try Workspace() }

    @Test func `is its owner's alone, and so is its directory`() throws {
        let place = try PrivateDirectory.claimed(directory)
        let socket = try ListeningSocket.listening(at: place.appending("s"))
        #expect(try place.status().st_mode & 0o777 == 0o700)
        #expect(try place.appending("s").status().st_mode & 0o777 == 0o600)
        #expect(try place.names().count == 1)
        _ = consume socket
    }

    @Test func `is not made where others could look or put something in its place`() throws {
        for mode in [0o755, 0o750, 0o711] as [mode_t] {
            try directory.makeDirectory(mode: 0o700)
            #expect(directory.withPlatformString { chmod($0, mode) } == 0)
            #expect(throws: Failure.self) { try PrivateDirectory.claimed(directory) }
        }
        let open = FilePath("\(workspace.path)/open")
        try open.makeDirectory(mode: 0o700)
        #expect(open.withPlatformString { chmod($0, 0o777) } == 0)
        #expect(throws: Failure.self) { try PrivateDirectory.claimed(open.appending("run")) }
        // One by way of a link is judged by where it leads.
        let link = FilePath("\(workspace.path)/link")
        #expect(symlink("open", link.string) == 0)
        #expect(throws: Failure.self) { try PrivateDirectory.claimed(link) }
        #expect(open.withPlatformString { chmod($0, 0o1777) } == 0)
        _ = try PrivateDirectory.claimed(open.appending("run"))
    }

    @Test func `takes the place of one that nobody answers on, and of nothing else`() throws {
        let path = try PrivateDirectory.claimed(directory).appending("s")
        _ = try ListeningSocket.listening(at: path)
        // That one is closed; its name is still there.
        #expect(path.exists)
        let socket = try ListeningSocket.listening(at: path)
        let failure = try #require(throws: Failure.self) { _ = try ListeningSocket.listening(at: path) }
        #expect(failure.message.contains("answers"))
        let file = path.removingLastComponent().appending("file")
        _ = try OwnedFD.open(file, O_WRONLY | O_CREAT, mode: 0o600)
        #expect(throws: Failure.self) { _ = try ListeningSocket.listening(at: file) }
        #expect(file.exists)
        _ = consume socket
    }

    @Test func `has a path that the kernel can hold, or is refused`() throws {
        let path = try PrivateDirectory.claimed(directory).appending(String(repeating: "s", count: 100))
        let failure = try #require(throws: Failure.self) { _ = try ListeningSocket.listening(at: path) }
        #expect(failure.message.contains("107"))
    }

    @Test func `serves a store alone, and says so in it`() throws {
        let layout = StoreLayout(root: FilePath("\(workspace.path)/store"))
        _ = try Store.open(layout)
        #expect(ServiceStatus(of: layout) == nil)
        try ServiceLock.hold(layout, socket: directory.appending("a path"))
        let status = try #require(ServiceStatus(of: layout))
        #expect(status.pid == getpid())
        #expect(status.socket == directory.appending("a path").string)
        let failure = try #require(throws: Failure.self) {
            try ServiceLock.hold(layout, socket: directory.appending("other"))
        }
        #expect(failure.kind == .failedPrecondition)
        #expect(failure.message.contains("\(getpid())"))
        #expect(ServiceStatus(of: layout) == status)
    }

    @Test func `names no process where none has said that it serves`() throws {
        let layout = StoreLayout(root: FilePath("\(workspace.path)/store"))
        _ = try Store.open(layout)
        let lock = try FileLock(layout.service)
        let failure = try #require(throws: Failure.self) {
            try ServiceLock.hold(layout, socket: directory.appending("s"))
        }
        #expect(failure.advice?.contains("kill") == false)
        _ = consume lock
    }

    @Test func `has mounts in a directory that no other service has`() throws {
        let place = try PrivateDirectory.claimed(directory)
        try ServiceLock.hold(state: place)
        let failure = try #require(throws: Failure.self) { try ServiceLock.hold(state: place) }
        #expect(failure.kind == .failedPrecondition)
    }

    @Test func `is told metrics' place by a path or a port of this machine's own`() {
        #expect(MetricsAddress("/run/m/../m.sock") == .socket("/run/m.sock"))
        #expect(MetricsAddress("127.0.0.1:9470") == .port(9470))
        #expect(MetricsAddress("localhost:1") == .port(1))
        for text in [
            "", "m.sock", "9470", ":9470", "0.0.0.0:9470", "[::1]:9470", "127.0.0.1:0", "127.0.0.1:65536",
        ] {
            #expect(MetricsAddress(text) == nil, "\(text)")
        }
    }
}
