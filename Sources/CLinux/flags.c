#define _GNU_SOURCE
#include "clinux.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

_Static_assert(sizeof(struct fsxattr) == CLINUX_FSXATTR_SIZE, "struct fsxattr has 28 bytes");
_Static_assert(CLINUX_APPEND_FL == FS_APPEND_FL && CLINUX_IMMUTABLE_FL == FS_IMMUTABLE_FL, "as <linux/fs.h> has them");

int clinux_get_flags(int fd, uint32_t *flags) {
    // The request's number says long, but the value is an int.
    int value = 0;
    if (ioctl(fd, FS_IOC_GETFLAGS, &value) < 0) return -errno;
    *flags = (uint32_t)value;
    return 0;
}

int clinux_set_flags(int fd, uint32_t flags) {
    int value = (int)flags;
    return ioctl(fd, FS_IOC_SETFLAGS, &value) < 0 ? -errno : 0;
}

int clinux_get_fsxattr(int fd, void *fsxattr) { return ioctl(fd, FS_IOC_FSGETXATTR, fsxattr) < 0 ? -errno : 0; }

int clinux_is_immutable(int directory, const char *name) {
    struct statx status;
    if (statx(directory, name, AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH, STATX_INO, &status) < 0) return -errno;
    return (status.stx_attributes & STATX_ATTR_IMMUTABLE) != 0;
}
