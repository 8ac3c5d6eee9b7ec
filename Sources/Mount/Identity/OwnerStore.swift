import Glibc
import Linux

/// Where fuse-overlayfs and containers/storage store the owner and mode of a file that they can't set:
/// `uid:gid:mode`, the mode in octal, followed by `:type` where only the layer has it as a file, in an extended
/// attribute of the file or directory.
package enum OwnerStore: Sendable {
    /// `xattr_permissions=1`: needs privileges.
    case privileged
    /// `xattr_permissions=2`.
    case user

    var attribute: XattrName {
        switch self {
        case .privileged: "security.fuseoverlayfs.override_stat"
        case .user: "user.containers.override_stat"
        }
    }

    /// An older name of the same attribute, which is only read.
    var olderAttribute: XattrName? {
        switch self {
        case .privileged: nil
        case .user: "user.fuseoverlayfs.override_stat"
        }
    }

    /// The prefix under which attributes are stored that the daemon may not set either.
    static let escape: XattrName = "user.containers.override_"
}

/// The contents of the attribute.
struct StoredOwner: Equatable {
    var uid: UInt32
    var gid: UInt32
    /// With the type bits if the attribute has a type.
    var mode: UInt32
    /// The kernel's 32-bit encoding; of devices only.
    var rdev: UInt32 = 0

    init(uid: UInt32, gid: UInt32, mode: UInt32) {
        self.uid = uid
        self.gid = gid
        self.mode = mode
    }

    /// nil for any other text.
    init?(parsing bytes: [UInt8]) {
        let fields = String(decoding: bytes, as: UTF8.self)
            .split(separator: ":", maxSplits: 3, omittingEmptySubsequences: false)
        guard fields.count >= 3, let uid = UInt32(fields[0]), let gid = UInt32(fields[1]),
            let mode = UInt32(fields[2], radix: 8)
        else { return nil }
        // Older writers include the type bits.
        self.init(uid: uid, gid: gid, mode: mode & 0o7777)
        guard fields.count == 4 else { return }
        let type = fields[3]
        if let device = StoredOwner.device(type, "block") {
            (self.mode, rdev) = (self.mode | S_IFBLK, device)
        } else if let device = StoredOwner.device(type, "char") {
            (self.mode, rdev) = (self.mode | S_IFCHR, device)
        } else if let bits = StoredOwner.types[String(type)] {
            self.mode |= bits
        } else {
            return nil
        }
    }

    private static let types: [String: UInt32] = [
        "dir": S_IFDIR, "file": S_IFREG, "symlink": S_IFLNK, "pipe": S_IFIFO, "socket": S_IFSOCK,
    ]
    private static let typeNames: [UInt32: String] = [
        S_IFDIR: "dir", S_IFREG: "file", S_IFLNK: "symlink", S_IFIFO: "pipe", S_IFSOCK: "socket",
    ]

    /// "char-1-3", or "char1:3".
    private static func device(_ text: Substring, _ kind: String) -> UInt32? {
        guard text.hasPrefix(kind) else { return nil }
        let numbers = text.dropFirst(kind.count).split { $0 == "-" || $0 == ":" }
        guard numbers.count == 2, let major = UInt32(numbers[0]), let minor = UInt32(numbers[1]),
            major < 1 << 12, minor < 1 << 20
        else { return nil }
        return minor & 0xff | major << 8 | (minor & ~0xff) << 12
    }

    var text: [UInt8] {
        Array("\(uid):\(gid):\(String(mode & 0o7777, radix: 8))".utf8)
    }
}
