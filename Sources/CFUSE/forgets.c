#define _GNU_SOURCE
#include "cfuse_forgets.h"

#include "cfuse_watcher.h"

#include <linux/fuse.h>
#include <pthread.h>
#include <sched.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
    /// References that are kept for later. Each may hold an open file.
    ROOM = 64,
    /// Nanoseconds after a message: what comes meanwhile makes the next one.
    PAUSE = 3000 * 1000,
};

/// FUSE_BATCH_FORGET as the kernel sends it.
struct batch {
    struct fuse_in_header header;
    struct fuse_batch_forget_in in;
    struct fuse_forget_one references[ROOM];
};

struct cfuse_forgets {
    struct cfuse_connection *connection;
    /// Where the process may run.
    cpu_set_t cpus;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    /// Where the leader is, and which CPU the thread keeps away from.
    int leader, avoided;
    unsigned count;
    struct fuse_forget_one references[ROOM];
    /// The thread waits for a signal.
    int is_asleep;
    int has_thread, is_over;
};

/// Serves as one message what is there. Under the lock, but while it serves.
static void serve(struct cfuse_forgets *f, struct batch *batch) {
    unsigned count = f->count;
    memcpy(batch->references, f->references, count * sizeof f->references[0]);
    f->count = 0;
    int leader = f->leader;
    pthread_mutex_unlock(&f->lock);
    if (leader != f->avoided) {
        cpu_set_t cpus = f->cpus;
        CPU_CLR(leader, &cpus);
        if (sched_setaffinity(0, sizeof cpus, &cpus) == 0) f->avoided = leader;
    }
    size_t size = offsetof(struct batch, references) + count * sizeof batch->references[0];
    batch->header = (struct fuse_in_header){.len = (uint32_t)size, .opcode = FUSE_BATCH_FORGET};
    batch->in = (struct fuse_batch_forget_in){.count = count};
    cfuse_process(f->connection, batch, size);
    pthread_mutex_lock(&f->lock);
}

static void *run(void *argument) {
    struct cfuse_forgets *f = argument;
    struct batch batch;
    pthread_mutex_lock(&f->lock);
    while (f->count > 0 || !f->is_over) {
        if (f->count == 0) {
            f->is_asleep = 1;
            pthread_cond_wait(&f->changed, &f->lock);
            f->is_asleep = 0;
            continue;
        }
        serve(f, &batch);
        if (f->is_over) continue;
        pthread_mutex_unlock(&f->lock);
        nanosleep(&(struct timespec){.tv_nsec = PAUSE}, NULL);
        pthread_mutex_lock(&f->lock);
    }
    f->has_thread = 0;
    pthread_cond_broadcast(&f->changed);
    pthread_mutex_unlock(&f->lock);
    return NULL;
}

struct cfuse_forgets *cfuse_forgets_new(struct cfuse_connection *connection) {
    struct cfuse_forgets *f = calloc(1, sizeof *f);
    if (!f) return NULL;
    f->connection = connection;
    // Of the first thread, which stays where it began.
    if (sched_getaffinity(getpid(), sizeof f->cpus, &f->cpus) != 0) CPU_ZERO(&f->cpus);
    f->avoided = -1;
    pthread_mutex_init(&f->lock, NULL);
    pthread_cond_init(&f->changed, NULL);
    return f;
}

/// Under the lock.
static int start(struct cfuse_forgets *f) {
    // With one CPU it would only be more work.
    if (f->is_over || CPU_COUNT(&f->cpus) < 2) return 0;
    f->has_thread = cfuse_watcher_start(run, f);
    return f->has_thread;
}

int cfuse_forgets_take(struct cfuse_forgets *f, const void *request, size_t size, int cpu) {
    const struct fuse_in_header *header = request;
    struct fuse_forget_one one;
    const struct fuse_forget_one *references = &one;
    unsigned count = 1;
    const void *body = header + 1;
    size -= sizeof *header;
    if (header->opcode == FUSE_FORGET && size >= sizeof(struct fuse_forget_in)) {
        one.nodeid = header->nodeid;
        one.nlookup = ((const struct fuse_forget_in *)body)->nlookup;
    } else if (header->opcode == FUSE_BATCH_FORGET && size >= sizeof(struct fuse_batch_forget_in)) {
        const struct fuse_batch_forget_in *in = body;
        count = in->count;
        references = (const void *)(in + 1);
        if (count > ROOM || size - sizeof *in < count * sizeof *references) return 0;
    } else {
        return 0;
    }
    // Whoever has it may be waiting for a CPU: the leader must not.
    if (pthread_mutex_trylock(&f->lock) != 0) return 0;
    int is_taken = count <= ROOM - f->count && cpu >= 0 && cpu < CPU_SETSIZE && (f->has_thread || start(f));
    if (is_taken) {
        memcpy(f->references + f->count, references, count * sizeof *references);
        f->count += count;
        f->leader = cpu;
        if (f->is_asleep) pthread_cond_signal(&f->changed);
    }
    pthread_mutex_unlock(&f->lock);
    return is_taken;
}

void cfuse_forgets_end(struct cfuse_forgets *f) {
    pthread_mutex_lock(&f->lock);
    f->is_over = 1;
    pthread_cond_broadcast(&f->changed);
    while (f->has_thread) pthread_cond_wait(&f->changed, &f->lock);
    pthread_mutex_unlock(&f->lock);
}
