// Mounting: by mount(2) where this process may, else by fusermount3, which is set-uid root. cfuse_end.h ends a mount
// in every namespace.
#pragma once

#include <stdint.h>

/// mount(2) of the open /dev/fuse `fd` at `target`. `type` without "fuse."; `flags`: MS_*; `options`: more mount
/// data, separated by commas, or empty. 0, or -errno.
int cfuse_mount(int fd, const char *_Nonnull source, const char *_Nonnull type, const char *_Nonnull target,
                uint64_t flags, const char *_Nonnull options);

/// Sets how much the kernel reads ahead in the mount at `target`, which need not be served yet. 0, or -errno.
int cfuse_read_ahead(const char *_Nonnull target, unsigned kilobytes);

/// Makes fusermount3 mount at `target` with `options` (as for -o). The open /dev/fuse, or -errno: -EPROTO where
/// fusermount3 ran and refused, after saying why on stderr.
int cfuse_fusermount(const char *_Nonnull target, const char *_Nonnull options);

/// Makes fusermount3 unmount `target` lazily. 0, or -errno.
int cfuse_fusermount_unmount(const char *_Nonnull target);
