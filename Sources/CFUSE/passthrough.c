#define _GNU_SOURCE
#include "cfuse.h"

#include <errno.h>
#include <linux/fuse.h>
#include <string.h>
#include <sys/ioctl.h>

// Since Linux 6.9 (include/uapi/linux/fuse.h); the distribution's headers are older.

/// fuse_backing_map.
struct backing_map {
    int32_t fd;
    uint32_t flags;
    uint64_t padding;
};
#define DEVICE_BACKING_OPEN _IOW(229, 1, struct backing_map)
#define DEVICE_BACKING_CLOSE _IOW(229, 2, uint32_t)

/// fuse_open_out, of which the last field was padding.
struct open_out {
    uint64_t fh;
    uint32_t open_flags;
    int32_t backing;
};

int cfuse_backing_open(const struct cfuse_connection *c, int fd) {
    struct backing_map map = {.fd = fd};
    int number = ioctl(c->fd, DEVICE_BACKING_OPEN, &map);
    return number < 0 ? -errno : number;
}

void cfuse_backing_close(const struct cfuse_connection *c, int32_t backing) {
    uint32_t number = (uint32_t)backing;
    ioctl(c->fd, DEVICE_BACKING_CLOSE, &number);
}

int cfuse_reply_open(fuse_req_t request, uint32_t flags, int32_t backing) {
    struct open_out out = {.open_flags = flags, .backing = backing};
    return fuse_reply_buf(request, (const char *)&out, sizeof out);
}

static uint64_t seconds_of(double timeout) { return (uint64_t)timeout; }

int cfuse_reply_create(fuse_req_t request, const struct fuse_entry_param *entry, uint32_t flags, int32_t backing) {
    const struct stat *attr = &entry->attr;
    struct {
        struct fuse_entry_out entry;
        struct open_out open;
    } out = {
        .entry =
            {
                .nodeid = entry->ino,
                .generation = entry->generation,
                .entry_valid = seconds_of(entry->entry_timeout),
                .attr_valid = seconds_of(entry->attr_timeout),
                .attr =
                    {
                        .ino = attr->st_ino,
                        .size = (uint64_t)attr->st_size,
                        .blocks = (uint64_t)attr->st_blocks,
                        .atime = (uint64_t)attr->st_atim.tv_sec,
                        .mtime = (uint64_t)attr->st_mtim.tv_sec,
                        .ctime = (uint64_t)attr->st_ctim.tv_sec,
                        .atimensec = (uint32_t)attr->st_atim.tv_nsec,
                        .mtimensec = (uint32_t)attr->st_mtim.tv_nsec,
                        .ctimensec = (uint32_t)attr->st_ctim.tv_nsec,
                        .mode = attr->st_mode,
                        .nlink = (uint32_t)attr->st_nlink,
                        .uid = attr->st_uid,
                        .gid = attr->st_gid,
                        .rdev = (uint32_t)attr->st_rdev,
                        .blksize = (uint32_t)attr->st_blksize,
                    },
            },
        .open = {.open_flags = flags, .backing = backing},
    };
    return fuse_reply_buf(request, (const char *)&out, sizeof out);
}
