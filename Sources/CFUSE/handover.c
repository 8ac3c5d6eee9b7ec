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
    /// Requests between two looks at oneself: in the usual class, there because others wanted the CPU, and in the idle
    /// one.
    PERIOD = 4,
    PAUSED_PERIOD = 16,
    IDLE_PERIOD = 64,
    /// Nanoseconds for each request, above which it is not worth that the warden looks.
    BUSY = 10 * 1000 * 1000,
    /// Nanoseconds of waiting for the CPU for each request, above which others want it. A caller on the same CPU is there
    /// for one or two microseconds after it has asked; a CPU that slept takes up to 100 to wake.
    CONTENDED = 100 * 1000,
    /// Nanoseconds between two looks of the warden, and how many of them a thread of the idle class must have run that
    /// has something to do.
    TICK = 5 * 1000 * 1000,
    HEADWAY = TICK / 50,
    /// Looks in a row that found it with less headway; and that found nothing asked of it.
    MANY_SLOW = 2,
    MANY_QUIET = 20,
    /// Periods to stay in the usual class after others wanted the CPU: at first, and at most.
    FIRST_PAUSE = 4,
    LAST_PAUSE = 1024,
};

struct cfuse_handover {
    // The thread's own.
    unsigned served;
    unsigned pause;
    unsigned next_pause;
    /// It was to be of the idle class when it looked last.
    int was_wanted;
    uint64_t since;
    uint64_t waited;

    /// Whether it is to be of the idle class. Set by the thread, taken back by either.
    atomic_int is_wanted;
    /// How often the warden took it back because others had the CPU, and how often the thread knows of.
    atomic_uint rescues;
    unsigned known_rescues;

    // The warden's, under the lock.
    pid_t thread;
    clockid_t clock;
    int is_idle;
    unsigned slow, quiet;
    uint64_t ran;
    struct cfuse_handover *next;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
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
    uint64_t ran = cfuse_now(h->clock) - h->ran;
    h->ran += ran;
    h->quiet = ran == 0 ? h->quiet + 1 : 0;
    // It may be about to run, but not without having run since the last look.
    int is_slow = ran < HEADWAY && !cfuse_thread_is_asleep(h->thread);
    h->slow = is_slow ? h->slow + 1 : 0;
    int is_stuck = h->slow >= MANY_SLOW || (is_slow && ran == 0);
    if (is_stuck) atomic_fetch_add(&h->rescues, 1);
    if (is_stuck || h->quiet >= MANY_QUIET) atomic_store(&h->is_wanted, 0);
}

/// Whether any member is of the idle class now.
static int look(void) {
    int count = 0;
    for (struct cfuse_handover *h = members; h; h = h->next) {
        if (h->is_idle && atomic_load(&h->is_wanted)) look_at(h);
        int is_wanted = atomic_load(&h->is_wanted);
        if (is_wanted != h->is_idle && set_class(h->thread, is_wanted ? SCHED_IDLE : SCHED_OTHER) == 0) {
            h->is_idle = is_wanted;
            h->slow = h->quiet = 0;
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
    if (!h || pthread_getcpuclockid(pthread_self(), &h->clock) != 0) {
        free(h);
        return NULL;
    }
    h->thread = gettid();
    h->next_pause = FIRST_PAUSE;
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

static void stay(struct cfuse_handover *h) {
    atomic_store(&h->is_wanted, h->was_wanted = 0);
    h->pause = h->next_pause;
    if (h->next_pause < LAST_PAUSE) h->next_pause *= 2;
}

void cfuse_handover_served(struct cfuse_handover *h) {
    if (!h) return;
    int is_wanted = atomic_load(&h->is_wanted);
    int is_taken_back = h->was_wanted && !is_wanted;
    unsigned count = ++h->served;
    if (count < (is_wanted ? IDLE_PERIOD : h->pause > 0 ? PAUSED_PERIOD : PERIOD) && !is_taken_back) return;
    // Where nobody has asked for a while, one more request soon is enough.
    h->served = is_taken_back ? PERIOD - 1 : 0;
    h->was_wanted = is_wanted;
    uint64_t time = cfuse_now(CLOCK_MONOTONIC), waited = h->waited;
    if (read_wait(&waited) < 0) return;
    int is_busy = time - h->since < (uint64_t)count * BUSY;
    int is_contended = waited - h->waited > (uint64_t)count * CONTENDED;
    h->since = time;
    h->waited = waited;
    unsigned rescues = atomic_load(&h->rescues);
    if (is_contended || rescues != h->known_rescues) {
        h->known_rescues = rescues;
        stay(h);
    } else if (h->pause > 0) {
        h->pause--;
    } else if (is_wanted) {
        h->next_pause = FIRST_PAUSE;
    } else if (is_busy) {
        // Of the usual class still, so that the lock is not kept for long.
        pthread_mutex_lock(&lock);
        atomic_store(&h->is_wanted, h->was_wanted = 1);
        pthread_cond_signal(&changed);
        pthread_mutex_unlock(&lock);
    }
}

int cfuse_handover_is_on(const struct cfuse_handover *h) { return h && atomic_load(&h->is_wanted); }

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
