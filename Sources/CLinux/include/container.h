// Starting programs, and what connects them to the user: terminals, signals, exit statuses.
#pragma once

#include "enter.h"

#include <stddef.h>
#include <sys/types.h>

/// Starts the program `program` (a descriptor to execute, close-on-exec) under the name `name` with an empty
/// environment. Descriptor `fds[i]` becomes its number i; it has no others. It shares no memory with the caller.
/// `namespaces`: CLONE_NEW* for clone3(2); `cgroup`: a directory of cgroup2 to start in, -1 for the caller's.
/// Returns once the program has been executed: its pid, with a pidfd in `pidfd`, or -errno.
int clinux_start(int program, const char *_Nonnull name, const int *_Nonnull fds, int count, uint64_t namespaces,
                 int cgroup, int *_Nonnull pidfd);

/// memfd_create(2), O_CLOEXEC: an empty file in memory, or -errno.
int clinux_memory_file(const char *_Nonnull name);

/// An immutable copy of what `file` has from its beginning on (memfd_create(2), sealed): a descriptor for reading
/// and executing, or -errno.
int clinux_sealed_copy(int file, const char *_Nonnull name);

/// write(2) until everything is written. -EPIPE, without a signal, where the reader is gone. 0 or -errno.
int clinux_write_quietly(int fd, const void *_Nonnull bytes, size_t count);

/// recvmsg(2): one message of at most `size` bytes, and in `fd` the descriptor that came with it or -1 (O_CLOEXEC).
/// The number of bytes, 0 at the end, or -errno.
ssize_t clinux_receive(int socket, void *_Nonnull bytes, size_t size, int *_Nonnull fd);

/// waitid(2) on a pidfd: the exit status as in a shell (128 + signal when killed), or -errno.
int clinux_wait(int pidfd);

/// The same without waiting: -EAGAIN while the process runs.
int clinux_reap(int pidfd);

/// socketpair(2), SOCK_SEQPACKET, O_CLOEXEC.
int clinux_socketpair(int *_Nonnull ends);

/// Sockets of a container's monitor, SOCK_SEQPACKET, O_CLOEXEC, at `name` in a directory. They return a descriptor
/// or -errno.
int clinux_listen(int directory, const char *_Nonnull name);
int clinux_connect(int directory, const char *_Nonnull name);
int clinux_accept(int listener);
/// Sends one message: `kind` and `bytes`. `wait`: for room, else -EAGAIN. 0 or -errno, -EPIPE without a signal.
int clinux_send(int socket, uint8_t kind, const void *_Nullable bytes, size_t count, int wait);

/// Terminal window size. Return 0 or -errno.
int clinux_get_window(int fd, uint16_t *_Nonnull rows, uint16_t *_Nonnull columns);
int clinux_set_window(int fd, uint16_t rows, uint16_t columns);

/// Makes stdio's output wait if it is O_NONBLOCK, instead of losing what does not fit. Call it before anything is
/// printed.
void clinux_wait_for_output(void);

/// Blocks the signals of `mask` (bit n: signal n) in this thread and those it starts later, and returns a
/// descriptor that delivers them, or -errno.
int clinux_take_signals(uint64_t mask);
/// Only blocks the signals.
void clinux_block_signals(uint64_t mask);
/// Unblocks the signals.
void clinux_release_signals(uint64_t mask);
/// Returns the next signal's number, or -errno.
int clinux_next_signal(int fd);

/// A new filesystem of `type` that is not mounted anywhere: a descriptor of its root directory, or -errno.
/// `options`: key, value, …, NULL, for fsconfig(2); an empty value is a flag. `attributes`: MOUNT_ATTR_*.
int clinux_new_filesystem(const char *_Nonnull type, const char *_Nullable const *_Nullable options,
                          uint64_t attributes);

/// posix_spawn(3) with the caller's environment and no blocked or ignored signals: descriptor `fds[i]` becomes
/// number i, -1 stands for /dev/null, all others are closed. `session`: calls setsid(2). The pid, or -errno.
int clinux_spawn_host(const char *_Nonnull path, const char *_Nullable const *_Nonnull argv, const int *_Nonnull fds,
                      int count, int session);
