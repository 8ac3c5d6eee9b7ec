// libfuse's low-level interface, and its parts that Swift can't use directly.
//
// libfuse decodes and dispatches requests. Reading, writing and the reply to INIT are done here, because the
// distribution's libfuse does not know the flags of newer kernels.
#pragma once

#define FUSE_USE_VERSION 314
#include <fuse3/fuse_lowlevel.h>
#include <sys/uio.h>

/// One mount's connection to the kernel. `fuse_req_userdata` of its requests returns it.
struct cfuse_connection {
    /// The Swift object that serves it, unretained.
    void *_Nullable owner;
    struct fuse_session *_Nullable session;
    int fd;
    /// The INIT request, until it is answered.
    uint64_t init_unique;
    uint32_t kernel_minor;
    uint64_t kernel_flags;
    /// The flags to ask for, of which those that the kernel offers are used. Bits from 32 up are flags2.
    uint64_t wanted_flags;
    /// The number of stacked filesystems below the mount that the kernel accepts in passthrough mode.
    uint32_t max_stack_depth;
    /// Whether SETXATTR requests have flags of their own.
    int has_setxattr_ext;
    /// Whether requests come by io_uring, known after INIT. The kernel waits until every queue has an entry.
    int has_rings;
};

/// Flags of FUSE_INIT that the distribution's <linux/fuse.h> (7.38) lacks or numbers only in the kernel's own.
enum {
    CFUSE_ASYNC_READ = 0,
    CFUSE_ATOMIC_O_TRUNC = 3,
    CFUSE_EXPORT_SUPPORT = 4,
    CFUSE_BIG_WRITES = 5,
    CFUSE_DONT_MASK = 6,
    CFUSE_DO_READDIRPLUS = 13,
    CFUSE_WRITEBACK_CACHE = 16,
    CFUSE_PARALLEL_DIROPS = 18,
    CFUSE_POSIX_ACL = 20,
    CFUSE_MAX_PAGES = 22,
    CFUSE_CACHE_SYMLINKS = 23,
    CFUSE_EXPLICIT_INVAL_DATA = 25,
    CFUSE_HANDLE_KILLPRIV_V2 = 28,
    CFUSE_SETXATTR_EXT = 29,
    CFUSE_INIT_EXT = 30,
    CFUSE_PASSTHROUGH = 37,
    CFUSE_HAS_RESEND = 39,
    CFUSE_OVER_IO_URING = 41,
};

/// FOPEN_* of the reply to an open; the last one came with Linux 6.9.
enum cfuse_open_flags {
    CFUSE_FOPEN_KEEP_CACHE = 1 << 1,
    CFUSE_FOPEN_NOFLUSH = 1 << 5,
    CFUSE_FOPEN_PASSTHROUGH = 1 << 7,
};

/// Replies to OPEN and CREATE with a backing file's number, which libfuse before 3.17 can't. 0, or -errno.
int cfuse_reply_open(fuse_req_t _Nullable request, uint32_t flags, int32_t backing);
int cfuse_reply_create(fuse_req_t _Nullable request, const struct fuse_entry_param *_Nonnull entry, uint32_t flags, int32_t backing);

/// Registers the open file `fd` for passthrough (FUSE_DEV_IOC_BACKING_OPEN): its number, above 0, or -errno.
int cfuse_backing_open(const struct cfuse_connection *_Nonnull connection, int fd);
/// Unregisters a number; open files go on working.
void cfuse_backing_close(const struct cfuse_connection *_Nonnull connection, int32_t backing);

/// Prepares the libfuse session; with `is_debugging` it writes every request to stderr. 0, or -errno.
int cfuse_start(struct cfuse_connection *_Nonnull connection, const struct fuse_lowlevel_ops *_Nonnull operations,
                int is_debugging);

/// Gives the session the open /dev/fuse `fd`, which stays the caller's. 0, or -errno.
int cfuse_attach(struct cfuse_connection *_Nonnull connection, int fd);

/// The size of a buffer for `cfuse_read_request`: the largest request with its header, and the data of a reply.
enum { CFUSE_DATA_SIZE = 1 << 20, CFUSE_BUFFER_SIZE = CFUSE_DATA_SIZE + 4096 + CFUSE_DATA_SIZE };

/// Where the reply goes to the request that this thread is serving.
struct cfuse_route {
    /// Receives the reply. 1: it took the reply, whose size is in `sent`. 0: the reply is written to /dev/fuse now.
    int (*_Nonnull reply)(struct cfuse_route *_Nonnull route, const struct iovec *_Nonnull iov, int count,
                          ssize_t *_Nonnull sent);
    /// For `reply`.
    void *_Nullable context;
    /// Where the data of a reply goes, CFUSE_DATA_SIZE bytes; NULL: the buffer that the request is in.
    void *_Nullable payload;
};

/// Reads one request into `buffer`. Its size; 0 where it was cancelled; -errno: -ENODEV after an unmount.
ssize_t cfuse_read_request(struct cfuse_connection *_Nonnull connection, void *_Nonnull buffer);

/// Serves the request in such a buffer on this thread. 0; 1 where that was INIT and rings were granted.
int cfuse_serve_request(struct cfuse_connection *_Nonnull connection, void *_Nonnull buffer, size_t size,
                        struct cfuse_route *_Nullable route);

/// Makes libfuse decode and serve one whole request on this thread.
void cfuse_process(struct cfuse_connection *_Nonnull connection, void *_Nonnull request, size_t size,
                   struct cfuse_route *_Nullable route);

/// The thread that made a request, by its number in the mount's PID namespace; 0 where it has none there.
uint32_t cfuse_request_caller(const void *_Nonnull request);

/// Whether a thread waits for the reply: not so for requests that the kernel makes by itself (FORGET, INTERRUPT).
int cfuse_request_is_waited_for(const void *_Nonnull request);

/// Where this thread puts the data of a reply, CFUSE_DATA_SIZE bytes. It must be sent before the next request.
void *_Nonnull cfuse_data_buffer(void);

/// Whether a request waits to be read.
int cfuse_is_asked(struct cfuse_connection *_Nonnull connection);

/// Spins for a request for so many nanoseconds. Returns whether there is one.
int cfuse_spin(struct cfuse_connection *_Nonnull connection, int nanoseconds);

/// Whether set-id bits and capabilities must be dropped for the request that this thread is serving
/// (FUSE_WRITE_KILL_SUIDGID, FATTR_KILL_SUIDGID), which libfuse 3.14 does not pass on.
int cfuse_write_kills_privileges(void);
int cfuse_setattr_kills_privileges(void);
/// Whether the written data comes from the page cache (FUSE_WRITE_CACHE).
int cfuse_write_is_cached(void);
/// The same for an open that truncates (FUSE_OPEN_KILL_SUIDGID).
int cfuse_open_kills_privileges(void);

/// Whether the create that this thread is serving is one without a name (FUSE_TMPFILE), and whether setting an ACL
/// must drop the set-group-id bit (FUSE_SETXATTR_ACL_KILL_SGID).
int cfuse_create_is_temporary(void);
int cfuse_setxattr_kills_setgid(void);

/// Whether the request that this thread is serving, which libfuse takes for a GETATTR, is a STATX (Linux 6.6), and
/// so needs `cfuse_reply_statx`.
int cfuse_getattr_is_statx(void);

/// Replies to a STATX with all attributes of stat(2), valid for so many seconds, and with the time of creation where
/// `has_birth`. 0, or -errno.
int cfuse_reply_statx(fuse_req_t _Nullable request, const struct stat *_Nonnull attr, double timeout, int has_birth,
                      int64_t birth, uint32_t birth_nanoseconds);

/// Numbers of ioctls: FS_IOC_GETFLAGS, FS_IOC_SETFLAGS, FS_IOC_FSGETXATTR, FS_IOC_FSSETXATTR.
unsigned cfuse_ioctl_get_flags(void);
unsigned cfuse_ioctl_set_flags(void);
unsigned cfuse_ioctl_get_fsxattr(void);
unsigned cfuse_ioctl_set_fsxattr(void);

/// fork(2), which Swift forbids, for a process with one thread only. Like fork: 0 in the child.
int cfuse_fork(void);

/// unshare(CLONE_FS): gives this thread its own umask and working directory. 0, or -errno.
int cfuse_unshare(void);
