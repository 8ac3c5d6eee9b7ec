import FUSE
import Glibc
import Linux
import Nodes
import Synchronization
import SystemPackage

/// A directory with one file, which counts what it is asked.
final class CountingTree: Operations {
    static let contents = Array("what is in the file\n".utf8)
    private let counts = Mutex<[String: Int]>([:])
    /// How many bytes of the file there is room for; nil: it can't be written to.
    private let room: Int?

    init(room: Int? = nil) { self.room = room }

    /// The lookup of `slow` waits here.
    let gate = Gate()

    /// Requests by name so far.
    var requests: [String: Int] { counts.withLock { $0 } }

    private func count(_ request: String) { counts.withLock { $0[request, default: 0] += 1 } }

    private func status(_ node: UInt64) -> Attributes {
        var status = Attributes(
            id: node,
            ino: node,
            mode: node == 1 ? S_IFDIR | 0o755 : S_IFREG | 0o644,
            nlink: node == 1 ? 2 : 1
        )
        status.size = node == 1 ? 4096 : UInt64(CountingTree.contents.count)
        status.mtime = Attributes.Time(seconds: 1_000_000_000, nanoseconds: 123_456_789)
        return status
    }

    func lookup(_ name: UnsafeRawBufferPointer, in parent: UInt64) throws(FSError) -> Attributes? {
        count("lookup")
        if name.elementsEqual("slow".utf8) { gate.wait() }
        if name.elementsEqual("damaged".utf8) { throw .corruptIndex(offset: 7) }
        return name.elementsEqual("file".utf8) ? status(2) : nil
    }

    func forget(_ references: [References]) {}
    func mayGainRoom(within nanoseconds: UInt64) -> Bool { false }

    func attributes(of node: UInt64) throws(FSError) -> Attributes {
        count("getattr")
        return status(node)
    }

    func list(
        _ node: UInt64,
        from offset: UInt64,
        isCounting: Bool,
        _ body: (ListedEntry) throws(FSError) -> Bool
    ) throws(FSError) {
        count("readdir")
        let names = [".", "..", "file"]
        for (position, name) in names.enumerated().dropFirst(Int(offset)) {
            let bytes = Array(name.utf8)
            let isWanted = try bytes.span.withUnsafeBytes { (bytes: UnsafeRawBufferPointer) throws(FSError) in
                try body(
                    ListedEntry(
                        name: bytes,
                        attributes: status(name == "file" ? 2 : 1),
                        next: UInt64(position) + 1
                    )
                )
            }
            guard isWanted else { return }
        }
    }

    func read(
        _ node: UInt64,
        into buffer: UnsafeMutableRawBufferPointer,
        at offset: UInt64
    ) throws(FSError) -> Int {
        count("read")
        let rest = CountingTree.contents.dropFirst(Int(offset)).prefix(buffer.count)
        rest.withUnsafeBytes { buffer.copyMemory(from: $0) }
        return rest.count
    }

    func statistics() throws(FSError) -> FilesystemStatus { FilesystemStatus() }
    func xattr(_ name: XattrName, of node: UInt64) throws(FSError) -> [UInt8]? { nil }
    func xattrs(of node: UInt64) throws(FSError) -> [XattrName] { ["user.one", "user.two"] }

    // Nothing here changes.
    func change(_ node: UInt64, _ change: AttributeChange) throws(FSError) -> Attributes {
        throw .system(.readOnlyFileSystem)
    }
    func target(of node: UInt64) throws(FSError) -> [UInt8] { throw .system(.invalidArgument) }
    func makeNode(
        _ name: UnsafeRawBufferPointer,
        in parent: UInt64,
        mode: UInt32,
        device: UInt32,
        by caller: Caller
    ) throws(FSError) -> Attributes { throw .system(.readOnlyFileSystem) }
    func makeTemporary(in parent: UInt64, mode: UInt32, by caller: Caller) throws(FSError) -> Attributes {
        throw .system(.readOnlyFileSystem)
    }
    func makeDirectory(
        _ name: UnsafeRawBufferPointer,
        in parent: UInt64,
        mode: UInt32,
        by caller: Caller
    ) throws(FSError) -> Attributes { throw .system(.readOnlyFileSystem) }
    func makeSymlink(
        _ name: UnsafeRawBufferPointer,
        in parent: UInt64,
        target: UnsafeRawBufferPointer,
        by caller: Caller
    ) throws(FSError) -> Attributes { throw .system(.readOnlyFileSystem) }
    func link(
        _ node: UInt64,
        as name: UnsafeRawBufferPointer,
        in parent: UInt64
    ) throws(FSError) -> Attributes { throw .system(.readOnlyFileSystem) }
    func unlink(_ name: UnsafeRawBufferPointer, in parent: UInt64) throws(FSError) {
        throw .system(.readOnlyFileSystem)
    }
    func removeDirectory(_ name: UnsafeRawBufferPointer, in parent: UInt64) throws(FSError) {
        throw .system(.readOnlyFileSystem)
    }
    func rename(
        _ name: UnsafeRawBufferPointer,
        in parent: UInt64,
        to newName: UnsafeRawBufferPointer,
        in newParent: UInt64,
        flags: UInt32
    ) throws(FSError) { throw .system(.readOnlyFileSystem) }
    func write(
        _ node: UInt64,
        _ bytes: UnsafeRawBufferPointer,
        at offset: UInt64,
        killsPrivileges: Bool
    ) throws(FSError) -> Int {
        guard let room else { throw .system(.readOnlyFileSystem) }
        let count = min(bytes.count, room - Int(offset))
        guard count > 0 else { throw .system(.noSpace) }
        return count
    }
    func synchronize(_ node: UInt64, dataOnly: Bool) throws(FSError) {}
    func allocate(
        _ node: UInt64,
        mode: Int32,
        offset: Int64,
        length: Int64,
        killsPrivileges: Bool
    ) throws(FSError) { throw .system(.readOnlyFileSystem) }
    func seek(_ node: UInt64, offset: Int64, whence: Int32) throws(FSError) -> Int64 {
        throw .system(.invalidArgument)
    }
    func copyRange(
        from source: UInt64,
        at sourceOffset: UInt64,
        to target: UInt64,
        at targetOffset: UInt64,
        count: Int,
        killsPrivileges: Bool
    ) throws(FSError) -> Int { throw .system(.readOnlyFileSystem) }
    func setXattr(
        _ name: XattrName,
        of node: UInt64,
        to value: UnsafeRawBufferPointer,
        flags: Int32,
        clearsSetGroupID: Bool
    ) throws(FSError) { throw .system(.readOnlyFileSystem) }
    func removeXattr(_ name: XattrName, of node: UInt64) throws(FSError) {
        throw .system(.readOnlyFileSystem)
    }
}

/// Closed until the test opens it.
final class Gate: @unchecked Sendable {
    // Safe to share: both are only touched under `lock`.
    private let lock = Lock()
    private var isOpen = false
    private var waiting = 0

    func wait() {
        lock.lock()
        waiting += 1
        while !isOpen { lock.wait() }
        lock.unlock()
    }

    func open() {
        lock.lock()
        isOpen = true
        lock.wakeAll()
        lock.unlock()
    }

    var hasVisitor: Bool {
        lock.lock()
        defer { lock.unlock() }
        return waiting > 0
    }
}
