import Glibc

extension SeccompProfile {
    /// The default profile: the calls that programs need, like docker's default. See docs/SECURITY.md.
    ///
    /// It has the names of 64-bit and 32-bit ABIs. A call in neither list fails with ENOSYS, as on a kernel without
    /// it, so that programs use another way; a call that is refused by name fails with EPERM, as it would without
    /// the capability that it needs.
    package static let standard = SeccompProfile(
        otherwise: .fail(UInt16(ENOSYS)),
        rules: [Rule(names: allowed.flatMap(\.self), action: .allow)]
            + [Rule(names: refused.flatMap(\.self), action: .fail(UInt16(EPERM)))]
            + namespaces + personalities,
        limitsSocketFamilies: true
    )

    private static let allowed: [[String]] = [
        files, directories, attributes, memory, processes, signals, identities, scheduling, time, waiting,
        sockets, messages,
        machine,
    ]

    private static let files = [
        "read", "write", "readv", "writev", "pread64", "pwrite64", "preadv", "pwritev", "preadv2", "pwritev2",
        "lseek",
        "_llseek", "open", "openat", "openat2", "creat", "close", "close_range", "dup", "dup2", "dup3",
        "fcntl", "fcntl64",
        "flock", "ioctl", "fsync", "fdatasync", "sync", "syncfs", "sync_file_range", "sync_file_range2",
        "truncate",
        "truncate64", "ftruncate", "ftruncate64", "fallocate", "fadvise64", "fadvise64_64", "readahead",
        "sendfile",
        "sendfile64", "copy_file_range", "splice", "tee", "pipe", "pipe2", "memfd_create", "io_setup",
        "io_destroy",
        "io_submit", "io_cancel", "io_getevents", "io_pgetevents", "io_pgetevents_time64",
        "name_to_handle_at",
    ]
    private static let directories = [
        "getcwd", "chdir", "fchdir", "chroot", "mkdir", "mkdirat", "rmdir", "getdents", "getdents64", "link",
        "linkat",
        "symlink", "symlinkat", "unlink", "unlinkat", "rename", "renameat", "renameat2", "readlink",
        "readlinkat", "mknod",
        "mknodat", "statfs", "statfs64", "fstatfs", "fstatfs64", "inotify_init", "inotify_init1",
        "inotify_add_watch",
        "inotify_rm_watch", "fanotify_mark", "landlock_create_ruleset", "landlock_add_rule",
        "landlock_restrict_self",
    ]
    private static let attributes = [
        "stat", "lstat", "fstat", "stat64", "lstat64", "fstat64", "fstatat64", "newfstatat", "statx",
        "access", "faccessat",
        "faccessat2", "chmod", "fchmod", "fchmodat", "chown", "lchown", "fchown", "fchownat", "chown32",
        "lchown32",
        "fchown32", "utime", "utimes", "futimesat", "utimensat", "utimensat_time64", "umask", "getxattr",
        "lgetxattr",
        "fgetxattr", "setxattr", "lsetxattr", "fsetxattr", "listxattr", "llistxattr", "flistxattr",
        "removexattr",
        "lremovexattr", "fremovexattr",
    ]
    private static let memory = [
        "brk", "mmap", "mmap2", "munmap", "mremap", "mprotect", "msync", "mincore", "madvise", "mlock",
        "mlock2", "munlock",
        "mlockall", "munlockall", "remap_file_pages", "membarrier", "memfd_secret", "pkey_alloc", "pkey_free",
        "pkey_mprotect", "process_mrelease",
    ]
    private static let processes = [
        "execve", "execveat", "exit", "exit_group", "fork", "vfork", "wait4", "waitid", "waitpid", "getpid",
        "getppid",
        "gettid", "getpgid", "setpgid", "getpgrp", "getsid", "setsid", "set_tid_address", "set_robust_list",
        "get_robust_list", "futex", "futex_time64", "futex_waitv", "rseq", "prctl", "arch_prctl",
        "modify_ldt",
        "set_thread_area", "get_thread_area", "ptrace", "process_vm_readv", "process_vm_writev", "pidfd_open",
        "pidfd_send_signal", "seccomp", "restart_syscall", "set_tls", "cacheflush",
    ]
    private static let signals = [
        "kill", "tkill", "tgkill", "rt_sigaction", "rt_sigpending", "rt_sigprocmask", "rt_sigqueueinfo",
        "rt_tgsigqueueinfo",
        "rt_sigreturn", "rt_sigsuspend", "rt_sigtimedwait", "rt_sigtimedwait_time64", "sigaltstack",
        "sigaction", "signal",
        "sigpending", "sigprocmask", "sigreturn", "sigsuspend", "signalfd", "signalfd4", "pause",
    ]
    private static let identities = [
        "getuid", "getuid32", "geteuid", "geteuid32", "getgid", "getgid32", "getegid", "getegid32",
        "getresuid",
        "getresuid32", "getresgid", "getresgid32", "getgroups", "getgroups32", "setuid", "setuid32", "setgid",
        "setgid32",
        "setreuid", "setreuid32", "setregid", "setregid32", "setresuid", "setresuid32", "setresgid",
        "setresgid32",
        "setfsuid", "setfsuid32", "setfsgid", "setfsgid32", "setgroups", "setgroups32", "capget", "capset",
    ]
    private static let scheduling = [
        "sched_yield", "sched_getaffinity", "sched_setaffinity", "sched_getattr", "sched_setattr",
        "sched_getparam",
        "sched_setparam", "sched_getscheduler", "sched_setscheduler", "sched_get_priority_max",
        "sched_get_priority_min",
        "sched_rr_get_interval", "sched_rr_get_interval_time64", "getpriority", "setpriority", "ioprio_get",
        "ioprio_set",
        "getcpu", "getrlimit", "ugetrlimit", "setrlimit", "prlimit64", "getrusage", "nice",
    ]
    private static let time = [
        "time", "times", "gettimeofday", "clock_gettime", "clock_gettime64", "clock_getres",
        "clock_getres_time64",
        "clock_nanosleep", "clock_nanosleep_time64", "nanosleep", "adjtimex", "clock_adjtime",
        "clock_adjtime64", "alarm",
        "getitimer", "setitimer", "timer_create", "timer_delete", "timer_getoverrun", "timer_gettime",
        "timer_gettime64",
        "timer_settime", "timer_settime64", "timerfd_create", "timerfd_gettime", "timerfd_gettime64",
        "timerfd_settime",
        "timerfd_settime64",
    ]
    private static let waiting = [
        "select", "_newselect", "pselect6", "pselect6_time64", "poll", "ppoll", "ppoll_time64",
        "epoll_create",
        "epoll_create1", "epoll_ctl", "epoll_ctl_old", "epoll_wait", "epoll_wait_old", "epoll_pwait",
        "epoll_pwait2",
        "eventfd", "eventfd2",
    ]
    private static let sockets = [
        "socket", "socketcall", "socketpair", "bind", "listen", "accept", "accept4", "connect", "shutdown",
        "getsockname",
        "getpeername", "getsockopt", "setsockopt", "send", "sendto", "sendmsg", "sendmmsg", "recv",
        "recvfrom", "recvmsg",
        "recvmmsg", "recvmmsg_time64",
    ]
    private static let messages = [
        "ipc", "shmget", "shmat", "shmdt", "shmctl", "semget", "semop", "semctl", "semtimedop",
        "semtimedop_time64",
        "msgget", "msgsnd", "msgrcv", "msgctl", "mq_open", "mq_unlink", "mq_notify", "mq_getsetattr",
        "mq_timedsend",
        "mq_timedsend_time64", "mq_timedreceive", "mq_timedreceive_time64",
    ]
    private static let machine = ["uname", "sysinfo", "getrandom"]

    private static let refused: [[String]] = [
        // The mount tree, and namespaces.
        [
            "mount", "umount", "umount2", "pivot_root", "open_tree", "move_mount", "mount_setattr", "fsopen",
            "fsconfig",
            "fsmount", "fspick", "setns", "open_by_handle_at", "fanotify_init", "quotactl", "quotactl_fd",
            "ustat",
            "sysfs", "uselib",
        ],
        // The kernel and its devices.
        [
            "init_module", "finit_module", "delete_module", "create_module", "query_module",
            "get_kernel_syms",
            "kexec_load", "kexec_file_load", "reboot", "swapon", "swapoff", "acct", "syslog", "bpf",
            "perf_event_open",
            "lookup_dcookie", "iopl", "ioperm", "vm86", "vm86old", "vhangup", "nfsservctl", "_sysctl",
        ],
        // The machine's name and clock.
        ["sethostname", "setdomainname", "settimeofday", "stime", "clock_settime", "clock_settime64"],
        // The memory of other processes, and memory placement.
        [
            "kcmp", "pidfd_getfd", "process_madvise", "userfaultfd", "vmsplice", "move_pages",
            "migrate_pages", "mbind",
            "get_mempolicy", "set_mempolicy", "set_mempolicy_home_node",
        ],
    ]

    /// New namespaces would grant rights that the container does not have: a user namespace has all capabilities in
    /// it. clone3(2) has its flags in memory, where a filter can't look; programs do without it.
    private static let namespaces =
        flags("clone", namespaceFlags)
        // CLONE_NEWTIME, which has a bit of the exit signal in clone(2).
        + flags("unshare", namespaceFlags + [0x80])

    /// NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET.
    private static let namespaceFlags: [UInt64] = [
        0x2_0000, 0x200_0000, 0x400_0000, 0x800_0000, 0x1000_0000, 0x2000_0000, 0x4000_0000,
    ]

    /// `call`, whose first argument is flags, fails with EPERM if they include one of `refused`.
    private static func flags(_ call: String, _ refused: [UInt64]) -> [Rule] {
        let none = Condition(argument: 0, comparison: .maskedEqual, value: refused.reduce(0, |), second: 0)
        return [Rule(names: [call], action: .allow, conditions: [none])]
            + refused.map { flag in
                let set = Condition(argument: 0, comparison: .maskedEqual, value: flag, second: flag)
                return Rule(names: [call], action: .fail(UInt16(EPERM)), conditions: [set])
            }
    }

    /// Linux, 32-bit Linux, UNAME26 (0x20000) with either, and the query for the current one.
    private static let personalities = [0, 0x8, 0x20000, 0x20008, 0xffff_ffff].map { (value: UInt64) in
        Rule(
            names: ["personality"],
            action: .allow,
            conditions: [Condition(argument: 0, comparison: .equal, value: value)]
        )
    }
}
