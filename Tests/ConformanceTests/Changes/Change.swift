import Linux
import SystemPackage

import CLinux
import Glibc

/// One change to a tree through ordinary system calls, and what the caller was told.
struct Change: Sendable, CustomStringConvertible {
    let description: String
    /// The directories between which a rename moves something.
    private(set) var directories: [Path] = []
    private let body: @Sendable (_ root: String) throws(Errno) -> String

    init(_ description: String, _ body: @escaping @Sendable (_ root: String) throws(Errno) -> String) {
        (self.description, self.body) = (description, body)
    }

    /// "ok", what was read, or the errno's name.
    func apply(to root: String) -> String {
        do throws(Errno) {
            return try body(root)
        } catch {
            return "errno \(error.rawValue) (\(error))"
        }
    }

    fileprivate static func call(
        _ description: String,
        _ body: @escaping @Sendable (_ root: String) -> CInt
    ) -> Change {
        Change(description) { root throws(Errno) in
            try Errno.check(body(root))
            return "ok"
        }
    }
}

// Names and links.
extension Change {
    static func mkdir(_ path: Path, _ mode: UInt32 = 0o755) -> Change {
        call("mkdir \(path)") { Glibc.mkdir(path.terminated(below: $0), mode) }
    }
    static func rmdir(_ path: Path) -> Change {
        call("rmdir \(path)") { Glibc.rmdir(path.terminated(below: $0)) }
    }
    static func unlink(_ path: Path) -> Change {
        call("unlink \(path)") { Glibc.unlink(path.terminated(below: $0)) }
    }
    static func link(_ path: Path, to new: Path) -> Change {
        call("link \(path) \(new)") {
            Glibc.link(path.terminated(below: $0), new.terminated(below: $0))
        }
    }
    static func symlink(_ target: String, at path: Path) -> Change {
        call("symlink \(target) \(path)") { Glibc.symlink(target, path.terminated(below: $0)) }
    }
    static func mknod(_ path: Path, _ mode: UInt32, _ device: dev_t = 0) -> Change {
        call("mknod \(path) \(String(mode, radix: 8)) \(device)") {
            Glibc.mknod(path.terminated(below: $0), mode, device)
        }
    }
    /// - Parameter flags: RENAME_NOREPLACE 1, RENAME_EXCHANGE 2.
    static func rename(_ old: Path, to new: Path, flags: UInt32 = 0) -> Change {
        var change = Change("rename \(old) \(new)\(flags == 0 ? "" : " flags \(flags)")") {
            root throws(Errno) in
            let result = clinux_renameat2(
                AT_FDCWD,
                old.terminated(below: root),
                AT_FDCWD,
                new.terminated(below: root),
                flags
            )
            guard result == 0 else { throw Errno(rawValue: -result) }
            return "ok"
        }
        change.directories = [old.parent, new.parent]
        return change
    }

    /// rm -rf.
    static func remove(_ path: Path) -> Change {
        Change("rm -rf \(path)") { root throws(Errno) in
            let parent = try OwnedFD.open(
                FilePath(platformString: path.parent.terminated(below: root)),
                O_RDONLY | O_DIRECTORY
            )
            try parent.removeTree(path.name)
            return "ok"
        }
    }
}

// Attributes.
extension Change {
    static func chmod(_ path: Path, _ mode: UInt32) -> Change {
        call("chmod \(String(mode, radix: 8)) \(path)") { Glibc.chmod(path.terminated(below: $0), mode) }
    }
    static func chown(_ path: Path, _ uid: UInt32, _ gid: UInt32) -> Change {
        call("lchown \(uid):\(gid) \(path)") { lchown(path.terminated(below: $0), uid, gid) }
    }
    static func setTime(_ path: Path, _ seconds: Int, _ nanoseconds: Int = 0) -> Change {
        call("utimensat \(path)") {
            let time = timespec(tv_sec: seconds, tv_nsec: nanoseconds)
            return utimensat(AT_FDCWD, path.terminated(below: $0), [time, time], AT_SYMLINK_NOFOLLOW)
        }
    }
    /// - Parameter flags: XATTR_CREATE 1, XATTR_REPLACE 2.
    static func setXattr(_ path: Path, _ name: String, _ value: [UInt8], flags: CInt = 0) -> Change {
        call("setxattr \(name) \(path) flags \(flags)") {
            lsetxattr(path.terminated(below: $0), name, value, value.count, flags)
        }
    }
    static func removeXattr(_ path: Path, _ name: String) -> Change {
        call("removexattr \(name) \(path)") { lremovexattr(path.terminated(below: $0), name) }
    }
    static func truncate(_ path: Path, to size: Int) -> Change {
        call("truncate \(path) \(size)") { Glibc.truncate(path.terminated(below: $0), size) }
    }
}

// Contents.
extension Change {
    static func create(_ path: Path, _ text: String = "", mode: UInt32 = 0o644) -> Change {
        write(path, text, flags: O_CREAT | O_EXCL, mode: mode, label: "create")
    }

    /// open(2), pwrite(2) at `offset`, close(2). Never waits for the reader of a FIFO.
    static func write(
        _ path: Path,
        _ text: String,
        at offset: Int = 0,
        flags: CInt = 0,
        mode: UInt32 = 0o644,
        label: String = "write"
    ) -> Change {
        Change("\(label) \(path) at \(offset) flags \(flags)") { root throws(Errno) in
            let fd = open(path.terminated(below: root), O_WRONLY | O_NONBLOCK | O_CLOEXEC | flags, mode)
            let file = OwnedFD(adopting: try Errno.check(fd))
            let bytes = Array(text.utf8)
            return "\(try Errno.check(pwrite(file.raw, bytes, bytes.count, offset))) bytes"
        }
    }

    static func append(_ path: Path, _ text: String) -> Change {
        Change("append \(path)") { root throws(Errno) in
            let fd = open(path.terminated(below: root), O_WRONLY | O_APPEND | O_NONBLOCK | O_CLOEXEC)
            let file = OwnedFD(adopting: try Errno.check(fd))
            let bytes = Array(text.utf8)
            return "\(try Errno.check(Glibc.write(file.raw, bytes, bytes.count))) bytes"
        }
    }

    /// Reads a few bytes, following symbolic links inside of the tree only as far as they are relative.
    static func read(_ path: Path, at offset: Int = 0) -> Change {
        Change("read \(path) at \(offset)") { root throws(Errno) in
            let fd = open(path.terminated(below: root), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC)
            let file = OwnedFD(adopting: try Errno.check(fd))
            var buffer = [UInt8](repeating: 0, count: 64)
            let count = try Errno.check(pread(file.raw, &buffer, buffer.count, offset))
            return "\(buffer.prefix(count))"
        }
    }
}
