#define _GNU_SOURCE
#include "cfuse.h"

#include <errno.h>
#include <linux/fuse.h>
#include <poll.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

/// fuse_init_out as of 7.40: still 64 bytes, with names for what was unused.
struct init_out {
    uint32_t major, minor, max_readahead, flags;
    uint16_t max_background, congestion_threshold;
    uint32_t max_write, time_gran;
    uint16_t max_pages, map_alignment;
    uint32_t flags2, max_stack_depth;
    uint16_t request_timeout, unused[11];
};
_Static_assert(sizeof(struct init_out) == 64, "fuse_init_out has 64 bytes");

/// The newest protocol of which this file knows every message that the kernel sends under our flags.
enum { NEWEST_MINOR = 40 };

enum { REQUEST_SIZE = CFUSE_BUFFER_SIZE - CFUSE_DATA_SIZE };

/// Since 7.39.
enum { REQUEST_STATX = 52 };

static __thread const char *current_request;
static __thread int is_temporary, is_statx;
static __thread uint32_t setxattr_flags;
static __thread struct cfuse_route *current_route;

int cfuse_create_is_temporary(void) { return is_temporary; }

int cfuse_getattr_is_statx(void) { return is_statx; }

int cfuse_setxattr_kills_setgid(void) { return (setxattr_flags & FUSE_SETXATTR_ACL_KILL_SGID) != 0; }

/// Rewrites what libfuse 3.14 cannot decode; returns the request's new size.
static size_t translate(struct fuse_in_header *header, size_t size) {
    is_temporary = header->opcode == FUSE_TMPFILE;
    // The same arguments as CREATE, and the same reply (fs/fuse/dir.c: fuse_create_open).
    if (is_temporary) header->opcode = FUSE_CREATE;
    is_statx = header->opcode == REQUEST_STATX;
    // fuse_statx_in begins like fuse_getattr_in; the rest says which fields are wanted, and the reply has all.
    if (is_statx) header->opcode = FUSE_GETATTR;
    setxattr_flags = 0;
    if (header->opcode == FUSE_SETXATTR && size >= sizeof *header + sizeof(struct fuse_setxattr_in)) {
        // With SETXATTR_EXT, of which libfuse does not know, the arguments are eight bytes longer.
        struct fuse_setxattr_in *in = (void *)(header + 1);
        size_t extra = sizeof *in - FUSE_COMPAT_SETXATTR_IN_SIZE;
        setxattr_flags = in->setxattr_flags;
        memmove((char *)in + FUSE_COMPAT_SETXATTR_IN_SIZE, in + 1, size - sizeof *header - sizeof *in);
        size -= extra;
        header->len = (uint32_t)size;
    }
    return size;
}
static __thread void *current_data;

static const void *body(void) { return current_request + sizeof(struct fuse_in_header); }

int cfuse_write_kills_privileges(void) {
    return (((const struct fuse_write_in *)body())->write_flags & FUSE_WRITE_KILL_SUIDGID) != 0;
}

int cfuse_write_is_cached(void) {
    return (((const struct fuse_write_in *)body())->write_flags & FUSE_WRITE_CACHE) != 0;
}

int cfuse_setattr_kills_privileges(void) {
    return (((const struct fuse_setattr_in *)body())->valid & FATTR_KILL_SUIDGID) != 0;
}

int cfuse_open_kills_privileges(void) {
    // fuse_create_in has its open_flags elsewhere, and a new file has no bits to drop.
    const struct fuse_in_header *header = (const void *)current_request;
    return header->opcode == FUSE_OPEN &&
           (((const struct fuse_open_in *)body())->open_flags & FUSE_OPEN_KILL_SUIDGID) != 0;
}

static ssize_t send_init(struct cfuse_connection *c, const struct fuse_out_header *libfuse_header) {
    uint64_t flags = c->wanted_flags & c->kernel_flags;
    c->has_rings = (flags >> CFUSE_OVER_IO_URING & 1) != 0;
    struct init_out out = {
        .major = FUSE_KERNEL_VERSION,
        .minor = c->kernel_minor < NEWEST_MINOR ? c->kernel_minor : NEWEST_MINOR,
        // The kernel takes the minimum of this and the mount's setting.
        .max_readahead = CFUSE_DATA_SIZE,
        .flags = (uint32_t)flags,
        .flags2 = (uint32_t)(flags >> 32),
        .max_background = 64,
        .congestion_threshold = 48,
        .max_write = 1 << 20,
        .time_gran = 1,
        .max_pages = 256,
        .max_stack_depth = c->max_stack_depth,
    };
    c->has_setxattr_ext = (flags & FUSE_SETXATTR_EXT) != 0;
    struct fuse_out_header header = *libfuse_header;
    header.len = sizeof header + sizeof out;
    struct iovec iov[2] = {{&header, sizeof header}, {&out, sizeof out}};
    ssize_t sent = writev(c->fd, iov, 2);
    if (sent < 0) return sent;
    // libfuse compares with the size it meant to send.
    return libfuse_header->len;
}

static ssize_t send_reply(int fd, struct iovec *iov, int count, void *userdata) {
    struct cfuse_connection *c = userdata;
    const struct fuse_out_header *header = iov[0].iov_base;
    if (c->init_unique && header->unique == c->init_unique) {
        c->init_unique = 0;
        if (header->error == 0) return send_init(c, header);
    }
    ssize_t sent;
    // A notification is not a reply.
    if (current_route && header->unique != 0 && current_route->reply(current_route, iov, count, &sent)) return sent;
    return writev(fd, iov, count);
}

static ssize_t receive(int fd, void *buffer, size_t size, void *userdata) {
    (void)userdata;
    return read(fd, buffer, size);
}

int cfuse_start(struct cfuse_connection *c, const struct fuse_lowlevel_ops *operations, int is_debugging) {
    char *arguments[] = {"micafs", "-d", NULL};
    struct fuse_args args = {.argc = is_debugging ? 2 : 1, .argv = arguments};
    c->session = fuse_session_new(&args, operations, sizeof *operations, c);
    return c->session ? 0 : -ENOMEM;
}

int cfuse_attach(struct cfuse_connection *c, int fd) {
    static const struct fuse_custom_io io = {.writev = send_reply, .read = receive};
    c->fd = fd;
    return fuse_session_custom_io(c->session, &io, fd);
}

void cfuse_process(struct cfuse_connection *c, void *request, size_t size, struct cfuse_route *route) {
    const struct fuse_in_header *header = request;
    if (c->has_setxattr_ext || header->opcode != FUSE_SETXATTR) size = translate(request, size);
    current_request = request;
    current_route = route;
    struct fuse_buf message = {.mem = request, .size = size};
    fuse_session_process_buf(c->session, &message);
    current_route = NULL;
}

void *cfuse_data_buffer(void) {
    return current_route && current_route->payload ? current_route->payload : current_data;
}

int cfuse_is_asked(struct cfuse_connection *c) {
    struct pollfd fd = {.fd = c->fd, .events = POLLIN};
    return poll(&fd, 1, 0) != 0;
}

int cfuse_spin(struct cfuse_connection *c, int nanoseconds) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    int64_t end = now.tv_sec * 1000000000LL + now.tv_nsec + nanoseconds;
    while (1) {
        if (cfuse_is_asked(c)) return 1;
        clock_gettime(CLOCK_MONOTONIC, &now);
        if (now.tv_sec * 1000000000LL + now.tv_nsec >= end) return 0;
    }
}

uint32_t cfuse_request_caller(const void *request) { return ((const struct fuse_in_header *)request)->pid; }

int cfuse_request_is_waited_for(const void *request) {
    uint32_t operation = ((const struct fuse_in_header *)request)->opcode;
    return operation != FUSE_FORGET && operation != FUSE_BATCH_FORGET && operation != FUSE_INTERRUPT;
}

ssize_t cfuse_read_request(struct cfuse_connection *c, void *buffer) {
    ssize_t size = read(c->fd, buffer, REQUEST_SIZE);
    // ENOENT: the request was cancelled during the read.
    if (size < 0) return errno == EINTR || errno == EAGAIN || errno == ENOENT ? 0 : -errno;
    return (size_t)size < sizeof(struct fuse_in_header) ? -EIO : size;
}

int cfuse_serve_request(struct cfuse_connection *c, void *buffer, size_t size, struct cfuse_route *route) {
    const struct fuse_in_header *header = buffer;
    if (header->opcode == FUSE_INIT && size >= sizeof *header + 16) {
        const struct fuse_init_in *init = (const void *)(header + 1);
        c->kernel_minor = init->minor;
        c->kernel_flags = init->flags;
        if ((init->flags & FUSE_INIT_EXT) && size >= sizeof *header + sizeof *init)
            c->kernel_flags |= (uint64_t)init->flags2 << 32;
        c->init_unique = header->unique;
    }
    current_data = (char *)buffer + REQUEST_SIZE;
    int had_rings = c->has_rings;
    cfuse_process(c, buffer, size, route);
    return header->opcode == FUSE_INIT && c->has_rings && !had_rings;
}

int cfuse_fork(void) {
    pid_t pid = fork();
    return pid < 0 ? -errno : pid;
}

int cfuse_unshare(void) { return unshare(CLONE_FS) < 0 ? -errno : 0; }
