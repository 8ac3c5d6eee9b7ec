#include "container_internal.h"
#include "clinux.h"

#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>

// Every mount is made detached and attached to a descriptor that was resolved inside the root, so no
// path that the image could have bent is ever mounted on.

static int attach(int tree, int directory, const char *name) {
    int flags = MOVE_MOUNT_F_EMPTY_PATH | (*name ? 0 : MOVE_MOUNT_T_EMPTY_PATH);
    return move_mount(tree, "", directory, name, flags);
}

static int change(int tree, uint64_t attributes, unsigned flags) {
    struct mount_attr attr = {.attr_set = attributes};
    if (attributes & MOUNT_ATTR_STRICTATIME) attr.attr_clr = MOUNT_ATTR__ATIME;
    return mount_setattr(tree, "", AT_EMPTY_PATH | flags, &attr, sizeof attr);
}

static int new_filesystem(const char *type, const char *const *options, uint64_t attributes) {
    int context = fsopen(type, FSOPEN_CLOEXEC);
    if (context < 0) return -1;
    int tree = -1;
    for (; options && options[0]; options += 2)
        if (fsconfig(context, *options[1] ? FSCONFIG_SET_STRING : FSCONFIG_SET_FLAG, options[0],
                     *options[1] ? options[1] : NULL, 0) < 0)
            goto done;
    if (fsconfig(context, FSCONFIG_CMD_CREATE, NULL, NULL, 0) == 0)
        tree = fsmount(context, FSMOUNT_CLOEXEC, attributes);
done:;
    int error = errno;
    close(context);
    errno = error;
    return tree;
}

static int new_bind(const struct clinux_mount *mount) {
    int tree = open_tree(AT_FDCWD, mount->source, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE);
    if (tree < 0 || change(tree, mount->attributes, AT_RECURSIVE) < 0) return -1;
    return tree;
}

static int bind_over(int tree, int directory, const char *name) {
    int result = attach(tree, directory, name);
    int error = errno;
    close(tree);
    errno = error;
    return result;
}

// The node is bound over itself, because the tmpfs becomes nodev afterwards: with CAP_MKNOD and no
// device control group, a node that the container makes must not open. A host that denies mknod lends
// its own node, read-only (which only concerns its mode and times).
static int device(int dev, const char *name, unsigned major, unsigned minor, const char *host) {
    int tree;
    if (mknodat(dev, name, S_IFCHR | 0666, makedev(major, minor)) == 0) {
        tree = open_tree(dev, name, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
    } else {
        if (errno != EPERM || mknodat(dev, name, S_IFREG | 0444, 0) < 0) return -1;
        tree = open_tree(AT_FDCWD, host, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
        if (tree >= 0 && change(tree, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC, 0) < 0) return -1;
    }
    return tree < 0 ? -1 : bind_over(tree, dev, name);
}

static int fill_devices(struct clinux_process *process, int dev) {
    TRY("create", "/dev/null", device(dev, "null", 1, 3, "/dev/null"));
    TRY("create", "/dev/zero", device(dev, "zero", 1, 5, "/dev/zero"));
    TRY("create", "/dev/full", device(dev, "full", 1, 7, "/dev/full"));
    TRY("create", "/dev/random", device(dev, "random", 1, 8, "/dev/random"));
    TRY("create", "/dev/urandom", device(dev, "urandom", 1, 9, "/dev/urandom"));
    TRY("create", "/dev/tty", device(dev, "tty", 5, 0, "/dev/tty"));
    static const char *const links[][2] = {
        {"pts/ptmx", "ptmx"},           {"/proc/self/fd", "fd"},        {"/proc/self/fd/0", "stdin"},
        {"/proc/self/fd/1", "stdout"}, {"/proc/self/fd/2", "stderr"}, {"/proc/kcore", "core"},
    };
    for (size_t i = 0; i < sizeof links / sizeof *links; i++)
        TRY("create a link in", "/dev", symlinkat(links[i][0], dev, links[i][1]));
    TRY("restrict", "/dev", change(dev, MOUNT_ATTR_NODEV, 0));
    return 0;
}

static int add_mount(struct clinux_process *process, const struct clinux_mount *mount, int root) {
    int tree = mount->kind == CLINUX_MOUNT_BIND
                   ? new_bind(mount)
                   : new_filesystem(mount->source, mount->options, mount->attributes);
    if (tree < 0 && mount->optional) return 0;
    TRY(mount->kind == CLINUX_MOUNT_BIND ? "bind" : "create a filesystem of type", mount->source, tree);
    int target = container_make(process, root, mount->target, mount->kind == CLINUX_MOUNT_BIND && mount->file,
                                mount->strict);
    TRY(errno == ELOOP ? "mount over a symbolic link of the image:" : "find or create", mount->target, target);
    struct stat status;
    TRY("look at", mount->target, fstat(target, &status));
    if (mount->kind == CLINUX_MOUNT_BIND && mount->file == S_ISDIR(status.st_mode)) {
        errno = mount->file ? EISDIR : ENOTDIR;
        return container_failed(process,
                                mount->file ? "mount a file over the directory" : "mount a directory over the file",
                                mount->target);
    }
    TRY("mount over", mount->target, attach(tree, target, ""));
    int result = mount->kind == CLINUX_MOUNT_DEVICES ? fill_devices(process, tree) : 0;
    close(target);
    close(tree);
    return result;
}

/// A file becomes /dev/null, a directory an empty one. What this kernel doesn't have needs no hiding.
static int mask(struct clinux_process *process, int root, const char *path) {
    int target = clinux_open_in_root(root, path, O_PATH | O_CLOEXEC, 0);
    if (target < 0) return 0;
    struct stat status;
    TRY("look at", path, fstat(target, &status));
    int tree;
    if (S_ISDIR(status.st_mode)) {
        uint64_t attributes = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC;
        tree = new_filesystem("tmpfs", NULL, attributes);
    } else {
        int null = clinux_open_in_root(root, "/dev/null", O_PATH | O_CLOEXEC, 0);
        if (null < 0) errno = -null;
        TRY("open", "/dev/null", null);
        tree = open_tree(null, "", AT_EMPTY_PATH | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
        close(null);
    }
    TRY("make a cover for", path, tree);
    TRY("hide", path, bind_over(tree, target, ""));
    return close(target);
}

static int freeze(struct clinux_process *process, int root, const char *path) {
    int target = clinux_open_in_root(root, path, O_PATH | O_CLOEXEC, 0);
    if (target < 0) return 0;
    int tree = open_tree(target, "", AT_EMPTY_PATH | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE);
    TRY("clone", path, tree);
    TRY("make read-only", path, change(tree, MOUNT_ATTR_RDONLY, AT_RECURSIVE));
    TRY("make read-only", path, bind_over(tree, target, ""));
    return close(target);
}

static int pivot(struct clinux_process *process, int root) {
    TRY("change to the root", process->root, fchdir(root));
    TRY("pivot to the root", process->root, syscall(SYS_pivot_root, ".", "."));
    // The old root is stacked on the new one, and ".": the one on top.
    TRY("leave the host's root for", process->root, umount2(".", MNT_DETACH));
    TRY("change to the root", process->root, chdir("/"));
    return 0;
}

int container_enter_root(struct clinux_process *process) {
    umask(0);
    TRY("make private the mounts of", "/", mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
    int root = open_tree(AT_FDCWD, process->root, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
    TRY("open the root", process->root, root);
    TRY("restrict the root", process->root, change(root, MOUNT_ATTR_NODEV, 0));
    TRY("mount the root", process->root,
        move_mount(root, "", AT_FDCWD, process->root, MOVE_MOUNT_F_EMPTY_PATH));
    for (size_t i = 0; i < process->mount_count; i++)
        if (add_mount(process, &process->mounts[i], root) < 0) return -1;
    int terminal = -1;
    if (process->terminal_socket >= 0)
        TRY("open a terminal in", "/dev/pts", terminal = container_open_terminal(process, root, 1));
    for (const char *const *path = process->masked; path && *path; path++)
        if (mask(process, root, *path) < 0) return -1;
    for (const char *const *path = process->read_only; path && *path; path++)
        if (freeze(process, root, *path) < 0) return -1;
    int directory = container_make(NULL, root, process->directory, 0, 0);
    TRY("find or create the working directory", process->directory, directory);
    if (process->read_only_root) TRY("make read-only", process->root, change(root, MOUNT_ATTR_RDONLY, 0));
    if (pivot(process, root) < 0) return -1;
    return terminal;
}

int clinux_is_cgroup2(const char *path) {
    struct statfs filesystem;
    return statfs(path, &filesystem) == 0 && filesystem.f_type == 0x63677270;
}
