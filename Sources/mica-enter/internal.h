// mica-enter puts one program into a container: it makes or joins the container's namespaces, takes the program's
// identity, and executes it. mica starts it from a sealed memfd, with an empty environment, and it knows nothing but
// the plan that it reads from a pipe (enter.h).
#pragma once

#define _GNU_SOURCE
#include "enter.h"
#include "kernel_calls.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

/// A plan whose offsets have become pointers. Lists end with NULL.
struct plan {
    const struct enter_plan *head;
    const char *root, *hostname, *directory, *search;
    const char **arguments, **environment, **masked, **read_only;
    const struct enter_mount *mounts;
    const uint32_t *groups;
    const void *filter;
};

static inline int has(const struct plan *plan, uint32_t flag) { return (plan->head->flags & flag) != 0; }

/// Reads and checks what comes before the plan. -1 and errno: EPROTO for another version's.
int read_start(int pipe, struct enter_start *start);
/// Reads and checks the plan. -1 and errno: EPROTO for another version's.
int read_plan(int pipe, struct plan *plan);
/// The string at `offset` of a checked plan.
const char *plan_string(const struct plan *plan, uint32_t offset);
/// A list of strings of a checked plan, with NULL at the end; NULL and errno.
const char **plan_list(const struct plan *plan, struct enter_span span);

/// Sends a report to mica. `fd`: a descriptor to send along, or -1. -1 and errno when mica is gone.
int report(uint32_t kind, int32_t number, const char *text, int fd);
/// Reports what failed, with errno: "`action` `object`". Only the first failure is reported. Returns -1.
int failed(const char *action, const char *object);
/// Makes later failures count as those of the program's execution.
int executing(void);

#define TRY(action, object, call)                              \
    do {                                                       \
        if ((call) < 0) return failed((action), (object));     \
    } while (0)

/// A device number whose major and minor are below 256; makedev(3) is a library function, unless it is inlined.
static inline dev_t device_number(unsigned major, unsigned minor) { return (dev_t)(major << 8 | minor); }

/// Turns -errno into -1 and errno.
static inline int checked(int result) {
    if (result >= 0) return result;
    errno = -result;
    return -1;
}

/// An open null device of this container alone, on a filesystem that is mounted nowhere, so that changes to it
/// affect no other container. -1 and errno.
int own_null_device(void);

/// Builds the mounts below plan->root and pivots into it. `terminal` gets the new terminal.
int enter_root(const struct plan *plan, int *terminal);

/// Opens a new terminal of the container's devpts below `root`, sends the master to mica, returns the other end.
/// `console`: also binds it over /dev/console.
int open_terminal(const struct plan *plan, int root, int console);

/// Opens `path` inside `root` (O_PATH), creating what is missing: directories, and where `file` an empty file at the
/// end. Dangling links are followed, inside, unless `strict`. Where `quietly`, created files are reported and leave
/// the times of their directory alone. -1 and errno.
int make_path(int root, const char *path, int file, int strict, int quietly);

/// Opens `path` inside `root` (O_PATH); `strict`: without following a link. -1 and errno.
int open_inside(int root, const char *path, int strict);

/// Sets keyring, bounding set, seccomp filter, groups, gid, uid, capabilities.
int take_identity(const struct plan *plan);

/// execve(2), with a search in plan->search. Returns only on failure, after reporting it.
int execute_program(const struct plan *plan);
