package import Linux
package import SystemPackage

import CFUSE
import Synchronization

/// The session's part in passthrough mode: it is made before the session, and of use once that is mounted.
///
/// Numbers of backing files belong to the connection. The kernel keeps what is open beyond `unregister`.
package final class Backings: @unchecked Sendable {
    // Safe to share: set once, before the session that is made with it serves.
    private var connection: UnsafeMutablePointer<cfuse_connection>?

    package init() {}

    func attach(_ connection: UnsafeMutablePointer<cfuse_connection>) { self.connection = connection }

    /// Registers an open regular file (FUSE_DEV_IOC_BACKING_OPEN). EPERM without CAP_SYS_ADMIN in the initial user
    /// namespace; ELOOP for a file of a filesystem that is stacked itself.
    package func register(_ file: borrowing OwnedFD) throws(Errno) -> Int32 {
        guard let connection else { throw .badFileDescriptor }
        let result = file.use { cfuse_backing_open(connection, $0) }
        guard result > 0 else { throw Errno(rawValue: -result) }
        return result
    }

    package func unregister(_ number: Int32) {
        if let connection { cfuse_backing_close(connection, number) }
    }

    /// Makes the kernel ask for a node's attributes again.
    package func forgetAttributes(of node: UInt64) {
        if let session = connection?.pointee.session {
            fuse_lowlevel_notify_inval_inode(session, node, -1, 0)
        }
    }
}
