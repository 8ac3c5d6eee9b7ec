// Calls about threads that Swift can't spell: their CPUs, scheduling classes and statistics. FUSE/Scheduling decides
// what to do with them.
#pragma once

#include <pthread.h>
#include <stdint.h>
#include <sys/types.h>

/// Puts the numbers of the CPUs that this thread may run on into `cpus`, at most `room`. How many, or -errno.
int cfuse_cpus(uint16_t *_Nonnull cpus, unsigned room);

/// Pins this thread to one CPU. 0, or -errno.
int cfuse_pin(unsigned cpu);

/// Lets this thread run where the process's first thread may, whose CPUs never change, except on CPU `avoided`,
/// where that is not negative. 0, or -errno.
int cfuse_unpin(int avoided);

/// Whether the process's first thread may run on a CPU.
int cfuse_may_use(int cpu);

/// gettid(2).
pid_t cfuse_thread_id(void);

/// Puts a thread, 0 being this one, into the class SCHED_IDLE, or back into SCHED_OTHER. 0, or -errno.
int cfuse_set_idle(pid_t thread, int is_idle);

/// Whether this thread is of the class SCHED_OTHER.
int cfuse_is_usual_class(void);

/// How long this thread has waited for a CPU so far, in nanoseconds (run_delay of
/// Documentation/scheduler/sched-stats). -1 where the kernel does not count it.
int64_t cfuse_thread_waited(void);

/// How often this thread was preempted (ru_nivcsw).
int64_t cfuse_thread_preemptions(void);

/// Whether a thread is known neither to run nor to wait for a CPU. `stat`: its open file of that name in /proc.
int cfuse_thread_is_asleep(int stat);

/// The CPU that a thread last ran on, by the thread's number in /proc; or -1.
int cfuse_last_cpu(uint32_t thread);

/// Initializes a lock that a watcher shares with threads that may have to wait for their CPU: its owner inherits the
/// watcher's priority.
void cfuse_inheriting_mutex(pthread_mutex_t *_Nonnull lock);

/// Starts a detached thread of the usual class, whatever this thread's class is. Returns whether it was started.
int cfuse_start_thread(void *_Nullable (*_Nonnull body)(void *_Nullable), void *_Nullable argument);

/// Makes this thread a watcher: it may run on any CPU of the process, and before all threads that don't watch.
void cfuse_begin_watching(void);
