// A process in namespaces of its own, or in a running container's: clone(2), everything between
// that and execve(2), and nothing else. All memory is prepared by the caller beforehand.
#pragma once

#include <linux/sched.h>  // CLONE_NEW*
#include <stddef.h>
#include <stdint.h>
#include <sys/mount.h>  // MOUNT_ATTR_*: not in Swift's Glibc module

enum {
    CLINUX_MOUNT_FILESYSTEM,  ///< `source` is a filesystem type
    CLINUX_MOUNT_BIND,        ///< `source` is a path of the host
    CLINUX_MOUNT_DEVICES,     ///< a tmpfs with the standard device nodes and links
};

/// One mount below the container's root. `target` is resolved inside the root and created when missing.
struct clinux_mount {
    int kind;
    const char *_Nullable source;
    const char *_Nullable target;
    /// key, value, key, value, …, NULL for fsconfig(2). FILESYSTEM and DEVICES only.
    const char *_Nullable const *_Nullable options;
    /// MOUNT_ATTR_*; for BIND they go to every mount below as well.
    uint64_t attributes;
    /// BIND: the source is not a directory, so a missing target becomes an empty file.
    int file;
    /// The target may have no symbolic link in it: the image doesn't decide where /proc goes.
    int strict;
    /// What the host can't mount (ENODEV, EPERM) is left out.
    int optional;
};

struct clinux_process {
    /// CLONE_NEW* to create. Ignored where `join` >= 0: a pidfd whose namespaces are entered.
    uint64_t namespaces;
    int join;

    /// The root directory (host path) and what is mounted into it, in this order. Not used by `join`.
    const char *_Nullable root;
    const struct clinux_mount *_Nullable mounts;
    size_t mount_count;
    const char *_Nullable const *_Nullable masked;
    const char *_Nullable const *_Nullable read_only;
    int read_only_root;
    int loopback;
    const char *_Nullable hostname;

    /// NULL-terminated. argv[0] without a slash is looked for in `search`, as in PATH.
    const char *_Nullable const *_Nullable argv;
    const char *_Nullable const *_Nullable envp;
    const char *_Nullable search;
    const char *_Nullable directory;
    uint32_t uid;
    uint32_t gid;
    const uint32_t *_Nullable groups;
    size_t group_count;
    /// Bits by capability number: bounding, permitted and effective set of the program.
    uint64_t capabilities;
    /// SIGKILL to die with the thread that calls clinux_spawn, 0 to outlive it.
    int death_signal;

    /// Descriptors >= 3 that become 0, 1 and 2; unused where there is a terminal.
    int stdio[3];
    /// A new terminal of the container's becomes 0, 1 and 2; its master goes over this socket (SCM_RIGHTS).
    /// -1 for none.
    int terminal_socket;
    uint16_t rows;
    uint16_t columns;

    // ── results
    /// The paths in the root that were created to be mounted on, each with a NUL behind it, as many as there is
    /// room for: the caller's memory.
    char *_Nullable made;
    size_t made_capacity;
    size_t made_length;
    int pidfd;
    /// What failed: a constant text and the object's name (of the caller's memory), errno. NULL when all went well.
    const char *_Nullable failed_action;
    const char *_Nullable failed_object;
    int failed_errno;
    /// Whether it was execve(2) itself that failed: exit status 126 or 127, not 125.
    int failed_exec;
};

/// Returns the pid (the caller's child, to be waited for) once the program runs, or -errno. Where the
/// child failed before, `failed_action` says what, and the child has been reaped. The child shares the
/// caller's memory until then, so it reports by writing into `process`.
int clinux_spawn(struct clinux_process *_Nonnull process);

/// Receives the descriptor sent over `socket`, or -errno. O_CLOEXEC.
int clinux_receive_fd(int socket);

/// waitid(2) for a pidfd: the exit status as a shell has it (128 + signal when killed), or -errno.
int clinux_wait(int pidfd);

/// socketpair(2), stream, O_CLOEXEC.
int clinux_socketpair(int *_Nonnull ends);

/// Terminal window size. Return 0 or -errno.
int clinux_get_window(int fd, uint16_t *_Nonnull rows, uint16_t *_Nonnull columns);
int clinux_set_window(int fd, uint16_t rows, uint16_t columns);

/// Blocks the signals of `mask` (bit n: signal n) in this thread and those it starts later, and returns a
/// descriptor that delivers them, or -errno.
int clinux_take_signals(uint64_t mask);
/// Undoes the blocking.
void clinux_release_signals(uint64_t mask);
/// The next signal's number, or -errno.
int clinux_next_signal(int fd);

/// Whether `path` is on a cgroup2 filesystem.
int clinux_is_cgroup2(const char *_Nonnull path);

/// posix_spawn(3) with the caller's environment and no blocked or ignored signals: descriptor `fds[i]` becomes
/// number i, -1 there is /dev/null, everything else is closed. `session`: setsid(2). The pid, or -errno.
int clinux_spawn_host(const char *_Nonnull path, const char *_Nullable const *_Nonnull argv, const int *_Nonnull fds,
                      int count, int session);
