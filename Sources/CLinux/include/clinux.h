// The system calls that Swift can't spell: variadic, or without a wrapper in glibc 2.36. All return a result >= 0,
// or -errno. They allocate nothing and take no locks, so that each is safe between clone3(2) and execve(2).
#pragma once

#include "clinux_store.h"
#include "container.h"

#include <stdint.h>
#include <sys/xattr.h>  // not in Swift's Glibc module

/// getdents64(2), which is not in Swift's Glibc module. Returns the number of bytes, or the negated errno.
int clinux_read_directory(int fd, void *_Nonnull buffer, uint32_t size);

/// openat2(2) that does not leave `dirfd` and follows no symbolic link at all (RESOLVE_BENEATH |
/// RESOLVE_NO_SYMLINKS, and RESOLVE_NO_XDEV where `same_mount`).
int clinux_open_beneath(int dirfd, const char *_Nonnull path, uint64_t flags, uint32_t mode, int same_mount);

/// openat2(2) with `dirfd` as the root: `..`, absolute links and magic links resolve inside it (RESOLVE_IN_ROOT |
/// RESOLVE_NO_MAGICLINKS).
int clinux_open_in_root(int dirfd, const char *_Nonnull path, uint64_t flags, uint32_t mode);

/// open_tree(2) with OPEN_TREE_CLONE: an O_PATH descriptor of `path` in a mount of its own, without the mounts below
/// it, in which reading changes no access time. Follows symbolic links. EPERM without CAP_SYS_ADMIN.
int clinux_open_tree_copy(const char *_Nonnull path);

/// open_by_handle_at(2): an O_PATH descriptor of the file with the handle of `size` bytes, on the filesystem of the
/// descriptor `mount` (which must not be O_PATH). EINVAL for more than MAX_HANDLE_SZ bytes.
int clinux_open_by_handle(int mount, int type, const void *_Nonnull handle, uint32_t size);

/// renameat2(2). `flags`: RENAME_NOREPLACE 1, RENAME_EXCHANGE 2, RENAME_WHITEOUT 4.
int clinux_renameat2(int olddir, const char *_Nonnull oldname, int newdir, const char *_Nonnull newname,
                     uint32_t flags);

/// ioctl(2) FICLONE: `to` shares all of `from`'s blocks. EOPNOTSUPP or EXDEV where the filesystem can't.
int clinux_clone_file(int to, int from);

/// pidfd_open(2), pidfd_send_signal(2).
int clinux_pidfd_open(int pid);
/// A pidfd of one thread, which need not be the first of its process (Linux 6.9; -EINVAL before).
int clinux_threadfd_open(int tid);
int clinux_pidfd_send_signal(int pidfd, int signal);

/// pipe2(2) with O_CLOEXEC: ends[0] to read, ends[1] to write.
int clinux_pipe(int *_Nonnull ends);

/// syncfs(2): writes all dirty data of the filesystem that `fd` is on.
int clinux_syncfs(int fd);

/// sync_file_range(2): starts writing the file's dirty pages and does not wait.
int clinux_start_writeback(int fd);

// glibc declares these for _GNU_SOURCE only, which Swift's Glibc module does not have.

enum { CLINUX_O_PATH = 010000000, CLINUX_AT_EMPTY_PATH = 0x1000 };
enum { CLINUX_SEEK_DATA = 3, CLINUX_SEEK_HOLE = 4 };
enum { CLINUX_UTIME_NOW = (1 << 30) - 1, CLINUX_UTIME_OMIT = (1 << 30) - 2 };

/// copy_file_range(2), which advances the offsets. Returns a count of bytes.
int64_t clinux_copy_file_range(int from, int64_t *_Nonnull from_offset, int to, int64_t *_Nonnull to_offset,
                               uint64_t count);
/// The f_type of statfs(2): a filesystem's magic number.
int64_t clinux_filesystem_type(int fd);
int clinux_fallocate(int fd, int mode, int64_t offset, int64_t length);
/// FS_IOC_FIEMAP: the next extent that overlaps `*start` to `end` and is allocated on disk, but was never written:
/// 1, and its range. 0: there is none.
int clinux_next_unwritten(int fd, uint64_t *_Nonnull start, uint64_t *_Nonnull stop, uint64_t end);

/// The inode's number and when it was created; 0 where the filesystem does not record that.
struct clinux_birth {
    uint64_t inode;
    int64_t seconds;
    uint32_t nanoseconds;
};

/// statx(2) of `name` in `directory`; an empty name stands for the open file. A symbolic link is not followed.
int clinux_get_birth(int directory, const char *_Nonnull name, struct clinux_birth *_Nonnull birth);

/// ioctl(2) FS_IOC_GETFLAGS and FS_IOC_SETFLAGS: the flags of lsattr(1), FS_*_FL. `fd` must not be O_PATH.
int clinux_get_flags(int fd, uint32_t *_Nonnull flags);
int clinux_set_flags(int fd, uint32_t flags);
enum { CLINUX_IMMUTABLE_FL = 0x10, CLINUX_APPEND_FL = 0x20, CLINUX_FSXATTR_SIZE = 28 };

/// ioctl(2) FS_IOC_FSGETXATTR: a struct fsxattr of CLINUX_FSXATTR_SIZE bytes.
int clinux_get_fsxattr(int fd, void *_Nonnull fsxattr);

/// statx(2): whether `name` in `directory` is immutable; an empty name stands for the open file. A symbolic link is
/// not followed.
int clinux_is_immutable(int directory, const char *_Nonnull name);

/// getdents64(2) of as little as possible, so that the directory `fd`, open for reading, counts as read.
int clinux_touch_directory(int fd);

/// The st_dev of the file at `path`, as the kernel knows it: no daemon of a network filesystem or of FUSE is asked.
int clinux_known_device(const char *_Nonnull path, uint64_t *_Nonnull device);

/// Device numbers between dev_t and the kernel's 32-bit encoding (new_encode_dev):
/// minor & 0xff | major << 8 | (minor & ~0xff) << 12.
uint32_t clinux_encode_device(uint64_t device);
uint64_t clinux_decode_device(uint32_t encoded);

/// Whether this process may set attributes in `trusted.` (CAP_SYS_ADMIN in the initial user namespace). It tries to
/// remove a missing one from a file in memory: fs/xattr.c, xattr_permission.
int clinux_can_set_trusted(void);

/// Whether this thread has CAP_DAC_OVERRIDE, so that it may open any file whatever its mode.
int clinux_can_override_modes(void);

/// Whether this thread has CAP_SYS_ADMIN in its own user namespace: it may mount, and make namespaces of every kind.
int clinux_can_make_namespaces(void);

/// Has this process get `signal` once the thread that started it has ended. -errno.
int clinux_end_with_parent(int signal);

/// Closes all descriptors from `first` on except the `count` ones in `kept`.
void clinux_close_from(int first, const int *_Nonnull kept, int count);

/// Uses a descriptor without effect, in a function that the optimizer does not look into.
void clinux_nothing(int fd);

// Extended attributes of `name` in an open directory, which may be O_PATH. A symbolic link is not followed, and an
// empty name stands for the open file. They return what lgetxattr(2), llistxattr(2), lsetxattr(2) and
// lremovexattr(2) do, or -errno.
ssize_t clinux_get_attribute(int directory, const char *_Nonnull name, const char *_Nonnull attribute,
                             void *_Nullable value, size_t size);
ssize_t clinux_list_attributes(int directory, const char *_Nonnull name, char *_Nullable list, size_t size);
int clinux_set_attribute(int directory, const char *_Nonnull name, const char *_Nonnull attribute,
                         const void *_Nullable value, size_t size, int flags);
int clinux_remove_attribute(int directory, const char *_Nonnull name, const char *_Nonnull attribute);
