#define _GNU_SOURCE
#include "clinux_store.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fsverity.h>
#include <stddef.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

int clinux_is_mount_root(const char *path) {
    struct statx status;
    int flags = AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | AT_STATX_DONT_SYNC;
    if (statx(AT_FDCWD, path, flags, 0, &status) < 0) {
        // The daemon of the mount at `path` is gone.
        if (errno == ENOTCONN || errno == ECONNABORTED) return 1;
        return -errno;
    }
    return (status.stx_attributes & STATX_ATTR_MOUNT_ROOT) != 0;
}

int clinux_enable_verity(int fd) {
    struct fsverity_enable_arg argument = {
        .version = 1, .hash_algorithm = FS_VERITY_HASH_ALG_SHA256, .block_size = 4096};
    return ioctl(fd, FS_IOC_ENABLE_VERITY, &argument) < 0 ? -errno : 0;
}

int clinux_measure_verity(int fd, uint8_t *digest) {
    union {
        struct fsverity_digest digest;
        char space[offsetof(struct fsverity_digest, digest) + 32];
    } measured = {.digest = {.digest_size = 32}};
    if (ioctl(fd, FS_IOC_MEASURE_VERITY, &measured.digest) < 0) return -errno;
    if (measured.digest.digest_algorithm != FS_VERITY_HASH_ALG_SHA256 || measured.digest.digest_size != 32)
        return -EOVERFLOW;
    memcpy(digest, measured.space + offsetof(struct fsverity_digest, digest), 32);
    return 0;
}
