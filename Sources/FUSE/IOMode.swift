import Glibc

/// How the data of regular files moves.
package enum IOMode: String, Sendable, CaseIterable {
    /// What measurement says: `cached`.
    case automatic = "auto"
    /// Through the daemon into the kernel's page cache. Opens and closes cost no request at all.
    case cached
    /// Between the file that has the data and the caller, inside the kernel (Linux 6.9 and newer). An open and a close
    /// cost a request each. Needs CAP_SYS_ADMIN in the first user namespace.
    case passthrough
}

/// What open(2) of a regular file wants, in passthrough mode.
package struct OpenRequest: Sendable {
    /// O_RDONLY, O_WRONLY, O_RDWR and O_TRUNC, as of open(2).
    package let flags: Int32
    /// The user who opens.
    package let uid: UInt32
    /// A truncation must drop set-id bits and capabilities.
    package let killsPrivileges: Bool

    /// For writing, or to be cut.
    package var isWriting: Bool { flags & O_ACCMODE != O_RDONLY || flags & O_TRUNC != 0 }

    package init(flags: Int32, uid: UInt32, killsPrivileges: Bool) {
        self.flags = flags
        self.uid = uid
        self.killsPrivileges = killsPrivileges
    }
}

/// How an open file's data is reached, in passthrough mode. The kernel wants the same of all that are open at once of
/// a node (`fs/fuse/iomode.c`).
package enum OpenReply: Sendable, Equatable {
    /// READ and WRITE, through the page cache, which stays from the last open where `keepsCache`.
    case cached(keepsCache: Bool)
    /// The kernel reads and writes the file registered under this number.
    case passthrough(Int32)
}
