// Who reads /dev/fuse: all threads, or one of them alone, on its callers' CPU.
//
// The kernel wakes the thread that has waited longest, wherever it is; where that is another CPU than the caller's,
// both ways of a round trip wake a CPU. So while callers ask one after the other, one thread leads: it alone reads, on
// the CPU of who asked last, and hands that CPU over (cfuse_handover.h). The others wait until callers ask at the same
// time, or what is asked takes long: a watcher looks every two milliseconds while requests come.
#pragma once

#include "cfuse.h"

/// The threads that read one connection's requests.
struct cfuse_readers;
/// One of them. Its own, but for what is atomic.
struct cfuse_reader;

/// NULL without memory. Never freed: as long as its last thread.
struct cfuse_readers *_Nullable cfuse_readers_new(struct cfuse_connection *_Nonnull connection);

/// This thread is one of them, at home on `cpu` (-1: on any). NULL without memory.
struct cfuse_reader *_Nullable cfuse_reader_join(struct cfuse_readers *_Nonnull readers, int cpu);

/// Waits until it is this thread's turn, reads one request into `buffer` and has it served. 0; 1 where that was INIT
/// and rings were granted; -errno where reading failed: -ENODEV after unmount.
int cfuse_reader_serve(struct cfuse_reader *_Nonnull reader, void *_Nonnull buffer);

/// This thread is going to answer its request: from then on it may be its caller who has the CPU.
void cfuse_reader_answers(void);

/// Whether it reads alone.
int cfuse_reader_leads(const struct cfuse_reader *_Nonnull reader);

/// It reads no more; all others that wait for their turn have it.
void cfuse_reader_leave(struct cfuse_reader *_Nonnull reader);
