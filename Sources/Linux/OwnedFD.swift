package import SystemPackage

import CLinux
import Glibc

/// A file descriptor with one owner, closed exactly once, when it goes out of scope.
public struct OwnedFD: ~Copyable, Sendable {
    @usableFromInline package let raw: CInt

    /// Takes ownership of `raw`; the caller must not close it.
    package init(adopting raw: CInt) {
        self.raw = raw
    }

    /// open(2). O_CLOEXEC is always set.
    package static func open(_ path: FilePath, _ flags: CInt, mode: UInt32 = 0) throws(Errno) -> OwnedFD {
        let raw = path.withPlatformString { Glibc.open($0, flags | O_CLOEXEC, mode) }
        return OwnedFD(adopting: try Errno.check(raw))
    }

    /// openat(2) relative to this directory. O_CLOEXEC is always set.
    package func open(_ path: FilePath, _ flags: CInt, mode: UInt32 = 0) throws(Errno) -> OwnedFD {
        let fd = use { raw in path.withPlatformString { Glibc.openat(raw, $0, flags | O_CLOEXEC, mode) } }
        return OwnedFD(adopting: try Errno.check(fd))
    }

    /// Opens `path` below this directory; ELOOP at a symbolic link, EXDEV at an attempt to leave and, with
    /// `onThisMount`, at a mount point.
    package func open(
        beneath path: FilePath,
        _ flags: CInt,
        mode: UInt32 = 0,
        onThisMount: Bool = false
    ) throws(Errno) -> OwnedFD {
        let fd = use { raw in
            path.withPlatformString {
                clinux_open_beneath(raw, $0, UInt64(flags | O_CLOEXEC), UInt32(mode), onThisMount ? 1 : 0)
            }
        }
        guard fd >= 0 else { throw Errno(rawValue: -fd) }
        return OwnedFD(adopting: fd)
    }

    /// Opens `path` with this directory as the root: absolute links and `..` stay inside.
    package func open(inRoot path: FilePath, _ flags: CInt, mode: UInt32 = 0) throws(Errno) -> OwnedFD {
        let fd = use { raw in
            path.withPlatformString { clinux_open_in_root(raw, $0, UInt64(flags | O_CLOEXEC), UInt32(mode)) }
        }
        guard fd >= 0 else { throw Errno(rawValue: -fd) }
        return OwnedFD(adopting: fd)
    }

    /// Reopens this descriptor's file (the descriptor is O_PATH as a rule) with `flags`. So no process can exchange
    /// the file between a check and the opening, which has effects if it is a device. Needs /proc.
    package func reopened(_ flags: CInt) throws(Errno) -> OwnedFD {
        let door = FilePath("/proc/self/fd/\(raw)")
        defer { stay() }
        return try OwnedFD.open(door, flags | O_NONBLOCK | O_NOCTTY)
    }

    /// Calls `body` with the descriptor, which stays open until it returns: the number alone keeps nothing open, and
    /// the optimizer may end a value's life at its last use.
    @inlinable
    @inline(__always)
    public borrowing func use<R, E: Error>(_ body: (CInt) throws(E) -> R) throws(E) -> R {
        defer { stay() }
        return try body(raw)
    }

    /// Keeps the descriptor open until here. Not inlined, because the optimizer would see that it does nothing.
    @usableFromInline
    @inline(never)
    package borrowing func stay() { clinux_nothing(raw) }

    /// Gives up the ownership of the descriptor: the caller closes it.
    package consuming func release() -> CInt {
        let fd = raw
        discard self
        return fd
    }

    package func duplicate() throws(Errno) -> OwnedFD {
        OwnedFD(adopting: try Errno.check(use { Glibc.fcntl($0, F_DUPFD_CLOEXEC, 3) }))
    }

    deinit {
        // close(2) is not retried on EINTR: on Linux the descriptor is already gone.
        _ = Glibc.close(raw)
    }
}

/// pipe2(2): both ends are O_CLOEXEC.
package struct Pipe: ~Copyable, Sendable {
    package let read: OwnedFD
    package let write: OwnedFD

    package init() throws(Errno) {
        var ends: [CInt] = [-1, -1]
        let result = clinux_pipe(&ends)
        guard result == 0 else { throw Errno(rawValue: -result) }
        read = OwnedFD(adopting: ends[0])
        write = OwnedFD(adopting: ends[1])
    }

    /// The end to read from; the other is closed.
    package consuming func takeReadEnd() -> OwnedFD { read }

    /// The end to write to; the other is closed.
    package consuming func takeWriteEnd() -> OwnedFD { write }
}
