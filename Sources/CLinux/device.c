#define _GNU_SOURCE
#include "clinux.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

int clinux_known_device(const char *path, uint64_t *device) {
    struct statx status;
    if (statx(AT_FDCWD, path, AT_STATX_DONT_SYNC, 0, &status) < 0) return -errno;
    *device = makedev(status.stx_dev_major, status.stx_dev_minor);
    return 0;
}
