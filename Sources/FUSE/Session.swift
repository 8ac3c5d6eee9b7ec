import Linux
package import SystemPackage

import CFUSE
import Glibc
import Synchronization

/// One mount: the connection to the kernel and the threads that serve it.
///
/// In cached mode the kernel asks for everything once: names, absent names, attributes and directories are valid for
/// ever, because only this mount changes them. OPEN, OPENDIR, CREATE and FLUSH answer ENOSYS, upon which the kernel
/// stops sending them (`fs/fuse/file.c`, `dir.c`: no_open, no_opendir, no_create, no_flush). In passthrough mode
/// opens and closes are requests, and reads and writes are not.
package final class Session: @unchecked Sendable {
    // Safe to share: only INIT changes `connection`, before any other request arrives, and `place` is set before
    // there is a second thread.
    let connection: UnsafeMutablePointer<cfuse_connection>
    let operations: any Operations
    let log: @Sendable (String) -> Void
    let writesBack: Bool
    let scheduling: Scheduling
    /// Takes the FORGETs that a leading reader need not serve at once. Set before there is a second thread.
    var forgets: ForgetQueue?
    /// Where it is mounted, once it is.
    var place: Place?
    /// How many requests wait for room, and how many may, so that a thread is left to serve. Set before there is a
    /// second one.
    let waiting = Atomic(0)
    var mostWaiting = Int.max
    /// Touched only by the thread that serves INIT, and after that thread has ended.
    var ringThreads: [WorkerThread] = []

    /// In seconds; the kernel uses the longest time that it can count.
    static let forever: Double = 1e9

    /// Prepares libfuse; nothing is mounted yet. With `backings` in passthrough mode, for which `operations` must
    /// answer opens. `writesBack`: written data stays in the kernel's page cache until it is synced, closed or
    /// evicted, and until then the sizes and times of regular files are the kernel's. `isDebugging`: every request
    /// is written to stderr.
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
            // The kernel registers no files of a filesystem that is stacked itself, such as an overlay.
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

    /// A damaged index is worth a line in the log; all other errors are for the caller alone.
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
