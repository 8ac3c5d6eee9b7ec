// Whose turn it is on a CPU: the thread that has just answered, or the one that waited for the answer.
//
// Waking the caller, the kernel looks for a CPU with nothing to do, because the one it is on has the daemon's thread:
// it moves the caller to another CPU, which must wake up first, and where another queue and another thread serve its
// next request. A CPU on which only threads of the class SCHED_IDLE run counts as having nothing to do
// (`select_idle_sibling` in kernel/sched/fair.c), so a thread that serves one request after the other joins that
// class, and the caller goes on where it is. The price: whoever else wants that CPU goes first. A warden, a thread of
// its own, takes a thread back that makes no headway, and one that has nothing to do.
#pragma once

#include <stdint.h>

/// How long not to try again what others stood in the way of: 50 ms, then 100, … 1.6 s; and 50 ms again after it went
/// well for longer than 1.6 s. All zero at first.
struct cfuse_pause {
    /// Nanoseconds, and when it ended or ends, of CLOCK_MONOTONIC.
    uint64_t length, end;
};

/// Others stood in the way, at `time`.
void cfuse_pause_begin(struct cfuse_pause *_Nonnull pause, uint64_t time);

/// What is known of a thread that serves requests.
struct cfuse_handover;

/// This thread is going to serve requests. NULL where it can't change its class and back (without CAP_SYS_NICE and with
/// RLIMIT_NICE below 20), where somebody chose another class for it, where the kernel does not say how long it waits for
/// its CPU, and without memory or a descriptor.
struct cfuse_handover *_Nullable cfuse_handover_join(void);

/// It has served one. `is_local`: whoever asks next is on this CPU, too, as far as is known; so nobody who asked before
/// computes there then. Without effect for NULL.
void cfuse_handover_served(struct cfuse_handover *_Nullable handover, int is_local);

/// Others may want the CPU: it begins anew. Without effect for NULL.
void cfuse_handover_stop(struct cfuse_handover *_Nullable handover);

/// Whether its callers go on where they are, or are about to. 0 for NULL.
int cfuse_handover_is_on(const struct cfuse_handover *_Nullable handover);

/// Whether others had the CPU, so that it will not try again for a while. 0 for NULL.
int cfuse_handover_is_paused(const struct cfuse_handover *_Nullable handover);

/// It serves no more. Without effect for NULL.
void cfuse_handover_leave(struct cfuse_handover *_Nullable handover);
