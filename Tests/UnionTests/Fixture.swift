import Digests
import Foundation
import Glibc
import Layers
import Linux
import Nodes
import Overlay
import Scratch
import SystemPackage
import Testing
import Union

/// A store in a directory of its own with layers made from descriptions, removed with the value.
final class Fixture {
    let directory: FilePath
    let layout: StoreLayout
    private(set) var layers: [Digest] = []
    /// Of the second form: bottom to top.
    private(set) var directories: [FilePath] = []
    private let form = Fixture.form

    init() throws {
        directory = FilePath("\(Scratch.prefix("union"))\(UUID())")
        layout = StoreLayout(root: directory.appending("store"))
        try layout.prepare()
    }

    deinit { try? directory.removeTree() }

    indirect enum Item {
        case file(String, mode: UInt32 = 0o644)
        case symlink(String)
        case device(UInt32)
        case directory([String: Item], isOpaque: Bool = false, isImplied: Bool = false, mode: UInt32 = 0o755)
        case whiteout
        /// Another name of the file with this key, which has several names.
        case shared(String, contents: String)
    }

    /// Adds a layer on top.
    func add(_ root: [String: Item], xattrs: [String: [UInt8]] = [:]) throws {
        guard form == .chain else {
            let layer = directory.appending("layer-\(directories.count)")
            try Fixture.write(root, to: layer, xattrs: xattrs)
            directories.append(layer)
            return
        }
        let digest = SHA256.digest(of: Array("layer \(layers.count) of \(directory)".utf8))
        try layout.layer(digest).makeDirectories()
        var builder = IndexBuilder(kind: .layer)
        var pack: [UInt8] = []
        var shared: [String: UInt32] = [:]

        func regular(_ contents: String, _ mode: UInt32) throws -> UInt32 {
            var record = InodeRecord()
            record.mode = S_IFREG | mode
            record.size = UInt64(contents.utf8.count)
            record.contentKind = ContentKind.packed.rawValue
            record.content = UInt64(pack.count)
            record.mtimeSeconds = 1_000_000_000
            record.mtimeNanoseconds = 123_456_789
            record.xattrs = try builder.addXattrs(xattrs.map { (Array($0.key.utf8), $0.value) })
            pack += Array(contents.utf8)
            return try builder.addInode(record)
        }
        func subtree(_ items: [String: Item], _ flags: UInt8, _ mode: UInt32) throws -> UInt32 {
            var record = InodeRecord()
            record.mode = S_IFDIR | mode
            record.flags = flags
            record.mtimeSeconds = 1_000_000_000
            let number = try builder.addInode(record)
            var entries: [IndexBuilder.Entry] = []
            for (name, item) in items {
                let name = try Array(name.utf8).withUnsafeBytes { try builder.addName($0) }
                switch item {
                case .whiteout: entries.append(.init(whiteout: name))
                case .file(let contents, let mode):
                    entries.append(.init(name, inode: try regular(contents, mode), kind: 8))
                case .shared(let key, let contents):
                    let inode = try shared[key] ?? regular(contents, 0o644)
                    shared[key] = inode
                    entries.append(.init(name, inode: inode, kind: 8))
                case .symlink(let target):
                    var record = InodeRecord()
                    record.mode = S_IFLNK | 0o777
                    record.size = UInt64(target.utf8.count)
                    record.contentKind = ContentKind.inline.rawValue
                    record.content = try Array(target.utf8).withUnsafeBytes { try builder.addTarget($0) }
                    entries.append(.init(name, inode: try builder.addInode(record), kind: 10))
                case .device(let number):
                    var record = InodeRecord()
                    record.mode = S_IFCHR | 0o600
                    record.rdev = number
                    entries.append(.init(name, inode: try builder.addInode(record), kind: 2))
                case .directory(let items, let isOpaque, let isImplied, let mode):
                    let flags = (isOpaque ? InodeRecord.opaque : 0) | (isImplied ? InodeRecord.implied : 0)
                    entries.append(.init(name, inode: try subtree(items, flags, mode), kind: 4))
                }
            }
            try builder.setEntries(of: number, entries)
            return number
        }
        _ = try subtree(root, 0, 0o755)
        let index = try OwnedFD.open(
            layout.layer(digest).appending("index"),
            O_WRONLY | O_CREAT | O_EXCL,
            mode: 0o600
        )
        try builder.write(to: index, layer: digest)
        try OwnedFD.open(layout.layer(digest).appending("pack"), O_WRONLY | O_CREAT, mode: 0o600).writeAll(
            pack
        )
        layers.append(digest)
    }

    func chain() throws -> LayerIndex { try ChainStore(layout: layout).index(for: layers) }

    /// The layers' own indexes, bottom to top.
    func indexes() throws -> [LayerIndex] { try layers.map { try ChainStore(layout: layout).layer($0) } }

    /// What is below the upper, opened anew.
    func lower() throws -> any LowerTree {
        guard form == .chain else {
            return try DirectoryStack(layers: directories.reversed(), marks: .trusted)
        }
        let index = try chain()
        return ChainLower(index: index, contents: LayerContents(layout: layout, index: index))
    }

    /// A union over the layers and an upper that stays from call to call, as after a remount.
    func union(
        userxattr: Bool = false,
        volatile isVolatile: Bool = false,
        metacopy: Bool = false,
        over lower: (any LowerTree)? = nil
    ) throws -> UnionTree {
        let (upper, work) = (upper, directory.appending("work"))
        try upper.makeDirectories()
        try work.makeDirectories()
        var attempts = 0
        return try UnionTree(
            lower: lower ?? self.lower(),
            upper: Upper(
                upper,
                work: work,
                userxattr: userxattr,
                volatile: isVolatile,
                metacopy: metacopy,
                // For a process that another test is just starting, as `waitUntilFree` does.
                mayWait: {
                    attempts += 1
                    usleep(10_000)
                    return attempts < 500
                }
            )
        )
    }

    /// Returns when the last union over the upper is gone: a process that another test is just starting may have
    /// its descriptors, too, until execve(2).
    func waitUntilFree() throws {
        let work = try OwnedFD.open(directory.appending("work"), O_RDONLY | O_DIRECTORY)
        try work.use { raw throws(Errno) in
            _ = try Errno.retrying { flock(raw, LOCK_EX) }
            try Errno.check(flock(raw, LOCK_UN))
        }
    }

    var upper: FilePath { directory.appending("upper") }

    /// The value of an attribute in the upper.
    func upperXattr(_ name: XattrName, of path: String) throws -> [UInt8]? {
        try Xattr.get(name, at: upper.pushing(FilePath(path)))
    }
}

/// Paths instead of numbers, strings instead of bytes.
extension UnionTree {
    func forget(_ node: UInt64, _ count: UInt64) { forget([References(node, count)]) }

    private func split(_ path: String) throws -> (parent: UInt64, name: [UInt8]) {
        var components = path.split(separator: "/").map { Array($0.utf8) }
        let name = components.popLast() ?? []
        var number = NodeID.root
        for component in components {
            guard let found = try component.withUnsafeBytes({ try lookup($0, in: number) }) else {
                throw Errno.noSuchFileOrDirectory
            }
            number = found.id
        }
        return (number, name)
    }

    func stat(_ path: String) throws -> Attributes? {
        let (parent, name) = try split(path)
        if name.isEmpty { return try attributes(of: NodeID.root) }
        return try name.withUnsafeBytes { try lookup($0, in: parent) }
    }

    func id(_ path: String) throws -> UInt64 {
        guard let found = try stat(path) else { throw Errno.noSuchFileOrDirectory }
        return found.id
    }

    func contents(_ path: String) throws -> String {
        var buffer = [UInt8](repeating: 0, count: 65536)
        let count = try buffer.withUnsafeMutableBytes { try read(id(path), into: $0, at: 0) }
        return String(decoding: buffer[..<count], as: UTF8.self)
    }

    /// Sorted.
    func names(_ path: String) throws -> [String] {
        var names: [String] = []
        try list(id(path), from: 0, isCounting: false) { (entry) throws(FSError) in
            names.append(String(decoding: entry.name, as: UTF8.self))
            return true
        }
        return names.filter { $0 != "." && $0 != ".." }.sorted()
    }

    func write(_ path: String, _ text: String, at offset: UInt64 = 0) throws {
        _ = try Array(text.utf8).withUnsafeBytes {
            try write(id(path), $0, at: offset, killsPrivileges: false)
        }
    }

    func touch(_ path: String, mode: UInt32 = S_IFREG | 0o644, device: UInt32 = 0) throws {
        let (parent, name) = try split(path)
        _ = try name.withUnsafeBytes {
            try makeNode($0, in: parent, mode: mode, device: device, by: Caller(uid: 0, gid: 0, umask: 0o22))
        }
    }

    func mkdir(_ path: String) throws {
        let (parent, name) = try split(path)
        _ = try name.withUnsafeBytes {
            try makeDirectory($0, in: parent, mode: 0o755, by: Caller(uid: 0, gid: 0, umask: 0o22))
        }
    }

    func link(_ path: String, as new: String) throws {
        let file = try id(path)
        let (parent, name) = try split(new)
        _ = try name.withUnsafeBytes { try link(file, as: $0, in: parent) }
    }

    func unlink(_ path: String) throws {
        let (parent, name) = try split(path)
        try name.withUnsafeBytes { try unlink($0, in: parent) }
    }

    func rmdir(_ path: String) throws {
        let (parent, name) = try split(path)
        try name.withUnsafeBytes { try removeDirectory($0, in: parent) }
    }

    func rename(_ path: String, to new: String, flags: UInt32 = 0) throws {
        let (parent, name) = try split(path)
        let (newParent, newName) = try split(new)
        try name.withUnsafeBytes { name in
            try newName.withUnsafeBytes {
                try rename(name, in: parent, to: $0, in: newParent, flags: flags)
            }
        }
    }
}

/// What a call fails with.
func errno(_ body: () throws -> Void) -> CInt {
    do {
        try body()
        return 0
    } catch let error as FSError {
        return error.errno
    } catch let error as Errno {
        return error.rawValue
    } catch {
        return -1
    }
}

/// #expect for what throws: the macro cannot be used for that in a closure.
func expect(
    _ condition: @autoclosure () throws -> Bool,
    _ location: SourceLocation = #_sourceLocation
) throws {
    let holds = try condition()
    #expect(holds, sourceLocation: location)
}
