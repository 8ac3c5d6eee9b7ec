#define _GNU_SOURCE
#include "cfuse_end.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

int64_t cfuse_connection_number(const char *target) {
    struct statx root;
    // The kernel's own knowledge is enough, and no daemon answers yet.
    if (statx(AT_FDCWD, target, AT_STATX_DONT_SYNC | AT_SYMLINK_NOFOLLOW, 0, &root) < 0) return -errno;
    return root.stx_dev_major == 0 ? (int64_t)root.stx_dev_minor : -ENODEV;
}

int cfuse_is_connected(int device) {
    struct pollfd watched = {.fd = device};
    int count;
    do count = poll(&watched, 1, 0);
    while (count < 0 && errno == EINTR);
    return count < 0 || !(watched.revents & (POLLERR | POLLNVAL));
}

/// The fusectl filesystem, without mounting it, for when it is not mounted. A descriptor or -errno.
static int control(void) {
    int context = fsopen("fusectl", FSOPEN_CLOEXEC);
    if (context < 0) return -errno;
    int root = fsconfig(context, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0 ? -1 : fsmount(context, FSMOUNT_CLOEXEC, 0);
    int result = root < 0 ? -errno : root;
    close(context);
    return result;
}

/// Opens the connection's file `abort`, or -errno.
static int open_abort(int64_t number) {
    char path[64];
    snprintf(path, sizeof path, "/sys/fs/fuse/connections/%lld/abort", (long long)number);
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd >= 0) return fd;
    int reason = -errno;
    int root = control();
    // Without privileges only the mounted one can be used, and its error says why not.
    if (root < 0) return reason == -ENOENT ? root : reason;
    snprintf(path, sizeof path, "%lld/abort", (long long)number);
    fd = openat(root, path, O_WRONLY | O_CLOEXEC);
    if (fd < 0) fd = -errno;
    close(root);
    return fd;
}

int cfuse_abort(int device, int64_t number) {
    int fd = open_abort(number);
    // The number of a connection that has ended may belong to another. If this one is alive now, the file opened
    // before is its own, and stays so.
    int result = cfuse_is_connected(device) ? fd < 0 ? fd : write(fd, "1", 1) < 0 ? -errno : 0 : 0;
    if (fd >= 0) close(fd);
    return result;
}
