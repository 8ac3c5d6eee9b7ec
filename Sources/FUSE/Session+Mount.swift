import Linux
package import SystemPackage

import CFUSE
import Glibc

extension Session {
    /// Where a session is mounted, and how.
    struct Place {
        let target: FilePath
        let isFusermounted: Bool
        /// The connection's number in /sys/fs/fuse/connections; negative where that could not be had.
        let number: Int64

        init(_ target: FilePath, isFusermounted: Bool) {
            self.target = target
            self.isFusermounted = isFusermounted
            number = target.withPlatformString { cfuse_connection_number($0) }
        }
    }

    /// Makes the mount. Requests wait until `run`.
    ///
    /// It mounts by mount(2), or where this process may not do that (EPERM, or no access to /dev/fuse) by
    /// fusermount3, which makes the mount nosuid and nodev. Throws a Failure that says which of the two failed and
    /// why.
    package func mount(_ request: MountRequest) throws {
        let refusal: Errno
        do {
            try mountDirectly(request)
            place = Place(request.target, isFusermounted: false)
            // As much as a READ can bring: the kernel's own 128 KiB would cost eight times the requests. Without
            // effect where this process may not change the setting.
            _ = request.target.withPlatformString { cfuse_read_ahead($0, UInt32(CFUSE_DATA_SIZE / 1024)) }
            return try propagate(request)
        } catch let errno as Errno {
            refusal = errno
        }
        guard [.notPermitted, .permissionDenied].contains(refusal) else {
            throw Failure("mount at \(request.target)", refusal, advice: Session.advice(refusal))
        }
        guard geteuid() != 0 || Session.isInUserNamespace else {
            throw Failure("mount at \(request.target)", refusal, advice: "This needs CAP_SYS_ADMIN.")
        }
        try mountByFusermount(request, refusal)
        place = Place(request.target, isFusermounted: true)
        try propagate(request)
    }

    private static func advice(_ errno: Errno) -> String? {
        switch errno {
        case .noSuchFileOrDirectory, .noSuchAddressOrDevice:
            "Is there a /dev/fuse? `modprobe fuse` makes it."
        default: nil
        }
    }

    private func mountDirectly(_ request: MountRequest) throws(Errno) {
        let device = try OwnedFD.open("/dev/fuse", O_RDWR)
        var options = request.allowsOther ? [Array("allow_other".utf8)] : []
        options += request.contexts
        let result = request.target.withPlatformString {
            cfuse_mount(
                device.raw,
                terminated(request.source),
                terminated(request.subtype),
                $0,
                UInt64(request.flags),
                terminated(options.joined(separator: [UInt8(ascii: ",")]))
            )
        }
        guard result == 0 else { throw Errno(rawValue: -result) }
        try attach(device)
    }

    private func mountByFusermount(_ request: MountRequest, _ refusal: Errno) throws {
        let options = try FusermountOptions.bytes(request)
        let result = request.target.withPlatformString { cfuse_fusermount($0, terminated(options)) }
        guard result >= 0 else {
            let errno = Errno(rawValue: -result)
            let reason =
                switch errno {
                case .noSuchFileOrDirectory: "fusermount3 is not installed"
                case .protocolError: "fusermount3 refused"
                default: "fusermount3: \(errno)"
                }
            throw Failure(
                "mount at \(request.target): \(refusal), and \(reason)",
                advice:
                    "Without privileges a mount needs fusermount3 (Debian: fuse3), or a user namespace with a"
                    + " mount namespace of its own and access to /dev/fuse."
            )
        }
        try naming("attach to /dev/fuse") { try attach(OwnedFD(adopting: result)) }
    }

    private func attach(_ device: consuming OwnedFD) throws(Errno) {
        let result = cfuse_attach(connection, device.release())
        guard result == 0 else { throw Errno(rawValue: -result) }
    }

    private func propagate(_ request: MountRequest) throws {
        guard let propagation = request.propagation else { return }
        let result = request.target.withPlatformString { Glibc.mount(nil, $0, nil, propagation, nil) }
        guard result == 0 else {
            let errno = Errno.last
            try? unmount()
            throw Failure("change the propagation of \(request.target)", errno)
        }
    }

    /// Unmounts lazily (MNT_DETACH): the mount ends when its last user is gone. On any thread, any number of times.
    package func unmount() throws(Errno) {
        guard let place else { return }
        guard place.isFusermounted else { return try Unmount.unmount(place.target, .lazy) }
        let result = place.target.withPlatformString { cfuse_fusermount_unmount($0) }
        guard result == 0 else { throw Errno(rawValue: -result) }
    }

    /// Whether this process's user namespace is not the initial one, so that its root is another user outside.
    private static var isInUserNamespace: Bool {
        let map = try? OwnedFD.open("/proc/self/uid_map", O_RDONLY).contents(limit: 4096)
        let fields = String(decoding: map ?? [], as: UTF8.self).split { $0 == " " || $0 == "\n" }
        return fields != ["0", "0", "4294967295"]
    }
}

/// A string for C, which ends at the first NUL.
private func terminated(_ bytes: some Sequence<UInt8>) -> [CChar] {
    bytes.map { CChar(bitPattern: $0) } + [0]
}

/// The options behind -o of fusermount3.
enum FusermountOptions {
    /// The flags of mount(2) for which it has words (util/fusermount.c in libfuse).
    private static let words: [(flag: UInt, word: String)] = [
        (1, "ro"), (2, "nosuid"), (4, "nodev"), (8, "noexec"), (16, "sync"), (128, "dirsync"),
        (1024, "noatime"),
    ]
    /// MS_RELATIME, which the kernel sets anyway.
    private static let implied: UInt = 1 << 21

    /// Throws a Failure for a flag that fusermount3 does not know.
    static func bytes(_ request: MountRequest) throws -> [UInt8] {
        let known = words.reduce(implied) { $0 | $1.flag }
        guard request.flags & ~known == 0 else {
            throw Failure(
                "mount at \(request.target): fusermount3 sets none of nodiratime, strictatime, lazytime, nosymfollow",
                advice: "Leave them out, or mount with privileges."
            )
        }
        var options = words.filter { request.flags & $0.flag != 0 }.map { Array($0.word.utf8) }
        options += [
            Array("default_permissions".utf8), Array("fsname=".utf8) + escaped(request.source),
            Array("subtype=".utf8) + escaped(request.subtype),
        ]
        if request.allowsOther { options.append(Array("allow_other".utf8)) }
        return Array((options + request.contexts).joined(separator: [UInt8(ascii: ",")]))
    }

    private static func escaped(_ bytes: [UInt8]) -> [UInt8] {
        let backslash = UInt8(ascii: "\\")
        return bytes.flatMap { $0 == UInt8(ascii: ",") || $0 == backslash ? [backslash, $0] : [$0] }
    }
}
