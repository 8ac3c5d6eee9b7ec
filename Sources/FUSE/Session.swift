import Linux
package import SystemPackage

import CFUSE
import Glibc
import Synchronization

/// One mount: the connection to the kernel and the threads that serve it.
///
/// In cached mode the kernel asks everything once: names, absent names, attributes and directories are
/// valid for ever, because nobody but this mount changes them; OPEN, OPENDIR, CREATE and FLUSH answer ENOSYS,
/// upon which the kernel stops sending them (`fs/fuse/file.c`, `dir.c`: no_open, no_opendir, no_create, no_flush).
/// In passthrough mode files are opened and closed by requests, and read and written without.
package final class Session: @unchecked Sendable {
    // Safe to share: `connection` is changed by INIT only, before any other request arrives, and
    // `place` before there is a second thread.
    let connection: UnsafeMutablePointer<cfuse_connection>
    let operations: any Operations
    let log: @Sendable (String) -> Void
    let writesBack: Bool
    let scheduling: Scheduling
    /// Takes what a reader that leads need not serve at once. Set before there is a second thread.
    var forgets: ForgetQueue?
    /// Where it is mounted, once it is.
    var place: Place?
    /// Requests that wait for room, and how many may: another thread must be left. Set before there is a second one.
    let waiting = Atomic(0)
    var mostWaiting = Int.max
    /// Only touched by the thread that serves INIT, and when that thread has ended.
    var ringThreads: [WorkerThread] = []

    /// In seconds; the kernel takes it as long as it can count.
    static let forever: Double = 1e9

    /// Prepares libfuse; nothing is mounted yet. With `backings` in passthrough mode, for which `operations` must
    /// answer opens. `writesBack`: written data stays in the kernel's page cache until it is synced, closed or in the way,
    /// and sizes and times of regular files are the kernel's until then. `isDebugging`: every request is written to stderr.
    package init(
        operations: any Operations,
        transport: Transport = .automatic,
        scheduling: Scheduling = .leading,
        supportsACLs: Bool = true,
        backings: Backings? = nil,
        writesBack: Bool = false,
        isDebugging: Bool = false,
        log: @escaping @Sendable (String) -> Void
    ) throws(Errno) {
        self.operations = operations
        self.log = log
        self.writesBack = writesBack
        self.scheduling = scheduling
        connection = .allocate(capacity: 1)
        connection.initialize(to: cfuse_connection())
        connection.pointee.fd = -1
        connection.pointee.wanted_flags =
            Session.wantedFlags & ~(supportsACLs ? 0 : 1 << UInt64(CFUSE_POSIX_ACL))
        if writesBack { connection.pointee.wanted_flags |= 1 << UInt64(CFUSE_WRITEBACK_CACHE) }
        if try transport.wantsRings() { connection.pointee.wanted_flags |= 1 << UInt64(CFUSE_OVER_IO_URING) }
        if let backings {
            connection.pointee.wanted_flags |=
                1 << UInt64(CFUSE_PASSTHROUGH) | 1 << UInt64(CFUSE_ATOMIC_O_TRUNC)
            // Of one that is stacked itself, an overlay for instance, files are not registered.
            connection.pointee.max_stack_depth = 1
            backings.attach(connection)
        }
        connection.pointee.owner = Unmanaged.passUnretained(self).toOpaque()
        var table = Session.table(backings == nil ? .cached : .passthrough, writesBack: writesBack)
        let result = cfuse_start(connection, &table, isDebugging ? 1 : 0)
        guard result == 0 else { throw Errno(rawValue: -result) }
    }

    private static var wantedFlags: UInt64 {
        [
            CFUSE_ASYNC_READ, CFUSE_BIG_WRITES, CFUSE_DONT_MASK, CFUSE_DO_READDIRPLUS, CFUSE_PARALLEL_DIROPS,
            CFUSE_POSIX_ACL, CFUSE_MAX_PAGES, CFUSE_CACHE_SYMLINKS, CFUSE_EXPLICIT_INVAL_DATA,
            CFUSE_EXPORT_SUPPORT, CFUSE_HANDLE_KILLPRIV_V2, CFUSE_SETXATTR_EXT, CFUSE_INIT_EXT,
            CFUSE_HAS_RESEND,
        ].reduce(0) { $0 | 1 << UInt64($1) }
    }

    /// The open /dev/fuse, once mounted. Owned by the session.
    package var device: CInt { connection.pointee.fd }

    /// A damaged index is worth a line in the log; everything else is the caller's business.
    func report(_ error: FSError, _ what: StaticString, _ node: UInt64) {
        switch error {
        case .system(let errno) where errno == .ioError: log("\(what) of node \(node): \(errno)")
        case .system: break
        case .corruptIndex(let offset): log("\(what) of node \(node): the index is damaged near \(offset)")
        }
    }

    deinit {
        if let session = connection.pointee.session { fuse_session_destroy(session) }
        connection.deallocate()
    }
}
