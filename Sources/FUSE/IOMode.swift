import Glibc

/// How the data of regular files moves.
package enum IOMode: String, Sendable, CaseIterable {
    /// The mode that measurements favour: `cached`.
    case automatic = "auto"
    /// Through the daemon into the kernel's page cache. Opens and closes cost no request.
    case cached
    /// Between the caller and the file that has the data, inside the kernel (Linux 6.9 and newer). An open and a
    /// close cost a request each. Needs CAP_SYS_ADMIN in the initial user namespace.
    case passthrough
}

/// An open(2) of a regular file in passthrough mode.
package struct OpenRequest: Sendable {
    /// O_RDONLY, O_WRONLY, O_RDWR and O_TRUNC, as in open(2).
    package let flags: Int32
    /// The user who opens the file.
    package let uid: UInt32
    /// Whether a truncation must drop set-id bits and capabilities.
    package let killsPrivileges: Bool

    /// Whether the file is opened for writing or truncated.
    package var isWriting: Bool { flags & O_ACCMODE != O_RDONLY || flags & O_TRUNC != 0 }

    package init(flags: Int32, uid: UInt32, killsPrivileges: Bool) {
        self.flags = flags
        self.uid = uid
        self.killsPrivileges = killsPrivileges
    }
}

/// How an open file's data is reached in passthrough mode. The kernel requires the same for all opens of a node that
/// overlap (`fs/fuse/iomode.c`).
package enum OpenReply: Sendable, Equatable {
    /// By READ and WRITE, through the page cache, which survives from the last open where `keepsCache`.
    case cached(keepsCache: Bool)
    /// The kernel reads and writes the file registered under this number.
    case passthrough(Int32)
}
