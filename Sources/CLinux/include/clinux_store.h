// System calls that only the store and the command line need. As in clinux.h, they return a result >= 0, or -errno.
#pragma once

#include <stdint.h>

/// statx(2), STATX_ATTR_MOUNT_ROOT: 1 where `path` (a symbolic link is not followed) is the root of a mount. No
/// filesystem is asked, so that a mount whose daemon is gone answers as well.
int clinux_is_mount_root(const char *_Nonnull path);

/// ioctl(2) FS_IOC_ENABLE_VERITY with SHA-256, blocks of 4,096 bytes and no salt: the file `fd`, which is open for
/// reading and must not be open for writing anywhere, never changes again. EOPNOTSUPP or ENOTTY where the filesystem
/// can't.
int clinux_enable_verity(int fd);

/// ioctl(2) FS_IOC_MEASURE_VERITY: the 32 bytes of the file's digest, in constant time. ENODATA without fs-verity,
/// EOVERFLOW for a digest of another algorithm.
int clinux_measure_verity(int fd, uint8_t *_Nonnull digest);
