// FORGETs that the leader of the readers (cfuse_readers.h) reads: nobody waits for them, and a file that was removed
// ends with its last one, which takes longer than the removal did. So they are served a little later, many in one
// message, on another CPU than the leader's.
#pragma once

#include "cfuse.h"

struct cfuse_forgets;

/// NULL without memory. Never freed: as long as its thread.
struct cfuse_forgets *_Nullable cfuse_forgets_new(struct cfuse_connection *_Nonnull connection);

/// Takes over what the leader read on `cpu`. 0 where that is no FORGET, or there are too many, or nowhere to serve it:
/// the leader serves it.
int cfuse_forgets_take(
    struct cfuse_forgets *_Nonnull forgets, const void *_Nonnull request, size_t size, int cpu
);

/// Serves what is left and ends the thread. More than once is as once.
void cfuse_forgets_end(struct cfuse_forgets *_Nonnull forgets);
