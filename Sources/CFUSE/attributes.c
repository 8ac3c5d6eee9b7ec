#define _GNU_SOURCE
#include "cfuse.h"

#include <linux/fs.h>
#include <sys/stat.h>

// Since Linux 6.6 (include/uapi/linux/fuse.h, 7.39); the distribution's headers are older.

struct sx_time {
    int64_t seconds;
    uint32_t nanoseconds;
    int32_t reserved;
};

/// fuse_statx_out with its fuse_statx.
struct statx_out {
    uint64_t attr_valid;
    uint32_t attr_valid_nsec, flags;
    uint64_t spare[2];
    uint32_t mask, blksize;
    uint64_t attributes;
    uint32_t nlink, uid, gid;
    uint16_t mode, spare0;
    uint64_t ino, size, blocks, attributes_mask;
    struct sx_time atime, btime, ctime, mtime;
    uint32_t rdev_major, rdev_minor, dev_major, dev_minor;
    uint64_t spare2[14];
};
_Static_assert(sizeof(struct statx_out) == 288, "fuse_statx_out has 288 bytes");

static struct sx_time time_of(const struct timespec *time) {
    return (struct sx_time){.seconds = time->tv_sec, .nanoseconds = (uint32_t)time->tv_nsec};
}

int cfuse_reply_statx(
    fuse_req_t request, const struct stat *attr, double timeout, int has_birth, int64_t birth, uint32_t birth_nanoseconds
) {
    // libfuse passes device numbers on in the kernel's 32-bit encoding.
    uint32_t rdev = (uint32_t)attr->st_rdev;
    struct statx_out out = {
        .attr_valid = (uint64_t)timeout,
        .mask = STATX_BASIC_STATS | (has_birth ? STATX_BTIME : 0),
        .blksize = (uint32_t)attr->st_blksize,
        .nlink = (uint32_t)attr->st_nlink,
        .uid = attr->st_uid,
        .gid = attr->st_gid,
        .mode = (uint16_t)attr->st_mode,
        .ino = attr->st_ino,
        .size = (uint64_t)attr->st_size,
        .blocks = (uint64_t)attr->st_blocks,
        .atime = time_of(&attr->st_atim),
        .btime = {.seconds = birth, .nanoseconds = birth_nanoseconds},
        .ctime = time_of(&attr->st_ctim),
        .mtime = time_of(&attr->st_mtim),
        .rdev_major = rdev >> 8 & 0xfff,
        .rdev_minor = (rdev & 0xff) | (rdev >> 12 & 0xfff00),
    };
    return fuse_reply_buf(request, (const char *)&out, sizeof out);
}

unsigned cfuse_ioctl_get_flags(void) { return FS_IOC_GETFLAGS; }
unsigned cfuse_ioctl_set_flags(void) { return FS_IOC_SETFLAGS; }
unsigned cfuse_ioctl_get_fsxattr(void) { return FS_IOC_FSGETXATTR; }
unsigned cfuse_ioctl_set_fsxattr(void) { return FS_IOC_FSSETXATTR; }
