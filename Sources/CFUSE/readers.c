#define _GNU_SOURCE
#include "cfuse_readers.h"

#include "cfuse_forgets.h"
#include "cfuse_handover.h"
#include "cfuse_watcher.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum {
    /// Requests that a thread has served between two looks at how they came.
    PERIOD = 32,
    /// Callers that took turns in a period: few enough to lead, and too many to go on.
    FEW_TURNS = PERIOD / 8,
    MANY_TURNS = PERIOD / 4,
    /// Periods between two looks at where the caller is, although it does not seem to have moved.
    SAME_PLACE = 8,
    /// Nanoseconds above which others should not wait for the thread that serves a request, and of how many in a period.
    SLOW = 50 * 1000,
    MANY_SLOW = PERIOD / 4,
    /// Nanoseconds from an answer to the next request, above which that may come from another CPU; above which it is as
    /// good as two or more of them; and how many of them are looked into, at first.
    LATE = 20 * 1000,
    RARE = 16 * LATE,
    FIRST_PATIENCE = 2,
    /// Requests of one caller after which there seems to be no other.
    ALONE = 64,
    /// Nanoseconds between two looks of the watcher.
    TICK = 2 * 1000 * 1000,
    /// Periods after which a thread may lead again for which it did not pay: at first, and at most.
    FIRST_PAUSE = 2,
    LAST_PAUSE = 256,
};

struct cfuse_readers {
    struct cfuse_connection *connection;
    struct cfuse_forgets *forgets;
    pthread_mutex_t lock;
    /// That all read again, and that there is something to watch.
    pthread_cond_t all, active;
    /// Who reads alone; NULL: all do. Changed under the lock, taken back by the leader and the watcher.
    _Atomic(struct cfuse_reader *) leader;
    /// Where the process may run.
    cpu_set_t cpus;
    /// How many there are. One alone does not lead: nobody could take over.
    atomic_int count;
    /// The watcher sleeps until somebody tells it that there is something to watch.
    atomic_int is_asleep;
    int is_watched, is_over;
    /// Nobody leads meanwhile, because others wanted a leader's CPU. Under the lock.
    struct cfuse_pause rest;
};

struct cfuse_reader {
    struct cfuse_readers *readers;
    int home, cpu;
    struct cfuse_handover *handover;
    /// Its own count, for the watcher: odd while others may have to wait for it.
    atomic_uint steps;
    int is_leading;
    /// In this period.
    unsigned served, turns, slow;
    /// Since it was looked for the caller.
    unsigned periods;
    uint64_t start, answered;
    /// Somebody waits for what it serves; who asked long after the last answer.
    int is_asked, is_rare;
    /// One after the other that were late, and how many are enough.
    unsigned late, patience;
    uint32_t caller;
    /// Requests of this caller.
    unsigned same;
    unsigned pause, next_pause;
};

/// Who serves a request on this thread that is not answered yet.
static __thread struct cfuse_reader *serving;

/// All read again. Under the lock.
static void dismiss(struct cfuse_readers *all) {
    atomic_store(&all->leader, NULL);
    pthread_cond_broadcast(&all->all);
}

/// Whether a request waits for somebody to read it.
static int is_anything_asked(struct cfuse_readers *all) {
    struct pollfd fd = {.fd = all->connection->fd, .events = POLLIN};
    return poll(&fd, 1, 0) > 0;
}

static void *watch(void *argument) {
    struct cfuse_readers *all = argument;
    cfuse_watcher_begin();
    pthread_mutex_lock(&all->lock);
    const struct cfuse_reader *known = NULL;
    unsigned last = 0;
    while (!all->is_over) {
        struct cfuse_reader *leader = atomic_load(&all->leader);
        unsigned steps = leader ? atomic_load(&leader->steps) : 0;
        int is_still = leader == known && steps == last, is_serving = steps % 2 == 1;
        known = leader;
        last = steps;
        if (leader && is_still && is_serving && is_anything_asked(all)) {
            dismiss(all);
            leader = NULL;
        }
        if (!leader || (is_still && !is_serving)) {
            atomic_store(&all->is_asleep, 1);
            // Somebody may have begun in between, and seen no need to tell.
            if (!leader || atomic_load(&leader->steps) == steps) pthread_cond_wait(&all->active, &all->lock);
            atomic_store(&all->is_asleep, 0);
            known = NULL;
        }
        if (!all->is_over) cfuse_watcher_wait(&all->active, &all->lock, TICK);
    }
    all->is_watched = 0;
    pthread_cond_broadcast(&all->all);
    pthread_mutex_unlock(&all->lock);
    return NULL;
}

/// Others may have to wait for this leader from now on, until it ends: the watcher looks.
static void begin(struct cfuse_reader *r) {
    struct cfuse_readers *all = r->readers;
    atomic_fetch_add(&r->steps, 1);
    if (!atomic_load(&all->is_asleep)) return;
    // It looks once more before it sleeps, with the lock: so it sleeps by now, or will see.
    pthread_mutex_lock(&all->lock);
    pthread_mutex_unlock(&all->lock);
    pthread_cond_signal(&all->active);
}

static void end(struct cfuse_reader *r) { atomic_fetch_add(&r->steps, 1); }

struct cfuse_readers *cfuse_readers_new(struct cfuse_connection *connection) {
    struct cfuse_readers *all = calloc(1, sizeof *all);
    if (!all) return NULL;
    all->connection = connection;
    // Of the first thread, which stays where it began.
    if (sched_getaffinity(getpid(), sizeof all->cpus, &all->cpus) != 0) CPU_ZERO(&all->cpus);
    all->forgets = cfuse_forgets_new(connection);
    if (!all->forgets) {
        free(all);
        return NULL;
    }
    cfuse_watcher_mutex(&all->lock);
    pthread_cond_init(&all->all, NULL);
    cfuse_watcher_condition(&all->active);
    return all;
}

struct cfuse_reader *cfuse_reader_join(struct cfuse_readers *readers, int cpu) {
    struct cfuse_reader *r = calloc(1, sizeof *r);
    if (!r) return NULL;
    r->readers = readers;
    r->home = r->cpu = cpu;
    r->next_pause = FIRST_PAUSE;
    r->patience = FIRST_PATIENCE;
    atomic_fetch_add(&readers->count, 1);
    return r;
}

/// To the CPU of who asked last; whether that is another one. Others may have to wait for it: where the caller ends
/// meanwhile, whoever looks at it ends its mappings, and writes out what they changed of this mount's files.
static int follow(struct cfuse_reader *r) {
    char path[32];
    snprintf(path, sizeof path, "/proc/%u/stat", r->caller);
    int stat = open(path, O_RDONLY | O_CLOEXEC), cpu = stat < 0 ? -1 : cfuse_thread_cpu(stat);
    if (stat >= 0) close(stat);
    r->late = r->periods = 0;
    if (cpu < 0 || cpu >= CPU_SETSIZE || cpu == r->cpu || !CPU_ISSET(cpu, &r->readers->cpus)) return 0;
    if (cfuse_pin((unsigned)cpu) != 0) return 0;
    r->cpu = cpu;
    return 1;
}

/// Follows a caller that has moved, before long: what comes from another CPU takes longer to come.
static void note_gap(struct cfuse_reader *r, uint64_t gap) {
    if (gap < LATE || !cfuse_handover_is_on(r->handover)) {
        r->late = 0;
    } else if ((r->late += 1 + (unsigned)(gap < RARE * PERIOD ? gap / RARE : PERIOD)) >= r->patience) {
        // Or it has something else to do in between, and will have again.
        r->patience = follow(r) ? FIRST_PATIENCE : r->patience < PERIOD ? 2 * r->patience : PERIOD;
        // That is not the request's.
        r->start = cfuse_now(CLOCK_MONOTONIC);
    }
}

static void lead(struct cfuse_reader *r) {
    struct cfuse_readers *all = r->readers;
    if (atomic_load(&all->leader) || atomic_load(&all->count) < 2) return;
    pthread_mutex_lock(&all->lock);
    int is_rest = cfuse_now(CLOCK_MONOTONIC) < all->rest.end;
    pthread_mutex_unlock(&all->lock);
    if (is_rest) return;
    // Without it the caller would be the one that moves.
    r->handover = cfuse_handover_join();
    if (!r->handover) {
        r->pause = r->next_pause = LAST_PAUSE;
        return;
    }
    pthread_mutex_lock(&all->lock);
    if (!all->is_watched && !all->is_over) {
        all->is_watched = cfuse_watcher_start(watch, all);
    }
    if (all->is_watched && !all->is_over && !atomic_load(&all->leader)) {
        // Looking for its caller.
        atomic_fetch_or(&r->steps, 1);
        atomic_store(&all->leader, r);
        r->is_leading = 1;
        pthread_cond_signal(&all->active);
    }
    pthread_mutex_unlock(&all->lock);
    if (r->is_leading) {
        follow(r);
        end(r);
    } else {
        cfuse_handover_leave(r->handover);
        r->handover = NULL;
        r->pause = FIRST_PAUSE;
    }
}

/// Is one of many again. `is_to_pause`: because it did not pay.
static void resign(struct cfuse_reader *r, int is_to_pause) {
    struct cfuse_readers *all = r->readers;
    pthread_mutex_lock(&all->lock);
    if (atomic_load(&all->leader) == r) dismiss(all);
    pthread_mutex_unlock(&all->lock);
    r->is_leading = 0;
    cfuse_handover_leave(r->handover);
    r->handover = NULL;
    if (r->cpu != r->home) {
        if (r->home >= 0) cfuse_pin((unsigned)r->home);
        else sched_setaffinity(0, sizeof all->cpus, &all->cpus);
        r->cpu = r->home;
    }
    if (!is_to_pause) return;
    r->pause = r->next_pause;
    if (r->next_pause < LAST_PAUSE) r->next_pause *= 2;
}

/// Others wanted a leader's CPU: nobody leads for a while.
static void rest(struct cfuse_readers *all) {
    pthread_mutex_lock(&all->lock);
    cfuse_pause_begin(&all->rest, cfuse_now(CLOCK_MONOTONIC));
    pthread_mutex_unlock(&all->lock);
}

/// Not what the kernel asks for by itself.
static int has_caller(uint32_t operation) {
    return operation != FUSE_FORGET && operation != FUSE_BATCH_FORGET && operation != FUSE_INTERRUPT;
}

/// After each request: whether to lead from now on, or no more. `caller` is 0 where it can't be seen.
static void consider(struct cfuse_reader *r, uint32_t caller) {
    if (r->is_leading && cfuse_handover_is_paused(r->handover)) {
        // Here others want the CPU, and it would drive its callers from one to the other.
        rest(r->readers);
        resign(r, 0);
        return;
    }
    if (r->is_asked && (caller == 0 || caller != r->caller)) {
        r->turns++;
        r->same = 0;
        if (caller != 0) r->caller = caller;
        if (r->is_leading) {
            // Whoever asked before may compute on this CPU while the other one waits for it.
            if (r->is_rare) cfuse_handover_stop(r->handover);
            follow(r);
        }
    } else if (r->is_asked) {
        r->same++;
    }
    if (++r->served < PERIOD) return;
    int is_slow = r->slow > MANY_SLOW;
    unsigned turns = r->turns;
    r->served = r->turns = r->slow = 0;
    if (r->is_leading) {
        if (is_slow || turns > MANY_TURNS) {
            resign(r, 1);
        } else {
            if (++r->periods >= SAME_PLACE) follow(r);
            if (r->next_pause > FIRST_PAUSE) r->next_pause--;
        }
    } else if (r->pause > 0) {
        r->pause--;
    } else if (!is_slow && turns <= FEW_TURNS && r->caller != 0) {
        lead(r);
    }
}

int cfuse_reader_serve(struct cfuse_reader *r, void *buffer) {
    struct cfuse_readers *all = r->readers;
    struct cfuse_reader *leader = atomic_load(&all->leader);
    if (r->is_leading && leader != r) resign(r, 1);
    if (leader && leader != r) {
        pthread_mutex_lock(&all->lock);
        while ((leader = atomic_load(&all->leader)) && leader != r) pthread_cond_wait(&all->all, &all->lock);
        pthread_mutex_unlock(&all->lock);
    }
    ssize_t size = cfuse_read_request(all->connection, buffer);
    if (size <= 0) return (int)size;
    const struct fuse_in_header *header = buffer;
    uint32_t caller = header->pid;
    r->is_asked = has_caller(header->opcode);
    if (!r->is_asked && r->is_leading && cfuse_forgets_take(all->forgets, header, (size_t)size, r->cpu)) return 0;
    r->start = cfuse_now(CLOCK_MONOTONIC);
    if (r->is_leading) {
        begin(r);
        r->is_rare = r->start - r->answered > RARE;
        if (r->is_asked) note_gap(r, r->start - r->answered);
    }
    serving = r;
    int result = cfuse_serve_request(all->connection, buffer, (size_t)size);
    cfuse_reader_answers();
    if (r->is_leading) {
        cfuse_handover_served(r->handover, r->same >= ALONE);
        begin(r);
        consider(r, caller);
        end(r);
    } else {
        consider(r, caller);
    }
    return result;
}

void cfuse_reader_answers(void) {
    struct cfuse_reader *r = serving;
    if (!r) return;
    serving = NULL;
    uint64_t time = cfuse_now(CLOCK_MONOTONIC), took = time - r->start;
    if (r->is_asked) {
        r->answered = time;
        if (took > SLOW) r->slow++;
    } else {
        // What nobody waits for has only put off the next request.
        r->answered += took;
    }
    if (r->is_leading) end(r);
}

int cfuse_reader_leads(const struct cfuse_reader *reader) { return reader->is_leading; }

void cfuse_reader_leave(struct cfuse_reader *r) {
    struct cfuse_readers *all = r->readers;
    if (r->is_leading) resign(r, 0);
    pthread_mutex_lock(&all->lock);
    all->is_over = 1;
    atomic_fetch_sub(&all->count, 1);
    dismiss(all);
    pthread_cond_signal(&all->active);
    while (all->is_watched) pthread_cond_wait(&all->all, &all->lock);
    pthread_mutex_unlock(&all->lock);
    cfuse_forgets_end(all->forgets);
    free(r);
}
