#define _GNU_SOURCE
#include "clinux.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/mount.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

static int result(long value) { return value < 0 ? -errno : (int)value; }

static int open_how(int dirfd, const char *path, uint64_t flags, uint32_t mode, uint64_t resolve) {
    struct open_how how = {.flags = flags, .mode = mode, .resolve = resolve};
    int opened, tries = 0;
    // EAGAIN: something was renamed or mounted somewhere while `..` was walked, which is to be tried again (openat2(2)).
    // Not for ever: what is opened may answer so by itself.
    do opened = result(syscall(SYS_openat2, dirfd, path, &how, sizeof how));
    while (opened == -EAGAIN && ++tries < 1000);
    return opened;
}

int clinux_open_beneath(int dirfd, const char *path, uint64_t flags, uint32_t mode, int same_mount) {
    uint64_t resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS;
    return open_how(dirfd, path, flags, mode, same_mount ? resolve | RESOLVE_NO_XDEV : resolve);
}

int clinux_open_in_root(int dirfd, const char *path, uint64_t flags, uint32_t mode) {
    return open_how(dirfd, path, flags, mode, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS);
}

int clinux_open_tree_copy(const char *path) {
    return result(syscall(SYS_open_tree, AT_FDCWD, path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC));
}

int clinux_open_by_handle(int mount, int type, const void *handle, uint32_t size) {
    union {
        struct file_handle handle;
        char space[sizeof(struct file_handle) + MAX_HANDLE_SZ];
    } buffer;
    if (size > MAX_HANDLE_SZ) return -EINVAL;
    buffer.handle.handle_bytes = size;
    buffer.handle.handle_type = type;
    memcpy(buffer.handle.f_handle, handle, size);
    return result(open_by_handle_at(mount, &buffer.handle, O_PATH | O_CLOEXEC));
}

int clinux_renameat2(int olddir, const char *oldname, int newdir, const char *newname, uint32_t flags) {
    return result(syscall(SYS_renameat2, olddir, oldname, newdir, newname, flags));
}

int clinux_clone_file(int to, int from) { return result(ioctl(to, FICLONE, from)); }

int clinux_pidfd_open(int pid) { return result(syscall(SYS_pidfd_open, pid, 0)); }

int clinux_pidfd_send_signal(int pidfd, int signal) {
    return result(syscall(SYS_pidfd_send_signal, pidfd, signal, 0, 0));
}

int clinux_pipe(int *ends) { return result(pipe2(ends, O_CLOEXEC)); }

int64_t clinux_copy_file_range(int from, int64_t *from_offset, int to, int64_t *to_offset, uint64_t count) {
    ssize_t copied = copy_file_range(from, from_offset, to, to_offset, count, 0);
    return copied < 0 ? -errno : copied;
}

int clinux_fallocate(int fd, int mode, int64_t offset, int64_t length) {
    return result(fallocate(fd, mode, offset, length));
}

uint32_t clinux_encode_device(uint64_t device) {
    uint32_t high = major(device), low = minor(device);
    return (low & 0xff) | high << 8 | (low & ~0xffu) << 12;
}

uint64_t clinux_decode_device(uint32_t encoded) {
    return makedev(encoded >> 8 & 0xfff, (encoded & 0xff) | (encoded >> 12 & 0xfff00));
}

int64_t clinux_filesystem_type(int fd) {
    struct statfs status;
    return fstatfs(fd, &status) < 0 ? -errno : (int64_t)(uint32_t)status.f_type;
}
