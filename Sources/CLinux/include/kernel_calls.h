// openat2(2) and fsopen(2), inline: for programs with this library, and for mica-enter, which links none.
#pragma once

#include <errno.h>
#include <linux/openat2.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

/// openat2(2) with `resolve`: RESOLVE_*. -errno.
static inline int kernel_open(int dirfd, const char *_Nonnull path, uint64_t flags, uint32_t mode, uint64_t resolve) {
    struct open_how how = {.flags = flags, .mode = mode, .resolve = resolve};
    long opened;
    int tries = 0;
    // EAGAIN: something was renamed or mounted while `..` was resolved, so the call is repeated (openat2(2)). Not
    // for ever, because the opened file itself may answer so.
    do opened = syscall(SYS_openat2, dirfd, path, &how, sizeof how);
    while (opened < 0 && errno == EAGAIN && ++tries < 1000);
    return opened < 0 ? -errno : (int)opened;
}

/// Does not leave `dirfd`, and follows no symbolic link at all.
enum { KERNEL_BENEATH = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS };
/// `dirfd` is the root: `..`, absolute links and magic links resolve inside it.
enum { KERNEL_IN_ROOT = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS };

/// A new filesystem of `type` that is not mounted anywhere: a descriptor of its root directory, or -errno.
/// `options`: key, value, …, NULL, for fsconfig(2); an empty value is a flag. `attributes`: MOUNT_ATTR_*.
static inline int kernel_new_filesystem(const char *_Nonnull type, const char *_Nullable const *_Nullable options,
                                         uint64_t attributes) {
    int context = (int)syscall(SYS_fsopen, type, FSOPEN_CLOEXEC);
    if (context < 0) return -errno;
    int tree = 0;
    for (; tree == 0 && options && options[0]; options += 2)
        if (syscall(SYS_fsconfig, context, *options[1] ? FSCONFIG_SET_STRING : FSCONFIG_SET_FLAG, options[0],
                    *options[1] ? options[1] : NULL, 0) < 0)
            tree = -errno;
    if (tree == 0 && syscall(SYS_fsconfig, context, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0) tree = -errno;
    if (tree == 0) {
        tree = (int)syscall(SYS_fsmount, context, FSMOUNT_CLOEXEC, (unsigned)attributes);
        if (tree < 0) tree = -errno;
    }
    close(context);
    return tree;
}
