#define _GNU_SOURCE
#include "clinux.h"
#include "kernel_calls.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

static int result(long value) { return value < 0 ? -errno : (int)value; }

int clinux_open_beneath(int dirfd, const char *path, uint64_t flags, uint32_t mode, int same_mount) {
    return kernel_open(dirfd, path, flags, mode, KERNEL_BENEATH | (same_mount ? RESOLVE_NO_XDEV : 0));
}

int clinux_read_directory(int fd, void *buffer, uint32_t size) { return result(getdents64(fd, buffer, size)); }

int clinux_open_in_root(int dirfd, const char *path, uint64_t flags, uint32_t mode) {
    return kernel_open(dirfd, path, flags, mode, KERNEL_IN_ROOT);
}

int clinux_new_filesystem(const char *type, const char *const *options, uint64_t attributes) {
    return kernel_new_filesystem(type, options, attributes);
}

int clinux_open_tree_copy(const char *path) {
    int tree = result(syscall(SYS_open_tree, AT_FDCWD, path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC));
    // As kernel overlayfs does with its lowers. Where this fails, reading changes access times.
    struct mount_attr quiet = {.attr_set = MOUNT_ATTR_NOATIME, .attr_clr = MOUNT_ATTR__ATIME};
    if (tree >= 0) syscall(SYS_mount_setattr, tree, "", AT_EMPTY_PATH, &quiet, sizeof quiet);
    return tree;
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

// PIDFD_THREAD is O_EXCL.
int clinux_threadfd_open(int tid) { return result(syscall(SYS_pidfd_open, tid, O_EXCL)); }

int clinux_pidfd_send_signal(int pidfd, int signal) {
    return result(syscall(SYS_pidfd_send_signal, pidfd, signal, 0, 0));
}

int clinux_pipe(int *ends) { return result(pipe2(ends, O_CLOEXEC)); }

int64_t clinux_copy_file_range(int from, int64_t *from_offset, int to, int64_t *to_offset, uint64_t count) {
    ssize_t copied = copy_file_range(from, from_offset, to, to_offset, count, 0);
    return copied < 0 ? -errno : copied;
}

int clinux_get_birth(int directory, const char *name, struct clinux_birth *birth) {
    struct statx status;
    int flags = AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH;
    if (statx(directory, name, flags, STATX_INO | STATX_BTIME, &status) < 0) return -errno;
    *birth = (struct clinux_birth){.inode = status.stx_ino};
    if (status.stx_mask & STATX_BTIME) {
        birth->seconds = status.stx_btime.tv_sec;
        birth->nanoseconds = status.stx_btime.tv_nsec;
    }
    return 0;
}

int clinux_fallocate(int fd, int mode, int64_t offset, int64_t length) {
    return result(fallocate(fd, mode, offset, length));
}

int clinux_touch_directory(int fd) {
    char entry[512];
    return result(syscall(SYS_getdents64, fd, entry, sizeof entry));
}

int clinux_next_unwritten(int fd, uint64_t *start, uint64_t *stop, uint64_t end) {
    enum { COUNT = 64 };
    // Room for the extents behind it.
    union {
        struct fiemap head;
        char bytes[sizeof(struct fiemap) + COUNT * sizeof(struct fiemap_extent)];
    } map;
    uint64_t position = *start;
    while (position < end) {
        memset(&map, 0, sizeof map.head);
        map.head.fm_start = position;
        map.head.fm_length = end - position;
        map.head.fm_extent_count = COUNT;
        if (ioctl(fd, FS_IOC_FIEMAP, &map.head) < 0) return -errno;
        if (map.head.fm_mapped_extents == 0) return 0;
        for (uint32_t i = 0; i < map.head.fm_mapped_extents; i++) {
            const struct fiemap_extent *extent = &map.head.fm_extents[i];
            uint64_t after = extent->fe_logical + extent->fe_length;
            if (after <= position) return -EIO;
            if (extent->fe_flags & FIEMAP_EXTENT_UNWRITTEN) {
                *start = extent->fe_logical > position ? extent->fe_logical : position;
                *stop = after < end ? after : end;
                return *start < *stop;
            }
            if (extent->fe_flags & FIEMAP_EXTENT_LAST) return 0;
            position = after;
        }
    }
    return 0;
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
