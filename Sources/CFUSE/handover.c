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
#include <time.h>
#include <unistd.h>

enum {
    /// Requests between two looks at oneself in the usual class.
    PERIOD = 4,
    /// Nanoseconds for each request, above which it is not worth that the warden looks.
    BUSY = 10 * 1000 * 1000,
    /// Nanoseconds of waiting for the CPU for each request, above which others want it. In the usual class that may be
    /// the caller, which computes before its thread has gone to sleep, or a CPU that had to wake up.
    CONTENDED = 1000 * 1000,
    /// Nanoseconds between two looks of the warden, and how many of them a thread of the idle class must have run that
    /// has something to do and has served nothing.
    TICK = 5 * 1000 * 1000,
    HEADWAY = TICK / 4,
    /// Looks in a row that found it with less headway. The first may have found it before it slept, while its caller
    /// computes.
    MANY_STUCK = 2,
    /// Looks that found nothing served, more than twice as many as others.
    MANY_QUIET = 20,
};

/// Nanoseconds to stay in the usual class after others had the CPU: at first, and at most. What went well for the
/// longest begins anew.
static const uint64_t first_pause = 50 * 1000 * 1000, last_pause = 1600 * 1000 * 1000;

struct cfuse_handover {
    // The thread's own.
    unsigned served, needed;
    uint64_t since;
    uint64_t waited;
    /// It was to be of the idle class when it looked last, and since when.
    int was_wanted;
    uint64_t joined;
    uint64_t pause, end_of_pause;
    unsigned known_rescues;

    /// Requests that it has served.
    atomic_uint total;
    /// Whether it is to be of the idle class. Set by the thread, taken back by either.
    atomic_int is_wanted;
    /// How often the warden took it back because others had the CPU.
    atomic_uint rescues;

    // The warden's, under the lock.
    pid_t thread;
    clockid_t clock;
    /// Its directory in /proc, whose numbers may be those of another namespace.
    char directory[64];
    int is_idle;
    unsigned stuck, quiet;
    unsigned known_total;
    uint64_t ran;
    struct cfuse_handover *next;
};

/// Whoever has it runs when the warden waits for it, whatever its class.
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

/// Looks at a thread of the idle class that is wanted there; takes it back if others have its CPU, or if nobody has
/// asked for anything for a while.
static void look_at(struct cfuse_handover *h) {
    unsigned total = atomic_load(&h->total), served = total - h->known_total;
    uint64_t ran = cfuse_now(h->clock) - h->ran;
    h->known_total = total;
    h->ran += ran;
    int is_stuck = served == 0 && ran < HEADWAY && !cfuse_thread_is_asleep(h->directory);
    h->stuck = is_stuck ? h->stuck + 1 : 0;
    if (served == 0) h->quiet++;
    else h->quiet -= h->quiet < 2 ? h->quiet : 2;
    if (h->stuck >= MANY_STUCK) atomic_fetch_add(&h->rescues, 1);
    if (h->stuck >= MANY_STUCK || h->quiet >= MANY_QUIET) atomic_store(&h->is_wanted, 0);
}

/// Whether any member is of the idle class now.
static int look(void) {
    int count = 0;
    for (struct cfuse_handover *h = members; h; h = h->next) {
        if (h->is_idle && atomic_load(&h->is_wanted)) look_at(h);
        int is_wanted = atomic_load(&h->is_wanted);
        if (is_wanted != h->is_idle && set_class(h->thread, is_wanted ? SCHED_IDLE : SCHED_OTHER) == 0) {
            h->is_idle = is_wanted;
            h->stuck = h->quiet = 0;
            h->known_total = atomic_load(&h->total);
            h->ran = cfuse_now(h->clock);
        }
        count += h->is_idle;
    }
    return count > 0;
}

static void *watch(void *unused) {
    cfuse_watcher_begin();
    pthread_mutex_lock(&lock);
    while (members) {
        if (look()) {
            cfuse_watcher_wait(&changed, &lock, TICK);
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
    pthread_mutexattr_t attributes;
    pthread_mutexattr_init(&attributes);
    pthread_mutexattr_setprotocol(&attributes, PTHREAD_PRIO_INHERIT);
    pthread_mutex_init(&lock, &attributes);
    pthread_mutexattr_destroy(&attributes);
    cfuse_watcher_condition(&changed);
    pthread_t thread;
    if (pthread_create(&thread, NULL, try_class, &is_possible) == 0) pthread_join(thread, NULL);
}

struct cfuse_handover *cfuse_handover_join(void) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, prepare);
    uint64_t waited;
    // A class that somebody chose for the daemon stays.
    if (!is_possible || sched_getscheduler(0) != SCHED_OTHER || read_wait(&waited) < 0) return NULL;
    struct cfuse_handover *h = calloc(1, sizeof *h);
    if (!h || pthread_getcpuclockid(pthread_self(), &h->clock) != 0 ||
        readlink("/proc/thread-self", h->directory, sizeof h->directory - 1) < 0) {
        free(h);
        return NULL;
    }
    h->thread = gettid();
    h->needed = PERIOD;
    h->pause = first_pause;
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
    free(h);
    return NULL;
}

/// The warden has taken it back.
static void begin_anew(struct cfuse_handover *h) {
    uint64_t time = cfuse_now(CLOCK_MONOTONIC);
    unsigned rescues = atomic_load(&h->rescues);
    // Where nobody asked for a while, one more request soon is enough.
    h->needed = 1;
    if (rescues != h->known_rescues) {
        h->needed = PERIOD;
        if (time - h->joined > last_pause) h->pause = first_pause;
        h->end_of_pause = time + h->pause;
        if (h->pause < last_pause) h->pause *= 2;
    }
    h->known_rescues = rescues;
    h->was_wanted = 0;
    h->served = 0;
    h->since = time;
    read_wait(&h->waited);
}

static void join(struct cfuse_handover *h, uint64_t time) {
    // The warden has it for long where it looks at many; and this thread's caller waits.
    if (pthread_mutex_trylock(&lock) != 0) return;
    h->joined = time;
    h->end_of_pause = 0;
    atomic_store(&h->is_wanted, h->was_wanted = 1);
    pthread_cond_signal(&changed);
    pthread_mutex_unlock(&lock);
}

void cfuse_handover_served(struct cfuse_handover *h) {
    if (!h) return;
    atomic_fetch_add_explicit(&h->total, 1, memory_order_relaxed);
    if (atomic_load(&h->is_wanted)) return;
    if (h->was_wanted) {
        begin_anew(h);
        return;
    }
    if (++h->served < h->needed) return;
    uint64_t count = h->served, time = cfuse_now(CLOCK_MONOTONIC), waited = h->waited;
    if (read_wait(&waited) < 0) return;
    int is_busy = time - h->since < count * BUSY, is_contended = waited - h->waited > count * CONTENDED;
    h->served = 0;
    h->needed = PERIOD;
    h->since = time;
    h->waited = waited;
    if (is_busy && !is_contended && time >= h->end_of_pause) join(h, time);
}

int cfuse_handover_is_on(const struct cfuse_handover *h) { return h && atomic_load(&h->is_wanted); }

int cfuse_handover_is_paused(const struct cfuse_handover *h) { return h && h->end_of_pause != 0; }

void cfuse_handover_leave(struct cfuse_handover *h) {
    if (!h) return;
    // Of the idle class it might have to wait while it keeps the warden waiting.
    atomic_store(&h->is_wanted, 0);
    set_class(0, SCHED_OTHER);
    pthread_mutex_lock(&lock);
    struct cfuse_handover **place = &members;
    while (*place != h) place = &(*place)->next;
    *place = h->next;
    pthread_cond_signal(&changed);
    pthread_mutex_unlock(&lock);
    // The warden may have been about to change it.
    set_class(0, SCHED_OTHER);
    free(h);
}
