import Glibc

/// How many files a process may have open. A stack of directories holds one for every layer, and a daemon those that
/// were deleted while somebody had them open.
package enum OpenFileLimit {
    /// Raises the soft limit to the hard one, once.
    package static func raise() { _ = raised }

    /// How many files this process may have open.
    package static var current: Int {
        var limit = rlimit()
        guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return 1024 }
        return Int(clamping: limit.rlim_cur)
    }

    /// Makes the process's table of descriptors large enough for `files`, or as many as it may have, now: the kernel
    /// starts with 64 and doubles the table when it is full, and where threads share it, whoever opens the file that
    /// does not fit waits for an RCU grace period each time, 10 to 20 ms (`expand_fdtable`, fs/file.c). So this is for
    /// a process that has one thread yet, and after its last fork: a child gets a table for what is open. Nothing
    /// fails: a table that stays small is only slow. `descriptor` is any that is open.
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
