import Glibc

/// How many files a process may have open. Walks hold a descriptor for every level of the tree they are in, and a
/// container can make one that is deeper than a process may by default have files open; a stack of directories holds
/// one for every layer.
package enum OpenFileLimit {
    /// Raises the soft limit to the hard one, once.
    package static func raise() { _ = raised }

    /// How many files this process may have open.
    package static var current: Int {
        var limit = rlimit()
        guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return 1024 }
        return Int(clamping: limit.rlim_cur)
    }

    private static let raised: Void = {
        let files = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
        var limit = rlimit()
        guard getrlimit(files, &limit) == 0 else { return }
        limit.rlim_cur = limit.rlim_max
        setrlimit(files, &limit)
    }()
}
