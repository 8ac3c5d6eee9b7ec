import Linux
import SystemPackage
import Tar

import Glibc

/// A layer's directory tree while its tar is read: later entries replace earlier ones.
///
/// Nothing here touches a filesystem. Replaced inodes stay in memory to the end; the limits count them, so that they
/// can't add up.
///
/// An entry below a symbolic link goes where the link leads inside the layer, as when the layer is unpacked into a
/// directory of its own (`LayerTree+Places.swift`). Directories on the path that the layer does not have are
/// implied; where the layers below have a link there, folding follows it.
struct LayerTree {
    struct Directory {
        var children: [[UInt8]: UInt32] = [:]
        var whiteouts: Set<[UInt8]> = []
    }

    var inodes: [InodeRecord] = []
    var directories: [Directory] = []
    /// The parent of the last entry, which is that of most next ones.
    var recent: (path: [ArraySlice<UInt8>], inode: UInt32)?
    var builder = IndexBuilder(kind: .layer)
    private let limits: ImportLimits
    /// Whether there are no layers below to which a hard link could lead.
    let standsAlone: Bool
    private var nameBytes = 0
    private var xattrBytes = 0
    /// The contents of each list in the index.
    private var xattrLists: [UInt32: [TarEntry.Xattr]] = [:]
    /// How many entries the tar has.
    private(set) var entryCount = 0

    init(limits: ImportLimits, standsAlone: Bool) throws(LayerError) {
        self.limits = limits
        self.standsAlone = standsAlone
        _ = try addImpliedDirectory()
    }

    /// Adds an entry of the tar; `content` is for a file.
    mutating func add(_ entry: TarEntry, _ content: StoredContent) throws(LayerError) {
        entryCount += 1
        guard entryCount <= limits.entries else {
            throw limits.exceeded(.entries)
        }
        // The recipe needs the object even if the tree, in the end, does not.
        if case .object(let digest) = content { _ = builder.addObject(digest, size: entry.size) }
        let path = try EntryPath.components(entry.path)
        guard let name = path.last else { return try setRoot(entry) }
        let whiteout = try Whiteout(name)
        let parent = try directory(at: path.dropLast())
        switch whiteout {
        case .opaque: inodes[Int(parent)].flags |= InodeRecord.opaque
        case .name(let hidden):
            try countName(hidden.count)
            directories[slot(parent)].whiteouts.insert(Array(hidden))
        case .no, .metadata: try place(entry, content, Array(name), in: parent)
        }
    }

    private mutating func place(
        _ entry: TarEntry,
        _ content: StoredContent,
        _ name: [UInt8],
        in parent: UInt32
    ) throws(LayerError) {
        let old = directories[slot(parent)].children[name]
        try countName(name.count)
        let inode: UInt32
        switch entry.kind {
        case .hardLink:
            inode = try linked(entry)
            // A file of the layers below keeps the attributes that it has there.
            if !inodes[Int(inode)].isDeferredLink { try setAttributes(linked: inode, entry) }
        case .directory:
            if let old, inodes[Int(old)].isDirectory {
                // A directory over a directory gets new attributes and keeps its children.
                return try setAttributes(of: old, entry)
            }
            inode = try addDirectory(entry)
            // The entry in between has replaced the directory of a layer below, with all that is in it.
            if old != nil { inodes[Int(inode)].flags |= InodeRecord.opaque }
        default:
            inode = try addInode(try record(entry, content))
        }
        // The cached path to the last entry may have led through it.
        if let old, inodes[Int(old)].isDirectory || inodes[Int(old)].isSymlink { recent = nil }
        directories[slot(parent)].children[name] = inode
    }

    private mutating func setRoot(_ entry: TarEntry) throws(LayerError) {
        guard entry.kind == .directory else { throw LayerError("the layer's root is not a directory") }
        try setAttributes(of: 0, entry)
    }

    /// The position of a directory's children, which `firstEntry` holds until the index has real entries.
    func slot(_ directory: UInt32) -> Int { Int(inodes[Int(directory)].firstEntry) }

    // MARK: Adding

    mutating func addInode(_ record: InodeRecord) throws(LayerError) -> UInt32 {
        guard inodes.count < limits.entries else {
            throw limits.exceeded(.entries)
        }
        inodes.append(record)
        return UInt32(inodes.count - 1)
    }

    mutating func addImpliedDirectory() throws(LayerError) -> UInt32 {
        var record = InodeRecord()
        record.mode = S_IFDIR | 0o755
        record.flags = InodeRecord.implied
        record.firstEntry = UInt32(directories.count)
        let inode = try addInode(record)
        directories.append(Directory())
        return inode
    }

    private mutating func addDirectory(_ entry: TarEntry) throws(LayerError) -> UInt32 {
        let inode = try addImpliedDirectory()
        try setAttributes(of: inode, entry)
        return inode
    }

    private mutating func setAttributes(of directory: UInt32, _ entry: TarEntry) throws(LayerError) {
        var record = try record(entry, .none)
        record.firstEntry = inodes[Int(directory)].firstEntry
        record.flags = inodes[Int(directory)].flags & ~InodeRecord.implied
        inodes[Int(directory)] = record
    }

    /// As docker, containerd and podman unpack a hard link: its entry's attributes go to the file that all its names
    /// share. Attributes that the entry does not mention stay, except capabilities, which chown(2) drops.
    private mutating func setAttributes(linked inode: UInt32, _ entry: TarEntry) throws(LayerError) {
        var record = inodes[Int(inode)]
        if !record.isSymlink { record.mode = record.mode & S_IFMT | entry.mode & 0o7777 }
        record.uid = entry.uid
        record.gid = entry.gid
        record.mtimeSeconds = entry.modified.seconds
        record.mtimeNanoseconds = entry.modified.nanoseconds
        let replaced = Set(entry.xattrs.map(\.name) + [Array("security.capability".utf8)])
        let before = xattrLists[record.xattrs] ?? []
        let others = before.filter { !replaced.contains($0.name) }
        if !entry.xattrs.isEmpty || others.count < before.count {
            record.xattrs = try xattrs(others + entry.xattrs, of: record)
        }
        inodes[Int(inode)] = record
    }

    private mutating func record(_ entry: TarEntry, _ content: StoredContent) throws(LayerError)
        -> InodeRecord
    {
        var record = InodeRecord()
        record.mode = entry.mode & 0o7777 | Self.type(entry.kind)
        // Linux has no modes for links; archivers of other systems write theirs.
        if record.isSymlink { record.mode = S_IFLNK | 0o777 }
        record.uid = entry.uid
        record.gid = entry.gid
        record.mtimeSeconds = entry.modified.seconds
        record.mtimeNanoseconds = entry.modified.nanoseconds
        let device = entry.device
        record.rdev = device.minor & 0xff | device.major << 8 | (device.minor & ~0xff) << 12
        record.xattrs = try xattrs(entry.xattrs, of: record)
        switch content {
        case .none: break
        case .packed(let offset):
            record.contentKind = ContentKind.packed.rawValue
            record.content = offset
        case .object(let digest):
            record.contentKind = ContentKind.object.rawValue
            record.content = UInt64(builder.addObject(digest, size: entry.size))
            if entry.extents != nil { record.setAllocated(data: entry.storedSize) }
        }
        if entry.kind == .file { record.size = entry.size }
        if entry.kind == .symbolicLink { try setTarget(of: &record, entry.linkTarget) }
        return record
    }

    private mutating func setTarget(of record: inout InodeRecord, _ target: [UInt8]) throws(LayerError) {
        guard !target.isEmpty, target.count <= EntryPath.limit, !target.contains(0) else {
            throw LayerError("a symbolic link with an impossible target of \(target.count) bytes")
        }
        try setText(of: &record, target)
    }

    /// Sets the target of a symbolic link or a deferred hard link.
    mutating func setText(of record: inout InodeRecord, _ text: [UInt8]) throws(LayerError) {
        try countName(text.count)
        record.size = UInt64(text.count)
        record.contentKind = ContentKind.inline.rawValue
        do {
            record.content = try text.span.withUnsafeBytes {
                (bytes: UnsafeRawBufferPointer) throws(Errno) in
                try builder.addTarget(bytes)
            }
        } catch {
            throw LayerError("the index is full")
        }
    }

    private mutating func xattrs(_ xattrs: [TarEntry.Xattr], of record: InodeRecord) throws(LayerError)
        -> UInt32
    {
        var xattrs = xattrs
        // Linux has these on files and directories only: a mount would list attributes that can't be read.
        if !record.isRegular, !record.isDirectory { xattrs.removeAll { $0.name.starts(with: "user.".utf8) } }
        if xattrs.isEmpty { return 0 }
        for xattr in xattrs {
            guard 1...255 ~= xattr.name.count, !xattr.name.contains(0), xattr.value.count <= 1 << 16 else {
                throw LayerError("Linux takes no extended attribute \(String.quoting(xattr.name)) like this")
            }
            xattrBytes += xattr.name.count + xattr.value.count
        }
        guard xattrBytes <= limits.xattrBytes else {
            throw limits.exceeded(.xattrs)
        }
        do {
            let list = try builder.addXattrs(xattrs.map { ($0.name, $0.value) })
            xattrLists[list] = xattrs
            return list
        } catch {
            throw LayerError("the index is full")
        }
    }

    mutating func countName(_ count: Int) throws(LayerError) {
        nameBytes += count
        guard nameBytes <= limits.nameBytes else {
            throw limits.exceeded(.names)
        }
    }

    private static func type(_ kind: TarEntry.Kind) -> UInt32 {
        switch kind {
        case .file, .hardLink: S_IFREG
        case .directory: S_IFDIR
        case .symbolicLink: S_IFLNK
        case .characterDevice: S_IFCHR
        case .blockDevice: S_IFBLK
        case .fifo: S_IFIFO
        }
    }
}
