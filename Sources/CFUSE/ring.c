#define _GNU_SOURCE
#include "cfuse_ring.h"

#include <errno.h>
#include <liburing.h>
#include <linux/fuse.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>

// The protocol of FUSE over io_uring, as Linux 6.14 introduced it (include/uapi/linux/fuse.h), under names of our
// own, because the distribution's headers are older.

/// fuse_uring_req_header: the parts of a request, and of a reply, besides the payload.
struct entry_header {
    /// fuse_in_header of the request; fuse_out_header of the reply.
    char in_out[128];
    /// The fixed part of the operation's arguments, such as fuse_write_in.
    char operation[128];
    // fuse_uring_ent_in_out
    uint64_t flags;
    uint64_t commit_id;
    uint32_t payload_size;
    uint32_t padding;
    uint64_t reserved;
};
_Static_assert(sizeof(struct entry_header) == 288, "fuse_uring_req_header has 288 bytes");

/// fuse_uring_cmd_req: in the command area of a submission of 128 bytes.
struct command {
    uint64_t flags;
    uint64_t commit_id;
    uint16_t queue;
    uint8_t padding[6];
};

enum { COMMAND_REGISTER = 1, COMMAND_COMMIT_AND_FETCH = 2 };

enum {
    /// The space in front of the payload: the header that the kernel fills, and room to put a request together.
    PREFIX_SIZE = 4096,
    PAYLOAD_SIZE = 1 << 20,
    SETUP_FLAGS = IORING_SETUP_SQE128 | IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN,
};

/// Where the kernel puts one request at a time.
struct entry {
    struct cfuse_route route;
    struct entry_header *header;
    char *payload;
    struct iovec places[2];
    uint16_t queue;
    /// The number of the request that is being served.
    uint64_t unique;
    int is_answered;
};

struct cfuse_ring {
    struct io_uring ring;
    struct cfuse_connection *connection;
    unsigned count;
    struct entry entries[];
};

int cfuse_ring_is_possible(void) {
    struct io_uring ring;
    int result = io_uring_queue_init(1, &ring, SETUP_FLAGS);
    if (result < 0) return result;
    io_uring_queue_exit(&ring);
    return 0;
}

/// Puts the reply where the kernel looks for it.
static int take_reply(struct cfuse_route *route, const struct iovec *iov, int count, ssize_t *sent) {
    struct entry *e = route->context;
    const struct fuse_out_header *header = iov[0].iov_base;
    if (header->unique != e->unique || e->is_answered) return 0;
    // The kernel would refuse a reply that does not fit, and the caller would wait for ever.
    struct fuse_out_header reply = *header;
    size_t size = 0;
    for (int i = 1; i < count && reply.error == 0; i++) {
        if (iov[i].iov_len > PAYLOAD_SIZE - size) {
            reply.error = -EIO;
            size = 0;
            break;
        }
        // A read may have put its data there already: see `cfuse_data_buffer`.
        if (iov[i].iov_base != e->payload + size) memcpy(e->payload + size, iov[i].iov_base, iov[i].iov_len);
        size += iov[i].iov_len;
    }
    reply.len = sizeof reply + size;
    memcpy(e->header->in_out, &reply, sizeof reply);
    e->header->payload_size = (uint32_t)size;
    e->is_answered = 1;
    *sent = header->len;
    return 1;
}

struct cfuse_ring *cfuse_ring_open(struct cfuse_connection *connection, const uint16_t *queues, unsigned count) {
    struct cfuse_ring *r = calloc(1, sizeof *r + count * sizeof r->entries[0]);
    if (!r) return NULL;
    r->connection = connection;
    int result = io_uring_queue_init(count, &r->ring, SETUP_FLAGS);
    if (result < 0) {
        free(r);
        errno = -result;
        return NULL;
    }
    for (unsigned i = 0; i < count; i++) {
        struct entry *e = &r->entries[i];
        char *memory =
            mmap(NULL, PREFIX_SIZE + PAYLOAD_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (memory == MAP_FAILED) {
            cfuse_ring_close(r);
            errno = ENOMEM;
            return NULL;
        }
        r->count = i + 1;
        e->header = (struct entry_header *)memory;
        e->payload = memory + PREFIX_SIZE;
        e->places[0] = (struct iovec){e->header, sizeof *e->header};
        e->places[1] = (struct iovec){e->payload, PAYLOAD_SIZE};
        e->queue = queues[i];
        e->route = (struct cfuse_route){take_reply, e, e->payload};
    }
    return r;
}

void cfuse_ring_close(struct cfuse_ring *r) {
    // The ring goes first, because it may still refer to the memory.
    io_uring_queue_exit(&r->ring);
    for (unsigned i = 0; i < r->count; i++) munmap(r->entries[i].header, PREFIX_SIZE + PAYLOAD_SIZE);
    free(r);
}

static int submit(struct cfuse_ring *r, struct entry *e, uint32_t operation, uint64_t commit_id) {
    struct io_uring_sqe *sqe = io_uring_get_sqe(&r->ring);
    if (!sqe) return -EBUSY;
    memset(sqe, 0, 2 * sizeof *sqe);
    sqe->opcode = IORING_OP_URING_CMD;
    sqe->fd = r->connection->fd;
    sqe->cmd_op = operation;
    sqe->user_data = (uint64_t)(uintptr_t)e;
    if (operation == COMMAND_REGISTER) {
        sqe->addr = (uint64_t)(uintptr_t)e->places;
        sqe->len = 2;
    }
    struct command *command = (struct command *)sqe->cmd;
    command->commit_id = commit_id;
    command->queue = e->queue;
    return 0;
}

/// Puts the parts of a request together in front of its payload, and serves it.
static void serve(struct cfuse_ring *r, struct entry *e) {
    struct fuse_in_header in;
    memcpy(&in, e->header->in_out, sizeof in);
    size_t payload = e->header->payload_size;
    size_t operation = in.len - sizeof in - payload;
    e->unique = in.unique;
    e->is_answered = 0;
    if (in.len >= sizeof in + payload && operation <= sizeof e->header->operation && payload <= PAYLOAD_SIZE) {
        char *start = e->payload - operation - sizeof in;
        memcpy(start, &in, sizeof in);
        memcpy(start + sizeof in, e->header->operation, operation);
        cfuse_process(r->connection, start, in.len, &e->route);
    }
    if (!e->is_answered) {
        struct fuse_out_header out = {.len = sizeof out, .error = -EIO, .unique = in.unique};
        struct iovec iov = {&out, sizeof out};
        ssize_t sent;
        take_reply(&e->route, &iov, 1, &sent);
    }
}

int cfuse_ring_serve(struct cfuse_ring *r, void (*served)(void *), void *context) {
    for (unsigned i = 0; i < r->count; i++) {
        int result = submit(r, &r->entries[i], COMMAND_REGISTER, 0);
        if (result < 0) return result;
    }
    while (1) {
        int result = io_uring_submit_and_wait(&r->ring, 1);
        if (result < 0 && result != -EINTR && result != -EAGAIN && result != -EBUSY) return result;
        struct io_uring_cqe *cqe;
        while (io_uring_peek_cqe(&r->ring, &cqe) == 0) {
            struct entry *e = (struct entry *)(uintptr_t)cqe->user_data;
            result = cqe->res;
            io_uring_cqe_seen(&r->ring, cqe);
            // The mount is gone, and so, one after the other, are all entries.
            if (result == -ENOTCONN || result == -ECANCELED) return -ENODEV;
            if (result < 0) return result;
            serve(r, e);
            result = submit(r, e, COMMAND_COMMIT_AND_FETCH, e->header->commit_id);
            if (result < 0) return result;
            served(context);
        }
    }
}
