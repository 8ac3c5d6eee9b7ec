#define _GNU_SOURCE
#include "cfuse_threads.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

int cfuse_cpus(uint16_t *cpus, unsigned room) {
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) < 0) return -errno;
    unsigned count = 0;
    for (unsigned cpu = 0; cpu < CPU_SETSIZE && count < room; cpu++)
        if (CPU_ISSET(cpu, &set)) cpus[count++] = (uint16_t)cpu;
    return (int)count;
}

int cfuse_pin(unsigned cpu) {
    if (cpu >= CPU_SETSIZE) return -EINVAL;
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(cpu, &set);
    return sched_setaffinity(0, sizeof set, &set) < 0 ? -errno : 0;
}

int cfuse_unpin(int avoided) {
    cpu_set_t set;
    if (sched_getaffinity(getpid(), sizeof set, &set) != 0) return -errno;
    if (avoided >= 0 && avoided < CPU_SETSIZE) CPU_CLR(avoided, &set);
    return sched_setaffinity(0, sizeof set, &set) < 0 ? -errno : 0;
}

int cfuse_may_use(int cpu) {
    cpu_set_t set;
    if (cpu < 0 || cpu >= CPU_SETSIZE || sched_getaffinity(getpid(), sizeof set, &set) != 0) return 0;
    return CPU_ISSET(cpu, &set) != 0;
}

pid_t cfuse_thread_id(void) { return gettid(); }

int cfuse_set_idle(pid_t thread, int is_idle) {
    struct sched_param parameter = {0};
    return sched_setscheduler(thread, is_idle ? SCHED_IDLE : SCHED_OTHER, &parameter) < 0 ? -errno : 0;
}

int cfuse_is_usual_class(void) { return sched_getscheduler(0) == SCHED_OTHER; }

int64_t cfuse_thread_waited(void) {
    char text[128];
    int fd = open("/proc/thread-self/schedstat", O_RDONLY | O_CLOEXEC);
    if (fd < 0) return -1;
    ssize_t size = read(fd, text, sizeof text - 1);
    close(fd);
    if (size <= 0) return -1;
    text[size] = 0;
    int64_t waited;
    return sscanf(text, "%*u %" SCNd64, &waited) == 1 ? waited : -1;
}

int64_t cfuse_thread_preemptions(void) {
    struct rusage usage = {0};
    getrusage(RUSAGE_THREAD, &usage);
    return usage.ru_nivcsw;
}

/// Field `number` of proc_pid_stat(5), 3 or more, in `text`; or NULL.
static const char *stat_field(int stat, int number, char *text, size_t room) {
    ssize_t size = pread(stat, text, room - 1, 0);
    if (size <= 0) return NULL;
    text[size] = 0;
    // The name may have blanks and brackets; field 3 follows its end.
    const char *place = strrchr(text, ')');
    for (int field = 2; place && field < number; field++) place = strchr(place + 1, ' ');
    return place ? place + 1 : NULL;
}

int cfuse_thread_is_asleep(int stat) {
    char text[1024];
    const char *state = stat_field(stat, 3, text, sizeof text);
    return state && *state != 'R';
}

int cfuse_last_cpu(uint32_t thread) {
    char path[32], text[1024];
    snprintf(path, sizeof path, "/proc/%u/stat", thread);
    int stat = open(path, O_RDONLY | O_CLOEXEC);
    if (stat < 0) return -1;
    const char *cpu = stat_field(stat, 39, text, sizeof text);
    close(stat);
    return cpu ? atoi(cpu) : -1;
}

void cfuse_inheriting_mutex(pthread_mutex_t *lock) {
    pthread_mutexattr_t attributes;
    pthread_mutexattr_init(&attributes);
    pthread_mutexattr_setprotocol(&attributes, PTHREAD_PRIO_INHERIT);
    pthread_mutex_init(lock, &attributes);
    pthread_mutexattr_destroy(&attributes);
}

int cfuse_start_thread(void *(*body)(void *), void *argument) {
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

void cfuse_begin_watching(void) {
    // Not pinned to the CPU of the thread that started it, which may be the one that is taken.
    cfuse_unpin(-1);
    // In the fair class it would keep a CPU from counting as idle for longer than it runs (docs/adr/0015).
    struct sched_param parameter = {.sched_priority = 1};
    sched_setscheduler(0, SCHED_FIFO | SCHED_RESET_ON_FORK, &parameter);
}
