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
    // What the kernel knows is enough, and nobody answers yet.
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

/// The filesystem of connections without having it in any tree, where nobody has mounted it. Or -errno.
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
    // Without privileges only what is mounted can be asked, and says why not.
    if (root < 0) return reason == -ENOENT ? root : reason;
    snprintf(path, sizeof path, "%lld/abort", (long long)number);
    fd = openat(root, path, O_WRONLY | O_CLOEXEC);
    if (fd < 0) fd = -errno;
    close(root);
    return fd;
}

int cfuse_abort(int device, int64_t number) {
    int fd = open_abort(number);
    // The number of one that has ended may be another one's: while this one lives, what was opened is its own, and
    // goes on to be.
    int result = cfuse_is_connected(device) ? fd < 0 ? fd : write(fd, "1", 1) < 0 ? -errno : 0 : 0;
    if (fd >= 0) close(fd);
    return result;
}
