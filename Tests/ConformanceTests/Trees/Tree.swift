import Linux
import Digests
import SystemPackage

import CLinux
import Glibc

/// Everything that can be seen of a directory tree, read through the ordinary system calls.
struct Tree: Sendable {
    private(set) var files: [Path: FileFacts] = [:]
    /// What no filesystem should do, whatever the tree: doubled names, a directory entry whose kind or inode
    /// number is not its file's, more than one device number, wrong link counts. Kernel overlayfs does: its link
    /// counts are the lower file's, whether or not all names are to be seen, and 1 for directories.
    private(set) var oddities: [String] = []

    private let root: String
    /// Modification times from here on are "now".
    private let now: Int
    private var aliases: [UInt64: Path] = [:]
    /// How many names of a file were seen, and st_nlink.
    private var names: [Path: (seen: Int, links: Int)] = [:]
    private var device: dev_t?

    /// - Parameter now: seconds since 1970.
    init(at root: String, now: Int = .max) throws {
        (self.root, self.now) = (root, now)
        try add(.root)
        for (path, count) in names where count.seen != count.links {
            oddities.append("\(path): st_nlink \(count.links), with \(count.seen) names")
        }
    }

    var withoutDirectoryTimes: Tree { changing { if $1.mode & S_IFMT == S_IFDIR { $1.time = nil } } }

    /// The same with other facts, of what is not to be compared.
    func changing(_ change: (Path, inout FileFacts) -> Void) -> Tree {
        var tree = self
        for (path, facts) in files {
            var changed = facts
            change(path, &changed)
            tree.files[path] = changed
        }
        return tree
    }

    /// One line a difference; empty when the trees look the same.
    func differences(from other: Tree) -> [String] {
        var lines: [String] = []
        for path in Set(files.keys).union(other.files.keys).sorted() {
            switch (files[path], other.files[path]) {
            case (let mine?, let theirs?): lines += mine.differences(from: theirs).map { "\(path): \($0)" }
            case (_?, nil): lines.append("\(path): should not be there")
            case (nil, _): lines.append("\(path): missing")
            }
        }
        return lines
    }

    private mutating func add(_ path: Path) throws {
        let terminated = path.terminated(below: root)
        var status = FileStatus()
        _ = try naming("lstat \(path)") { try Errno.check(lstat(terminated, &status)) }
        if let device, device != status.st_dev { oddities.append("\(path): another st_dev") }
        device = status.st_dev

        var facts = FileFacts(
            mode: status.st_mode,
            uid: status.st_uid,
            gid: status.st_gid,
            alias: path,
            time: time(of: status),
            xattrs: try xattrs(of: path)
        )
        switch status.st_mode & S_IFMT {
        case S_IFDIR:
            break
        case S_IFREG:
            facts.content = try naming("read \(path)") { try content(of: terminated) }
        case S_IFLNK:
            facts.target = try naming("readlink \(path)") { try target(of: terminated) }
        case S_IFCHR, S_IFBLK:
            facts.device = UInt64(status.st_rdev)
        default:
            break
        }
        if status.st_mode & S_IFMT != S_IFDIR {
            facts.size = Int(status.st_size)
            facts.alias = aliases[UInt64(status.st_ino)] ?? path
            aliases[UInt64(status.st_ino)] = facts.alias
            names[facts.alias, default: (0, 0)].seen += 1
            names[facts.alias]?.links = Int(status.st_nlink)
        }
        files[path] = facts
        guard status.st_mode & S_IFMT == S_IFDIR else { return }

        let names = try naming("read directory \(path)") { try list(path) }
        var directories = 0
        for name in names.sorted(by: { $0.name.bytes.lexicographicallyPrecedes($1.name.bytes) }) {
            var child = FileStatus()
            let childPath = path / name.name
            _ = try naming("lstat \(childPath)") {
                try Errno.check(lstat(childPath.terminated(below: root), &child))
            }
            let kind = UInt8(truncatingIfNeeded: (child.st_mode & S_IFMT) >> 12)
            if name.kind != 0, name.kind != kind {
                oddities.append("\(childPath): d_type \(name.kind), not \(kind)")
            }
            if name.inode != UInt64(child.st_ino) { oddities.append("\(childPath): d_ino is not st_ino") }
            if kind == 4 { directories += 1 }
            try add(childPath)
        }
        if status.st_nlink != 1, Int(status.st_nlink) != directories + 2 {
            oddities.append("\(path): st_nlink \(status.st_nlink), with \(directories) directories inside")
        }
    }

    private func time(of status: FileStatus) -> LayerEntry.Time? {
        guard status.st_mtim.tv_sec < now else { return nil }
        return .init(seconds: status.st_mtim.tv_sec, nanoseconds: status.st_mtim.tv_nsec)
    }

    private typealias Name = (name: Path, kind: UInt8, inode: UInt64)

    private mutating func list(_ path: Path) throws(Errno) -> [Name] {
        guard let stream = opendir(path.terminated(below: root)) else { throw .last }
        defer { closedir(stream) }
        var names: [Name] = []
        var seen: Set<Path> = []
        while true {
            Glibc.errno = 0
            guard let entry = readdir(stream) else {
                if Glibc.errno != 0 { throw .last }
                for dot: Path in [".", ".."] where !seen.contains(dot) {
                    oddities.append("\(path): no \(dot)")
                }
                return names
            }
            let bytes = withUnsafeBytes(of: &entry.pointee.d_name) { Array($0.prefix { $0 != 0 }) }
            let name = Path(bytes)
            if !seen.insert(name).inserted { oddities.append("\(path / name): listed twice") }
            if name == "." || name == ".." { continue }
            names.append((name, entry.pointee.d_type, UInt64(entry.pointee.d_ino)))
        }
    }

    private func content(of path: [CChar]) throws -> FileFacts.Content {
        let file = OwnedFD(adopting: try Errno.check(open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC)))
        var hash = SHA256()
        var total = 0
        // Odd, so that reads start and end inside of blocks.
        var buffer = [UInt8](repeating: 0, count: 100_003)
        while true {
            let count = try Errno.check(
                buffer.withUnsafeMutableBytes { read(file.raw, $0.baseAddress, $0.count) }
            )
            if count == 0 { return .init(digest: "\(hash.finish())", count: total) }
            buffer.withUnsafeBytes { hash.update(UnsafeRawBufferPointer(rebasing: $0[..<count])) }
            total += count
        }
    }

    private func target(of path: [CChar]) throws(Errno) -> [UInt8] {
        var buffer = [CChar](repeating: 0, count: 4096)
        let count = try Errno.check(readlink(path, &buffer, buffer.count))
        return buffer.prefix(count).map { UInt8(bitPattern: $0) }
    }

    private func xattrs(of path: Path) throws -> [String: [UInt8]] {
        let terminated = path.terminated(below: root)
        return try naming("xattrs of \(path)") {
            var list = [UInt8](repeating: 0, count: 65536)
            let count = list.withUnsafeMutableBytes { bytes in
                llistxattr(terminated, bytes.baseAddress?.assumingMemoryBound(to: CChar.self), bytes.count)
            }
            var values: [String: [UInt8]] = [:]
            for name in list.prefix(try Errno.check(count)).split(separator: 0) {
                let name = String(decoding: name, as: UTF8.self)
                var value = [UInt8](repeating: 0, count: 65536)
                let size = value.withUnsafeMutableBytes {
                    lgetxattr(terminated, name, $0.baseAddress, $0.count)
                }
                values[name] = Array(value.prefix(try Errno.check(size)))
            }
            return values
        }
    }
}
