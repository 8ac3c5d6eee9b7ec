#define _GNU_SOURCE
#include "cfuse_watcher.h"

#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

uint64_t cfuse_now(clockid_t clock) {
    struct timespec time;
    if (clock_gettime(clock, &time) != 0) return 0;
    return (uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_nsec;
}

void cfuse_watcher_mutex(pthread_mutex_t *lock) {
    pthread_mutexattr_t attributes;
    pthread_mutexattr_init(&attributes);
    pthread_mutexattr_setprotocol(&attributes, PTHREAD_PRIO_INHERIT);
    pthread_mutex_init(lock, &attributes);
    pthread_mutexattr_destroy(&attributes);
}

void cfuse_watcher_condition(pthread_cond_t *condition) {
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(condition, &attributes);
    pthread_condattr_destroy(&attributes);
}

void cfuse_watcher_wait(pthread_cond_t *condition, pthread_mutex_t *lock, uint64_t nanoseconds) {
    uint64_t end = cfuse_now(CLOCK_MONOTONIC) + nanoseconds;
    struct timespec time = {(time_t)(end / 1000000000), (long)(end % 1000000000)};
    pthread_cond_timedwait(condition, lock, &time);
}

int cfuse_watcher_start(void *(*body)(void *), void *argument) {
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setinheritsched(&attributes, PTHREAD_EXPLICIT_SCHED);
    pthread_attr_setschedpolicy(&attributes, SCHED_OTHER);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    pthread_t thread;
    int is_started = pthread_create(&thread, &attributes, body, argument) == 0;
    pthread_attr_destroy(&attributes);
    return is_started;
}

void cfuse_watcher_begin(void) {
    // Not kept on the CPU of the thread that began it, which may be the one that is taken: where the first thread may
    // be, which stays where it began.
    cpu_set_t cpus;
    if (sched_getaffinity(getpid(), sizeof cpus, &cpus) == 0) sched_setaffinity(0, sizeof cpus, &cpus);
    // Of the fair class it would keep a CPU from counting as idle for longer than it runs (docs/adr/0015).
    struct sched_param parameter = {.sched_priority = 1};
    sched_setscheduler(0, SCHED_FIFO | SCHED_RESET_ON_FORK, &parameter);
}

/// Field `number` of proc_pid_stat(5), 3 or more, in `text`; or NULL.
static const char *stat_field(int stat, int number, char *text, size_t room) {
    ssize_t size = pread(stat, text, room - 1, 0);
    if (size <= 0) return NULL;
    text[size] = 0;
    // The name may have blanks and brackets; behind its end comes field 3.
    const char *place = strrchr(text, ')');
    for (int field = 2; place && field < number; field++) place = strchr(place + 1, ' ');
    return place ? place + 1 : NULL;
}

int cfuse_thread_is_asleep(int stat) {
    char text[1024];
    const char *state = stat_field(stat, 3, text, sizeof text);
    return state && *state != 'R';
}

int cfuse_thread_cpu(int stat) {
    char text[1024];
    const char *cpu = stat_field(stat, 39, text, sizeof text);
    return cpu ? atoi(cpu) : -1;
}
