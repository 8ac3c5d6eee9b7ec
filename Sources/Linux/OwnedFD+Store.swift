package import SystemPackage

import CLinux
import Glibc

extension OwnedFD {
    /// fallocate(2) of the file's first `count` bytes. `keepingSize`: blocks only, also beyond the file's end. EOPNOTSUPP
    /// where the filesystem can't.
    package func allocate(_ count: UInt64, keepingSize: Bool = false) throws(Errno) {
        let mode: CInt = keepingSize ? 1 : 0  // FALLOC_FL_KEEP_SIZE
        let result = use { clinux_fallocate($0, mode, 0, Int64(clamping: count)) }
        guard result >= 0 else { throw Errno(rawValue: -result) }
    }

    /// The f_type of statfs(2), the filesystem's magic number; -errno where that fails.
    package var filesystemType: Int64 { use { clinux_filesystem_type($0) } }

    /// Makes the kernel check every later read of this file, which never changes again, against its fs-verity digest
    /// (SHA-256, blocks of 4,096 bytes, no salt). The descriptor must be for reading, and none may be open for
    /// writing. EOPNOTSUPP or ENOTTY where the filesystem can't.
    package func enableVerity() throws(Errno) {
        let result = use { clinux_enable_verity($0) }
        guard result >= 0 else { throw Errno(rawValue: -result) }
    }

    /// The 32 bytes of the digest against which the kernel checks reads of this file; nil without fs-verity.
    package func verityDigest() -> [UInt8]? {
        var digest = [UInt8](repeating: 0, count: 32)
        return use { clinux_measure_verity($0, &digest) } >= 0 ? digest : nil
    }
}

extension FilePath {
    /// Whether this is a mount point, also of a mount whose daemon is gone. A symbolic link is not followed.
    package var isMountPoint: Bool { withPlatformString { clinux_is_mount_root($0) } == 1 }
}

extension Errno {
    /// Whether a filesystem, or a quota, is full.
    package var isOutOfSpace: Bool { self == .noSpace || self == .diskQuotaExceeded }
}
