// FUSE over io_uring (Linux 6.14 and newer): requests arrive in rings, one queue for each CPU, instead of being
// read from /dev/fuse. libfuse still decodes and dispatches them.
#pragma once

#include "cfuse.h"

/// The entries that one thread serves, each of one queue.
struct cfuse_ring;

/// Whether this process may have rings of the kind needed. 0, or -errno.
int cfuse_ring_is_possible(void);

/// Makes a ring with an entry for each of `queues`, numbers of possible CPUs, on the thread that will serve it.
/// NULL with errno on failure.
struct cfuse_ring *_Nullable cfuse_ring_open(struct cfuse_connection *_Nonnull connection,
                                             const uint16_t *_Nonnull queues, unsigned count);

/// Registers the entries and serves their requests until the mount is gone: -ENODEV; another -errno on failure. The
/// kernel sends nothing before the queue of each possible CPU has an entry. Calls `served` after each request.
int cfuse_ring_serve(struct cfuse_ring *_Nonnull ring, void (*_Nonnull served)(void *_Nullable),
                     void *_Nullable context);

void cfuse_ring_close(struct cfuse_ring *_Nonnull ring);
