import Linux
import SystemPackage

import CLinux
import Glibc

/// Layers as directories in kernel overlayfs's format: what the kernel stacks, to compare with.
extension Array where Element == Layer {
    /// Writes layer i (bottom first) to `root`/layers/i. `root` is a directory that has nothing else in it.
    ///
    /// What a layer means depends on what is below, so each one is unpacked with the ones below mounted.
    /// - Returns: the directories, bottom first.
    func unpack(into root: String) throws -> [String] {
        try FilePath("\(root)/layers").makeDirectory()
        try FilePath("\(root)/below").makeDirectory()
        var directories: [String] = []
        for (i, layer) in enumerated() {
            let directory = "\(root)/layers/\(i)"
            let below = directories.isEmpty ? nil : try OverlayMount(directories, at: "\(root)/below")
            var unpacking = Unpacking(root: directory, below: below?.path ?? "", layer: layer)
            let result = Result { try unpacking.run() }
            try below?.unmount()
            try result.get()
            directories.append(directory)
        }
        return directories
    }
}

private struct Unpacking {
    let root: String
    /// Where the layers below are mounted; empty for the bottom layer.
    let below: String
    let layer: Layer
    /// Directories that hide everything below.
    let opaque: Set<Path>
    /// Set last: everything made in a directory changes its time.
    private var times: [Path: LayerEntry.Time] = [:]

    init(root: String, below: String, layer: Layer) {
        (self.root, self.below, self.layer) = (root, below, layer)
        let entries = Set(layer.filter { !$0.isMark }.map(\.path))
        opaque = Set(
            layer.compactMap { entry in
                switch entry.kind {
                case .opaque: entry.path
                // An entry of this layer with the same name replaces what is below without merging with it.
                case .whiteout where entries.contains(entry.path): entry.path
                default: nil
                }
            }
        )
    }

    mutating func run() throws(Errno) {
        try Errno.check(mkdir(root, 0o755))
        try inherit(.root)
        for entry in layer { try make(entry) }
        for (path, time) in times { try set(time, of: path) }
    }

    private mutating func make(_ entry: LayerEntry) throws(Errno) {
        let path = entry.path.terminated(below: root)
        if !entry.path.bytes.isEmpty { try makeParents(of: entry.path) }
        switch entry.kind {
        case .directory:
            if mkdir(path, 0o700) == -1, Errno.last != .fileExists { throw .last }
        case .file(let content):
            try write(path, [(0, content)], size: content.count)
        case .sparse(let size, let pieces):
            try write(path, pieces, size: size)
        case .symlink(let target):
            try Errno.check(symlink(target.map { CChar(bitPattern: $0) } + [0], path))
        case .hardLink(let target):
            // What its entry says goes to the file that all of its names share.
            try Errno.check(link(target.terminated(below: root), path))
        case .character(let major, let minor):
            try Errno.check(mknod(path, S_IFCHR | 0o600, device(major, minor)))
        case .block(let major, let minor):
            try Errno.check(mknod(path, S_IFBLK | 0o600, device(major, minor)))
        case .fifo:
            try Errno.check(mkfifo(path, 0o600))
        case .whiteout:
            try makeWhiteout(entry.path)
            return
        case .opaque:
            // The mark may stand before its directory's own entry.
            try makeParents(of: entry.path / "mark")
            try setOpaque(path)
            return
        }
        try apply(entry)
    }

    private mutating func makeWhiteout(_ path: Path) throws(Errno) {
        // The kernel lists a whiteout with nothing below as a name that can't be looked up.
        guard path.ancestors.allSatisfy({ !opaque.contains($0) }),
            FilePath(platformString: path.terminated(below: below)).exists
        else { return }
        guard opaque.contains(path) else {
            try Errno.check(mknod(path.terminated(below: root), S_IFCHR, 0))
            return
        }
        guard let own = layer.first(where: { $0.path == path && !$0.isMark }), case .directory = own.kind
        else { return }
        try make(own)
        try setOpaque(path.terminated(below: root))
    }

    private func setOpaque(_ path: [CChar]) throws(Errno) {
        try Errno.check(lsetxattr(path, "trusted.overlay.opaque", "y", 1, 0))
    }

    private func write(
        _ path: [CChar],
        _ pieces: [(offset: Int, bytes: [UInt8])],
        size: Int
    ) throws(Errno) {
        let fd = OwnedFD(
            adopting: try Errno.check(open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600))
        )
        try Errno.check(ftruncate(fd.raw, size))
        for piece in pieces {
            try Errno.check(pwrite(fd.raw, piece.bytes, piece.bytes.count, piece.offset))
        }
    }

    /// A parent that the tar does not mention keeps the attributes it has below; new ones are 0755 root.
    private mutating func makeParents(of path: Path) throws(Errno) {
        let parent = path.parent
        guard !parent.bytes.isEmpty else { return }
        if FilePath(platformString: parent.terminated(below: root)).exists { return }
        try makeParents(of: parent)
        try Errno.check(mkdir(parent.terminated(below: root), 0o755))
        try inherit(parent)
    }

    private mutating func inherit(_ directory: Path) throws(Errno) {
        var entry = LayerEntry(path: directory, kind: .directory, mode: 0o755)
        entry.time = .init(seconds: 0, nanoseconds: 0)
        var status = FileStatus()
        let isHidden = directory.ancestors.contains { opaque.contains($0) }
        if !below.isEmpty, !isHidden, lstat(directory.terminated(below: below), &status) == 0,
            status.st_mode & S_IFMT == S_IFDIR
        {
            entry.mode = status.st_mode & 0o7777
            (entry.uid, entry.gid) = (status.st_uid, status.st_gid)
            entry.time = .init(seconds: status.st_mtim.tv_sec, nanoseconds: status.st_mtim.tv_nsec)
        }
        try apply(entry)
    }

    private mutating func apply(_ entry: LayerEntry) throws(Errno) {
        let path = entry.path.terminated(below: root)
        try Errno.check(lchown(path, entry.uid, entry.gid))
        var status = FileStatus()
        try Errno.check(lstat(path, &status))
        if status.st_mode & S_IFMT != S_IFLNK { try Errno.check(chmod(path, entry.mode)) }
        // After the owner: chown drops capabilities.
        for (name, value) in entry.xattrs {
            try Errno.check(lsetxattr(path, name, value, value.count, 0))
        }
        try set(entry.time, of: entry.path)
        if case .directory = entry.kind { times[entry.path] = entry.time }
    }

    private func set(_ time: LayerEntry.Time, of path: Path) throws(Errno) {
        let time = timespec(tv_sec: time.seconds, tv_nsec: time.nanoseconds)
        try Errno.check(
            utimensat(AT_FDCWD, path.terminated(below: root), [time, time], AT_SYMLINK_NOFOLLOW)
        )
    }
}

extension LayerEntry {
    /// Hides something instead of being something.
    fileprivate var isMark: Bool {
        switch kind {
        case .whiteout, .opaque: true
        default: false
        }
    }
}

/// dev_t as Linux packs it, which glibc has as a macro.
func device(_ major: UInt32, _ minor: UInt32) -> dev_t {
    dev_t(minor & 0xff | (major & 0xfff) << 8) | dev_t(minor & ~0xff) << 12 | dev_t(major & ~0xfff) << 32
}
