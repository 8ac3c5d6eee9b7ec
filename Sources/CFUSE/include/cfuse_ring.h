// FUSE over io_uring (Linux 6.14 and newer): requests arrive in rings, one queue for each CPU, instead of being
// read from /dev/fuse. libfuse still decodes and dispatches them.
#pragma once

#include "cfuse.h"

/// Entries, each of one queue, that one thread serves.
struct cfuse_ring;

/// Whether this process may have rings of the kind needed. 0, or -errno.
int cfuse_ring_is_possible(void);

/// Makes a ring with an entry for each of `queues`, numbers of possible CPUs, on the thread that will serve it.
/// NULL with errno on failure.
struct cfuse_ring *_Nullable cfuse_ring_open(struct cfuse_connection *_Nonnull connection,
                                             const uint16_t *_Nonnull queues, unsigned count);

/// Registers the entries and serves what they bring until the mount is gone: -ENODEV; another -errno where
/// something is wrong. The kernel sends nothing before each possible CPU's queue has an entry. `served` is called after
/// each request.
int cfuse_ring_serve(struct cfuse_ring *_Nonnull ring, void (*_Nonnull served)(void *_Nullable),
                     void *_Nullable context);

void cfuse_ring_close(struct cfuse_ring *_Nonnull ring);
