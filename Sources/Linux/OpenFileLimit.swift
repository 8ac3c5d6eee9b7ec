import Glibc

/// The number of files that a process may have open. A stack of directories holds one open for every layer, and a
/// daemon holds those that were deleted while open.
package enum OpenFileLimit {
    /// Raises the soft limit to the hard one, once.
    package static func raise() { _ = raised }

    /// How many files this process may have open.
    package static var current: Int {
        var limit = rlimit()
        guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return 1024 }
        return Int(clamping: limit.rlim_cur)
    }

    /// Makes the process's descriptor table large enough for `files`, or as many as it may have. The kernel starts
    /// with 64 and doubles a full table, and if threads share it, the thread that opens the file that does not fit
    /// waits for an RCU grace period, 10 to 20 ms each time (`expand_fdtable`, fs/file.c). So call this while the
    /// process has one thread, and after its last fork: a child's table is sized for what is open. Nothing fails: a
    /// table that stays small is only slow. `descriptor` is any open one.
    package static func makeRoom(for files: Int, using descriptor: CInt) {
        let last = fcntl(descriptor, F_DUPFD_CLOEXEC, CInt(min(files, current) - 1))
        if last >= 0 { close(last) }
    }

    private static let raised: Void = {
        let files = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
        var limit = rlimit()
        guard getrlimit(files, &limit) == 0 else { return }
        limit.rlim_cur = limit.rlim_max
        setrlimit(files, &limit)
    }()
}
