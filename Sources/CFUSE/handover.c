#define _GNU_SOURCE
#include "cfuse_handover.h"

#include "cfuse_watcher.h"

#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

enum {
    /// Requests between two looks at oneself: in the usual class, and in the idle one.
    PERIOD = 4,
    IDLE_PERIOD = 64,
    /// Nanoseconds for each request, above which it is not worth that the warden looks; and above which another caller
    /// may well compute on the CPU when the next one asks.
    BUSY = 5 * 1000 * 1000,
    DENSE = 300 * 1000,
    /// Nanoseconds of waiting for the CPU for each request, above which others want it. In the idle class the caller
    /// itself is there for one or two microseconds after it has asked. In the usual one it may also be the caller that
    /// computes, before its thread has gone to sleep, or a CPU that had to wake up.
    IDLE_CONTENDED = 100 * 1000,
    CONTENDED = 1000 * 1000,
    /// Nanoseconds of waiting altogether in the idle class, below which it is no matter.
    LITTLE = 3 * 1000 * 1000,
    /// Nanoseconds between two looks of the warden: at first, and at most, while it finds nothing.
    TICK = 5 * 1000 * 1000,
    LAST_TICK = 10 * 1000 * 1000,
    /// The part of the time that a thread of the idle class must have run that had something to do and served nothing.
    HEADWAY = 4,
    /// Nanoseconds between looks that found nothing served, less those between others.
    QUIET = 100 * 1000 * 1000,
};

struct cfuse_handover {
    // The thread's own.
    unsigned served, needed;
    uint64_t since;
    uint64_t waited;
    /// How often it had to leave the CPU before it slept.
    long preemptions;
    /// It was to be of the idle class when it looked last.
    int was_wanted;
    int is_paused;
    struct cfuse_pause pause;
    unsigned known_rescues;

    /// Requests that it has served.
    atomic_uint total;
    /// Whether it is to be of the idle class. Set by the thread, taken back by either.
    atomic_int is_wanted;
    /// How often the warden took it back because others had the CPU.
    atomic_uint rescues;
    /// The warden has looked: the thread is to look at itself.
    atomic_int is_due;

    // The warden's, under the lock.
    pid_t thread;
    clockid_t clock;
    /// Its file in /proc, where numbers may be those of another namespace.
    int stat;
    int is_idle;
    /// The last look found it with something to do and nothing served.
    int is_suspect;
    uint64_t quiet;
    unsigned known_total;
    uint64_t ran;
    struct cfuse_handover *next;
};

static pthread_mutex_t lock;
static pthread_cond_t changed;
static struct cfuse_handover *members;
/// There is a warden.
static int is_watched;

/// Nanoseconds that this thread has waited for a CPU since it began (run_delay of Documentation/scheduler/sched-stats).
/// 0, or -1 where the kernel does not count them.
static int read_wait(uint64_t *waited) {
    char text[128];
    int fd = open("/proc/thread-self/schedstat", O_RDONLY | O_CLOEXEC);
    if (fd < 0) return -1;
    ssize_t size = read(fd, text, sizeof text - 1);
    close(fd);
    if (size <= 0) return -1;
    text[size] = 0;
    return sscanf(text, "%*u %" SCNu64, waited) == 1 ? 0 : -1;
}

static int set_class(pid_t thread, int policy) {
    struct sched_param parameter = {0};
    return sched_setscheduler(thread, policy, &parameter);
}

void cfuse_pause_begin(struct cfuse_pause *pause, uint64_t time) {
    static const uint64_t first = 50 * 1000 * 1000, last = 1600 * 1000 * 1000;
    if (pause->length == 0 || time - pause->end > last) pause->length = first;
    else if (pause->length < last) pause->length *= 2;
    pause->end = time + pause->length;
}

/// Whether a thread that served nothing for `elapsed` nanoseconds is kept from its CPU.
static int is_kept(struct cfuse_handover *h, uint64_t elapsed) {
    int was_suspect = h->is_suspect;
    h->is_suspect = !cfuse_thread_is_asleep(h->stat);
    if (!h->is_suspect) return 0;
    uint64_t ran = cfuse_now(h->clock), before = h->ran;
    h->ran = ran;
    // Once, it may just not have slept yet when its caller went on and computed.
    return was_suspect && ran - before < elapsed / HEADWAY;
}

/// Looks at a thread of the idle class that is wanted there, `elapsed` nanoseconds after the last time; takes it back
/// if others have its CPU, or if nobody has asked for anything for a while.
static void look_at(struct cfuse_handover *h, uint64_t elapsed) {
    unsigned total = atomic_load(&h->total), known = h->known_total;
    h->known_total = total;
    atomic_store(&h->is_due, 1);
    if (total != known) {
        h->is_suspect = 0;
        h->quiet -= h->quiet < elapsed ? h->quiet : elapsed;
        return;
    }
    h->quiet += elapsed;
    int others_have_it = is_kept(h, elapsed);
    if (others_have_it) atomic_fetch_add(&h->rescues, 1);
    if (others_have_it || h->quiet >= QUIET) atomic_store(&h->is_wanted, 0);
}

/// Changes classes as wanted. Whether there was something to change.
static int change(struct cfuse_handover *h) {
    int is_wanted = atomic_load(&h->is_wanted);
    if (is_wanted == h->is_idle) return 0;
    if (set_class(h->thread, is_wanted ? SCHED_IDLE : SCHED_OTHER) == 0) {
        h->is_idle = is_wanted;
        h->is_suspect = 0;
        h->quiet = 0;
        h->known_total = atomic_load(&h->total);
    } else if (is_wanted) {
        // As good as if others had the CPU: later.
        atomic_fetch_add(&h->rescues, 1);
        atomic_store(&h->is_wanted, 0);
    }
    return 1;
}

/// Looks at all members, `elapsed` nanoseconds after the last time, or, for 0, only at what they want. In how many to
/// look again; 0: when somebody joins.
static uint64_t look(uint64_t elapsed) {
    uint64_t next = 0, calm = elapsed < TICK ? TICK : LAST_TICK;
    for (struct cfuse_handover *h = members; h; h = h->next) {
        if (elapsed > 0 && h->is_idle && atomic_load(&h->is_wanted)) look_at(h, elapsed);
        int is_news = change(h);
        if (h->is_idle && next != TICK) next = is_news || h->is_suspect ? TICK : calm;
    }
    return next;
}

static void *watch(void *unused) {
    cfuse_watcher_begin();
    pthread_mutex_lock(&lock);
    uint64_t last = cfuse_now(CLOCK_MONOTONIC);
    while (members) {
        uint64_t time = cfuse_now(CLOCK_MONOTONIC), elapsed = time - last;
        // Whoever joins does not make others look kept from their CPU.
        if (elapsed < TICK / 2) elapsed = 0;
        else last = time;
        uint64_t tick = look(elapsed);
        if (tick > 0) {
            cfuse_watcher_wait(&changed, &lock, tick);
        } else {
            pthread_cond_wait(&changed, &lock);
        }
    }
    is_watched = 0;
    pthread_mutex_unlock(&lock);
    return unused;
}

/// Goes to the class and back. On a thread of its own, which may have to stay there.
static void *try_class(void *is_possible) {
    *(int *)is_possible = set_class(0, SCHED_IDLE) == 0 && set_class(0, SCHED_OTHER) == 0;
    return NULL;
}

static int is_possible;

static void prepare(void) {
    if (sched_getscheduler(0) != SCHED_OTHER) return;
    cfuse_watcher_mutex(&lock);
    cfuse_watcher_condition(&changed);
    pthread_t thread;
    if (pthread_create(&thread, NULL, try_class, &is_possible) == 0) pthread_join(thread, NULL);
}

static void end(struct cfuse_handover *h) {
    if (h->stat >= 0) close(h->stat);
    free(h);
}

struct cfuse_handover *cfuse_handover_join(void) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, prepare);
    uint64_t waited;
    // A class that somebody chose for the daemon stays.
    if (!is_possible || sched_getscheduler(0) != SCHED_OTHER || read_wait(&waited) < 0) return NULL;
    struct cfuse_handover *h = calloc(1, sizeof *h);
    if (!h) return NULL;
    h->stat = open("/proc/thread-self/stat", O_RDONLY | O_CLOEXEC);
    if (h->stat < 0 || pthread_getcpuclockid(pthread_self(), &h->clock) != 0) {
        end(h);
        return NULL;
    }
    h->thread = gettid();
    h->needed = PERIOD;
    h->waited = waited;
    h->since = cfuse_now(CLOCK_MONOTONIC);
    pthread_mutex_lock(&lock);
    if (!is_watched) is_watched = cfuse_watcher_start(watch, &members);
    if (is_watched) {
        h->next = members;
        members = h;
    }
    int is_member = is_watched;
    pthread_mutex_unlock(&lock);
    if (is_member) return h;
    end(h);
    return NULL;
}

static long read_preemptions(void) {
    struct rusage usage = {0};
    getrusage(RUSAGE_THREAD, &usage);
    return usage.ru_nivcsw;
}

/// Counts anew.
static void begin_period(struct cfuse_handover *h, uint64_t time) {
    h->served = 0;
    h->needed = h->was_wanted ? IDLE_PERIOD : PERIOD;
    h->since = time;
    read_wait(&h->waited);
    h->preemptions = read_preemptions();
    atomic_store(&h->is_due, 0);
}

/// Does not wait for the warden to do it.
static void leave_class(struct cfuse_handover *h) {
    atomic_store(&h->is_wanted, h->was_wanted = 0);
    set_class(0, SCHED_OTHER);
}

/// Others had the CPU.
static void begin_pause(struct cfuse_handover *h, uint64_t time) {
    leave_class(h);
    h->served = 0;
    h->needed = PERIOD;
    h->is_paused = 1;
    cfuse_pause_begin(&h->pause, time);
}

static void join(struct cfuse_handover *h) {
    // The warden has it for long where it looks at many; and this thread's caller waits.
    if (pthread_mutex_trylock(&lock) != 0) return;
    // It may have left the class by itself since the last look.
    h->is_idle = 0;
    h->known_rescues = atomic_load(&h->rescues);
    h->needed = IDLE_PERIOD;
    atomic_store(&h->is_wanted, h->was_wanted = 1);
    pthread_mutex_unlock(&lock);
    pthread_cond_signal(&changed);
}

/// The warden has taken it back.
static void begin_anew(struct cfuse_handover *h, uint64_t time) {
    h->was_wanted = 0;
    if (atomic_load(&h->rescues) != h->known_rescues) {
        begin_pause(h, time);
    } else {
        begin_period(h, time);
        // Nobody asked for a while: one more request soon is enough.
        h->needed = 1;
    }
}

/// Ends the period: whether to change classes.
static void consider(struct cfuse_handover *h, uint64_t time, int is_local) {
    uint64_t count = h->served, took = time - h->since, waited = h->waited;
    uint64_t preemptions = (uint64_t)h->preemptions;
    begin_period(h, time);
    waited = h->waited - waited;
    preemptions = (uint64_t)h->preemptions - preemptions;
    if (!h->was_wanted) {
        if (took < count * (is_local ? BUSY : DENSE) && waited < count * CONTENDED) join(h);
    } else if (waited > LITTLE && waited > count * IDLE_CONTENDED) {
        // Where its caller takes the CPU before it has slept, it waits as long as its caller computes.
        if (preemptions < count / 2 || waited > count * 2 * BUSY) begin_pause(h, time);
    }
}

void cfuse_handover_served(struct cfuse_handover *h, int is_local) {
    if (!h) return;
    atomic_fetch_add_explicit(&h->total, 1, memory_order_relaxed);
    int is_taken_back = h->was_wanted && !atomic_load(&h->is_wanted);
    int is_due = is_taken_back || (h->was_wanted && atomic_load(&h->is_due));
    if (++h->served < h->needed && !is_due) return;
    uint64_t time = cfuse_now(CLOCK_MONOTONIC);
    if (is_taken_back) {
        begin_anew(h, time);
    } else if (!h->is_paused) {
        consider(h, time, is_local);
    } else if (time < h->pause.end) {
        h->served = 0;
    } else {
        h->is_paused = 0;
        begin_period(h, time);
    }
}

void cfuse_handover_stop(struct cfuse_handover *h) {
    if (!h || !h->was_wanted) return;
    leave_class(h);
    begin_period(h, cfuse_now(CLOCK_MONOTONIC));
}

int cfuse_handover_is_on(const struct cfuse_handover *h) { return h && atomic_load(&h->is_wanted); }

int cfuse_handover_is_paused(const struct cfuse_handover *h) { return h && h->is_paused; }

void cfuse_handover_leave(struct cfuse_handover *h) {
    if (!h) return;
    // Of the idle class it might have to wait while it keeps the warden waiting.
    leave_class(h);
    pthread_mutex_lock(&lock);
    struct cfuse_handover **place = &members;
    while (*place != h) place = &(*place)->next;
    *place = h->next;
    pthread_cond_signal(&changed);
    pthread_mutex_unlock(&lock);
    // The warden may have been about to change it.
    set_class(0, SCHED_OTHER);
    end(h);
}
