// Threads beside those that serve: what the warden of the handover (cfuse_handover.h), the watcher of the readers
// (cfuse_readers.h) and the thread of FORGETs (cfuse_forgets.h) have in common.
#pragma once

#include <pthread.h>
#include <stdint.h>
#include <time.h>

/// Nanoseconds of a clock; 0 where it can't be read.
uint64_t cfuse_now(clockid_t clock);

/// A lock that a watcher shares with threads that may have to wait for their CPU: whoever has it then inherits the
/// watcher's priority.
void cfuse_watcher_mutex(pthread_mutex_t *_Nonnull lock);

/// A condition for `cfuse_watcher_wait`.
void cfuse_watcher_condition(pthread_cond_t *_Nonnull condition);

/// Waits for the condition, at most so many nanoseconds. The lock is held.
void cfuse_watcher_wait(pthread_cond_t *_Nonnull condition, pthread_mutex_t *_Nonnull lock, uint64_t nanoseconds);

/// Starts a thread that nobody joins, of the usual class, whatever this thread is of. Whether it was started.
int cfuse_watcher_start(void *_Nullable (*_Nonnull body)(void *_Nonnull), void *_Nonnull argument);

/// This thread watches: it runs on any CPU the process may have, and before all that does not watch.
void cfuse_watcher_begin(void);

/// Whether a thread is known neither to have a CPU nor to wait for one. `stat`: its open file of that name in /proc.
int cfuse_thread_is_asleep(int stat);

/// The CPU that a thread ran on last, or -1.
int cfuse_thread_cpu(int stat);
