import FUSE
import Glibc
import Linux
import Nodes
import Synchronization
import SystemPackage

/// Files by number, 1 being the root directory, which a layer above changes and shows. What a test does not
/// need answers ENOSYS.
final class RecordingTree: Operations {
    struct File: Sendable {
        var status = Attributes(id: 0, ino: 0, mode: 0, nlink: 0)
        var xattrs: [XattrName: [UInt8]] = [:]
        var contents: [UInt8] = []
    }

    private struct State {
        var files: [UInt64: File] = [:]
        var names: [(name: [UInt8], node: UInt64)] = []
        var callers: [Caller] = []
        var references: [UInt64: Int] = [:]
    }

    private let state = Mutex(State())
    /// Whether only the process's own user may be given a file.
    let isUnprivileged: Bool

    init(isUnprivileged: Bool = false) {
        self.isUnprivileged = isUnprivileged
        add(1, mode: S_IFDIR | 0o755)
    }

    func add(
        _ node: UInt64,
        _ name: String? = nil,
        mode: UInt32 = S_IFREG | 0o644,
        uid: UInt32 = 0,
        gid: UInt32 = 0,
        xattrs: [XattrName: String] = [:],
        contents: String = ""
    ) {
        var file = File()
        file.status.id = node
        file.status.ino = node
        file.status.mode = mode
        file.status.nlink = mode & S_IFMT == S_IFDIR ? 2 : 1
        file.status.uid = uid
        file.status.gid = gid
        file.status.size = UInt64(contents.utf8.count)
        file.xattrs = xattrs.mapValues { Array($0.utf8) }
        file.contents = Array(contents.utf8)
        state.withLock {
            $0.files[node] = file
            if let name { $0.names.append((Array(name.utf8), node)) }
        }
    }

    /// What a node is below.
    subscript(_ node: UInt64) -> File? {
        get { state.withLock { $0.files[node] } }
        set { state.withLock { $0.files[node] = newValue } }
    }

    /// Who has created, as this tree was told.
    var callers: [Caller] { state.withLock { $0.callers } }
    /// Counted and not given back.
    func references(_ node: UInt64) -> Int { state.withLock { $0.references[node] ?? 0 } }
    func node(_ name: String) -> UInt64? {
        state.withLock { $0.names.first { $0.name == Array(name.utf8) }?.node }
    }

    private func file(_ node: UInt64) throws(FSError) -> File {
        guard let file = self[node] else { throw .system(.noSuchFileOrDirectory) }
        return file
    }

    private func reference(_ node: UInt64) throws(FSError) -> Attributes {
        state.withLock { $0.references[node, default: 0] += 1 }
        return try file(node).status
    }

    func lookup(_ name: UnsafeRawBufferPointer, in parent: UInt64) throws(FSError) -> Attributes? {
        guard let node = node(String(decoding: name, as: UTF8.self)) else { return nil }
        return try reference(node)
    }

    func mayGainRoom(within nanoseconds: UInt64) -> Bool { false }

    func forget(_ references: [References]) {
        state.withLock { state in
            for given in references { state.references[given.node, default: 0] -= Int(given.count) }
        }
    }

    func attributes(of node: UInt64) throws(FSError) -> Attributes { try file(node).status }

    func change(_ node: UInt64, _ change: AttributeChange) throws(FSError) -> Attributes {
        var file = try file(node)
        if isUnprivileged, change.uid ?? geteuid() != geteuid() || change.gid ?? getegid() != getegid() {
            throw .system(.notPermitted)
        }
        file.status.uid = change.uid ?? file.status.uid
        file.status.gid = change.gid ?? file.status.gid
        if let mode = change.mode { file.status.mode = file.status.mode & S_IFMT | mode & 0o7777 }
        file.status.size = change.size ?? file.status.size
        self[node] = file
        return file.status
    }

    func target(of node: UInt64) throws(FSError) -> [UInt8] { throw .system(.invalidArgument) }

    private func create(_ name: UnsafeRawBufferPointer, _ mode: UInt32, _ caller: Caller) throws(FSError)
        -> Attributes
    {
        if isUnprivileged, caller.uid != geteuid() || caller.gid != getegid() { throw .system(.notPermitted) }
        let node = state.withLock {
            $0.callers.append(caller)
            return ($0.files.keys.max() ?? 1) + 1
        }
        add(
            node,
            String(decoding: name, as: UTF8.self),
            mode: mode & S_IFMT | mode & 0o7777 & ~caller.umask,
            uid: caller.uid,
            gid: caller.gid
        )
        return try reference(node)
    }

    func makeNode(
        _ name: UnsafeRawBufferPointer,
        in parent: UInt64,
        mode: UInt32,
        device: UInt32,
        by caller: Caller
    ) throws(FSError) -> Attributes { try create(name, mode, caller) }

    func makeDirectory(
        _ name: UnsafeRawBufferPointer,
        in parent: UInt64,
        mode: UInt32,
        by caller: Caller
    ) throws(FSError) -> Attributes { try create(name, S_IFDIR | mode, caller) }

    func makeSymlink(
        _ name: UnsafeRawBufferPointer,
        in parent: UInt64,
        target: UnsafeRawBufferPointer,
        by caller: Caller
    ) throws(FSError) -> Attributes { try create(name, S_IFLNK | 0o777, caller) }

    func link(
        _ node: UInt64,
        as name: UnsafeRawBufferPointer,
        in parent: UInt64
    ) throws(FSError) -> Attributes { try reference(node) }

    func unlink(_ name: UnsafeRawBufferPointer, in parent: UInt64) throws(FSError) {
        let bytes = [UInt8](name)
        state.withLock { $0.names.removeAll { $0.name == bytes } }
    }

    func removeDirectory(_ name: UnsafeRawBufferPointer, in parent: UInt64) throws(FSError) {
        try unlink(name, in: parent)
    }

    func rename(
        _ name: UnsafeRawBufferPointer,
        in parent: UInt64,
        to newName: UnsafeRawBufferPointer,
        in newParent: UInt64,
        flags: UInt32
    ) throws(FSError) { throw .system(.noFunction) }

    func list(
        _ node: UInt64,
        from offset: UInt64,
        isCounting: Bool,
        _ body: (ListedEntry) throws(FSError) -> Bool
    ) throws(FSError) {
        let names = state.withLock { $0.names }
        for (position, entry) in names.enumerated().dropFirst(Int(offset)) {
            let status = try file(entry.node).status
            let isWanted = try entry.name.span.withUnsafeBytes {
                (bytes: UnsafeRawBufferPointer) throws(FSError) in
                try body(ListedEntry(name: bytes, attributes: status, next: UInt64(position) + 1))
            }
            guard isWanted else { return }
            if isCounting { state.withLock { $0.references[entry.node, default: 0] += 1 } }
        }
    }

    func read(
        _ node: UInt64,
        into buffer: UnsafeMutableRawBufferPointer,
        at offset: UInt64
    ) throws(FSError) -> Int {
        let rest = try file(node).contents.dropFirst(Int(offset)).prefix(buffer.count)
        buffer.copyBytes(from: rest)
        return rest.count
    }

    func write(
        _ node: UInt64,
        _ bytes: UnsafeRawBufferPointer,
        at offset: UInt64,
        killsPrivileges: Bool
    ) throws(FSError) -> Int { bytes.count }

    func synchronize(_ node: UInt64, dataOnly: Bool) throws(FSError) {}
    func allocate(
        _ node: UInt64,
        mode: Int32,
        offset: Int64,
        length: Int64,
        killsPrivileges: Bool
    ) throws(FSError) {}
    func makeTemporary(in parent: UInt64, mode: UInt32, by caller: Caller) throws(FSError) -> Attributes {
        throw .system(.notSupported)
    }
    func seek(_ node: UInt64, offset: Int64, whence: Int32) throws(FSError) -> Int64 { offset }
    func copyRange(
        from source: UInt64,
        at sourceOffset: UInt64,
        to target: UInt64,
        at targetOffset: UInt64,
        count: Int,
        killsPrivileges: Bool
    ) throws(FSError) -> Int { count }

    func xattr(_ name: XattrName, of node: UInt64) throws(FSError) -> [UInt8]? { try file(node).xattrs[name] }
    func xattrs(of node: UInt64) throws(FSError) -> [XattrName] { try file(node).xattrs.keys.sorted() }

    func setXattr(
        _ name: XattrName,
        of node: UInt64,
        to value: UnsafeRawBufferPointer,
        flags: Int32,
        clearsSetGroupID: Bool
    ) throws(FSError) {
        var file = try file(node)
        file.xattrs[name] = [UInt8](value)
        self[node] = file
    }

    func removeXattr(_ name: XattrName, of node: UInt64) throws(FSError) {
        guard try file(node).xattrs[name] != nil else { throw .system(.noData) }
        self[node]?.xattrs[name] = nil
    }

    func statistics() throws(FSError) -> FilesystemStatus { FilesystemStatus() }
}

extension Operations {
    /// With names and values as tests write them.
    func find(_ name: String) throws(FSError) -> Attributes? {
        try Array(name.utf8).span.withUnsafeBytes { (name: UnsafeRawBufferPointer) throws(FSError) in
            try lookup(name, in: 1)
        }
    }

    func create(_ name: String, mode: UInt32, uid: UInt32, gid: UInt32, umask: UInt32 = 0o22) throws(FSError)
        -> Attributes
    {
        try Array(name.utf8).span.withUnsafeBytes { (name: UnsafeRawBufferPointer) throws(FSError) in
            let caller = Caller(uid: uid, gid: gid, umask: umask)
            return mode & S_IFMT == S_IFDIR
                ? try makeDirectory(name, in: 1, mode: mode, by: caller)
                : try makeNode(name, in: 1, mode: mode, device: 0, by: caller)
        }
    }

    func set(_ name: XattrName, _ value: [UInt8], of node: UInt64) throws(FSError) {
        try value.span.withUnsafeBytes { (value: UnsafeRawBufferPointer) throws(FSError) in
            try setXattr(name, of: node, to: value, flags: 0, clearsSetGroupID: false)
        }
    }

    func chown(_ node: UInt64, uid: UInt32? = nil, gid: UInt32? = nil) throws(FSError) -> Attributes {
        var change = AttributeChange()
        change.uid = uid
        change.gid = gid
        return try self.change(node, change)
    }

    func chmod(_ node: UInt64, _ mode: UInt32) throws(FSError) -> Attributes {
        var change = AttributeChange()
        change.mode = mode
        return try self.change(node, change)
    }
}
