// The protocol between mica and mica-enter, the program that enters a container.
//
// mica writes into a pipe: a struct enter_start at once, and one plan when the container's root is ready. mica-enter
// reports over a SOCK_SEQPACKET socket, one report in each message; a successful execve(2) closes the socket. Both
// programs come from one build: another version is refused.
#pragma once

#include <linux/sched.h>  // CLONE_NEW*
#include <stdint.h>
#include <sys/mount.h>  // MOUNT_ATTR_*: not in Swift's Glibc module

/// The descriptors of mica-enter: the program's standard streams, and these.
enum {
    ENTER_PLAN = 3,     ///< the pipe to read the plan from
    ENTER_REPORTS = 4,  ///< the socket to report over
    ENTER_LEADER = 5,   ///< a pidfd of the container's process 1 where ENTER_JOIN, /dev/null otherwise
    ENTER_TASKS = 6,    ///< `tasks` of the container's cgroups of version 1, enter_start.cgroups of them
};

enum { ENTER_MAGIC = 0x4e45434d, ENTER_VERSION = 1, ENTER_LARGEST_PLAN = 64 << 20 };

enum {
    ENTER_JOIN = 1,               ///< enter the namespaces of ENTER_LEADER instead of making some
    ENTER_LOOPBACK = 2,           ///< bring lo up
    ENTER_READ_ONLY_ROOT = 4,     ///< make the root read-only at the end
    ENTER_TERMINAL = 8,           ///< a new terminal of the container's becomes 0, 1 and 2
    ENTER_NO_NEW_PRIVILEGES = 16  ///< set-user-ID programs and file capabilities grant nothing
};

/// What mica-enter can do before there is a plan.
struct enter_start {
    uint32_t magic, version;
    /// CLONE_NEW* to make. The PID namespace is made by the process that starts mica-enter, the others according to
    /// the plan.
    uint32_t namespaces;
    /// The number of descriptors from ENTER_TASKS on.
    uint32_t cgroups;
    /// SIGKILL to die with the thread that started mica-enter, 0 to outlive it.
    uint32_t death_signal;
};

/// A part of the plan: `count` elements from `offset`, in bytes from its beginning.
struct enter_span {
    uint32_t offset;
    uint32_t count;
};

enum {
    ENTER_MOUNT_FILESYSTEM,  ///< `source` is a filesystem type
    ENTER_MOUNT_BIND,        ///< `source` is a path of the host
    ENTER_MOUNT_DEVICES,     ///< a tmpfs with the standard device nodes and links
};

/// One mount below the container's root. `target` is resolved inside the root and created when missing.
struct enter_mount {
    uint32_t kind;
    /// BIND: the source is not a directory, so a missing target becomes an empty file.
    uint32_t file;
    /// The target must have no symbolic link in it: the image must not decide where /proc goes.
    uint32_t strict;
    /// A mount that the host can't make (ENODEV, EPERM) is left out.
    uint32_t optional;
    /// MOUNT_ATTR_*; for BIND they go to every mount below as well.
    uint64_t attributes;
    /// Offsets of strings.
    uint32_t source, target;
    /// key, value, key, value, … for fsconfig(2): offsets of strings. FILESYSTEM and DEVICES only.
    struct enter_span options;
};

/// The head of a plan. Strings end in NUL; a list of strings is an array of offsets.
struct enter_plan {
    /// The size of the whole plan, in bytes.
    uint32_t size;
    uint32_t flags;
    uint32_t uid, gid;
    /// Bits by capability number: the program's bounding, permitted and effective set.
    uint64_t capabilities;
    /// The size of the terminal, in characters; 0: unknown.
    uint16_t rows, columns;
    /// Offsets of strings. `root`: the root directory, a path of the host; `search`: as in PATH.
    uint32_t root, hostname, directory, search;
    /// Lists of strings.
    struct enter_span arguments, environment, masked, read_only;
    /// uint32_t each.
    struct enter_span groups;
    /// struct enter_mount each.
    struct enter_span mounts;
    /// struct sock_filter each: a seccomp filter; none: no filter.
    struct enter_span filter;
};

enum {
    ENTER_MADE = 1,       ///< text: a path in the root that was created to be mounted on
    ENTER_PROCESS = 2,    ///< number: the program's pid in the namespace of mica-enter's parent; comes with its pidfd
    ENTER_MASTER = 3,     ///< comes with the terminal's master
    ENTER_EXECUTING = 4,  ///< the next thing is execve(2)
    ENTER_FAILED = 5,     ///< number: errno; text: what was tried, NUL, on what
};

enum { ENTER_LONGEST_TEXT = 8192 };

struct enter_report {
    uint32_t kind;
    int32_t number;
    /// ENTER_FAILED: execve(2) itself failed, so the exit status is 126 or 127, not 125.
    uint32_t executing;
    /// The length of the text that follows, in bytes.
    uint32_t length;
};
