// Shared by the files that run between clone(2) and execve(2). In them: no allocation, no locks, and
// no libc function that knows of threads (setuid and its like would signal the caller's other threads).
#pragma once

#define _GNU_SOURCE
#include "container.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

/// Records what failed; the first one stays. Returns -1.
int container_failed(struct clinux_process *process, const char *action, const char *object);

#define TRY(action, object, call)                                                   \
    do {                                                                            \
        if ((call) < 0) return container_failed(process, (action), (object));       \
    } while (0)

/// Builds the mounts below process->root and pivots into it.
int container_enter_root(struct clinux_process *process);

/// Opens a new terminal of the container's devpts below `root`, sends the master, returns the other end.
/// `console`: also bound over /dev/console.
int container_open_terminal(struct clinux_process *process, int root, int console);

/// Opens `path` inside `root` (O_PATH), creating what is missing: directories, and where `file` an empty
/// file at the end. Dangling links are followed, inside. What it creates is noted in `process->made`, and does
/// not count as a change of the directory it is in, where `process` is given. -1 and errno.
int container_make(struct clinux_process *process, int root, const char *path, int file, int strict);

/// Groups, gid, uid, capabilities, no_new_privs.
int container_become(struct clinux_process *process);

/// execve(2) with a search in process->search. Returns only on failure, which it has recorded.
int container_execute(struct clinux_process *process);
