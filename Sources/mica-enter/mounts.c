#include "internal.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>

enum { PROC_SUPER_MAGIC = 0x9fa0 };

// Every mount is made detached, and attached to a descriptor that was resolved inside the root, so that no path that
// the image could have redirected is ever mounted on.

static int attach(int tree, int directory, const char *name) {
    int flags = MOVE_MOUNT_F_EMPTY_PATH | (*name ? 0 : MOVE_MOUNT_T_EMPTY_PATH);
    return move_mount(tree, "", directory, name, flags);
}

static int change(int tree, uint64_t attributes, unsigned flags) {
    struct mount_attr attr = {.attr_set = attributes};
    if (attributes & MOUNT_ATTR_STRICTATIME) attr.attr_clr = MOUNT_ATTR__ATIME;
    return mount_setattr(tree, "", AT_EMPTY_PATH | flags, &attr, sizeof attr);
}

static int new_filesystem(const struct plan *plan, const struct enter_mount *mount) {
    const char **options = plan_list(plan, mount->options);
    if (!options) return -1;
    return checked(kernel_new_filesystem(plan_string(plan, mount->source), options, mount->attributes));
}

static int new_bind(const struct plan *plan, const struct enter_mount *mount) {
    int tree = open_tree(AT_FDCWD, plan_string(plan, mount->source), OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE);
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

// The node is bound over itself, because the tmpfs becomes nodev afterwards: with CAP_MKNOD and no device control
// group, a node that the container makes must not open. Where the host denies mknod, its own node is used, read-only
// (which concerns only its mode and times).
static int device(int dev, const char *name, unsigned major, unsigned minor, const char *host) {
    int tree;
    if (mknodat(dev, name, S_IFCHR | 0666, device_number(major, minor)) == 0) {
        tree = open_tree(dev, name, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
    } else {
        if (errno != EPERM || mknodat(dev, name, S_IFREG | 0444, 0) < 0) return -1;
        tree = open_tree(AT_FDCWD, host, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
        if (tree >= 0 && change(tree, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC, 0) < 0) return -1;
    }
    return tree < 0 ? -1 : bind_over(tree, dev, name);
}

int own_null_device(void) {
    static const char *const options[] = {"mode", "755", "size", "4k", NULL};
    int tree = checked(kernel_new_filesystem("tmpfs", options, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC));
    if (tree < 0) return -1;
    int node = -1;
    if (mknodat(tree, "null", S_IFCHR | 0666, device_number(1, 3)) == 0)
        node = openat(tree, "null", O_RDWR | O_NOFOLLOW | O_CLOEXEC);
    int error = errno;
    close(tree);
    errno = error;
    return node;
}

static int fill_devices(int dev) {
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

// The filesystems, by st_dev, that are mounted here and are neither the image nor a volume: the kernel's, and those
// that cover parts of them.
static dev_t own[64];
static size_t own_count;

static int remember(int tree) {
    struct stat status;
    if (fstat(tree, &status) < 0) return -1;
    if (own_count == sizeof own / sizeof *own) return errno = E2BIG, -1;
    own[own_count++] = status.st_dev;
    return 0;
}

/// Whether a volume may be mounted on `target`, to which `path` led: not on the root, and outside of the image only
/// where the path itself leads there. A link of the image or of a volume that leads there would replace devices and
/// masked files by other files.
static int may_cover(int root, const char *path, int target) {
    struct stat top, status, strict;
    if (fstat(root, &top) < 0 || fstat(target, &status) < 0) return -1;
    if (top.st_dev == status.st_dev && top.st_ino == status.st_ino) return errno = EINVAL, -1;
    size_t known = 0;
    while (known < own_count && own[known] != status.st_dev) known++;
    if (known == own_count) return 0;
    struct statfs filesystem;
    if (fstatfs(target, &filesystem) < 0) return -1;
    if (filesystem.f_type == PROC_SUPER_MAGIC) return errno = EPERM, -1;
    int again = open_inside(root, path, 1);
    if (again < 0) return errno == EXDEV ? errno = ELOOP, -1 : -1;
    int same = fstat(again, &strict) == 0 && strict.st_dev == status.st_dev && strict.st_ino == status.st_ino;
    close(again);
    return same ? 0 : (errno = ELOOP, -1);
}

static int add_mount(const struct plan *plan, const struct enter_mount *mount, int root) {
    const char *source = plan_string(plan, mount->source), *path = plan_string(plan, mount->target);
    int bind = mount->kind == ENTER_MOUNT_BIND;
    int tree = bind ? new_bind(plan, mount) : new_filesystem(plan, mount);
    if (tree < 0 && mount->optional) return 0;
    TRY(bind ? "bind" : "create a filesystem of type", source, tree);
    int target = make_path(root, path, bind && mount->file, (int)mount->strict, 1);
    TRY(errno == ELOOP ? "mount over a symbolic link of the image:" : "find or create", path, target);
    struct stat status;
    TRY("look at", path, fstat(target, &status));
    int file = bind && mount->file;
    if (file == S_ISDIR(status.st_mode)) {
        errno = file ? EISDIR : ENOTDIR;
        return failed(file ? "mount a file over the image's directory" : "mount a directory over the image's file", path);
    }
    if (bind)
        TRY(errno == EPERM ? "mount in /proc, where a link of the image leads from" : "mount a volume at", path,
            may_cover(root, path, target));
    TRY("mount over", path, attach(tree, target, ""));
    if (!bind) TRY("remember", path, remember(tree));
    int result = mount->kind == ENTER_MOUNT_DEVICES ? fill_devices(tree) : 0;
    close(target);
    close(tree);
    return result;
}

static int open_existing(int root, const char *path) {
    return checked(kernel_open(root, path, O_PATH | O_CLOEXEC, 0, KERNEL_IN_ROOT));
}

/// A file becomes /dev/null, a directory an empty one. What this kernel doesn't have needs no hiding.
static int mask(int root, const char *path) {
    int target = open_existing(root, path);
    if (target < 0) return errno == ENOENT ? 0 : failed("find", path);
    struct stat status;
    TRY("look at", path, fstat(target, &status));
    int tree;
    if (S_ISDIR(status.st_mode)) {
        uint64_t attributes = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC;
        tree = checked(kernel_new_filesystem("tmpfs", NULL, attributes));
    } else {
        // The one that was made here: only the kernel's filesystems are mounted yet.
        int null = open_existing(root, "/dev/null");
        TRY("open", "/dev/null", null);
        tree = open_tree(null, "", AT_EMPTY_PATH | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
        close(null);
        TRY("make a cover for", path, tree);
        TRY("make read-only", path, change(tree, MOUNT_ATTR_RDONLY, 0));
    }
    TRY("make a cover for", path, tree);
    TRY("remember the cover of", path, remember(tree));
    TRY("hide", path, bind_over(tree, target, ""));
    return close(target);
}

static int freeze(int root, const char *path) {
    int target = open_existing(root, path);
    if (target < 0) return errno == ENOENT ? 0 : failed("find", path);
    int tree = open_tree(target, "", AT_EMPTY_PATH | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE);
    TRY("clone", path, tree);
    TRY("make read-only", path, change(tree, MOUNT_ATTR_RDONLY, AT_RECURSIVE));
    TRY("make read-only", path, bind_over(tree, target, ""));
    return close(target);
}

/// Settings of a network of the container's own, as in docker: every user may listen on every port, and ping.
/// Settings that this kernel does not have, or does not accept for the groups of a user namespace, stay as they are.
static int open_network(int root) {
    static const char *const settings[][2] = {
        {"/proc/sys/net/ipv4/ip_unprivileged_port_start", "0"},
        {"/proc/sys/net/ipv4/ping_group_range", "0 2147483647"},
    };
    for (size_t i = 0; i < sizeof settings / sizeof *settings; i++) {
        const char *path = settings[i][0], *value = settings[i][1];
        int file = checked(kernel_open(root, path, O_WRONLY | O_CLOEXEC, 0, KERNEL_IN_ROOT));
        if (file < 0 && errno == ENOENT) continue;
        TRY("open", path, file);
        if (write(file, value, strlen(value)) < 0 && errno != EINVAL) return failed("write to", path);
        close(file);
    }
    return 0;
}

static int pivot(const struct plan *plan, int root) {
    TRY("change to the root", plan->root, fchdir(root));
    TRY("pivot to the root", plan->root, syscall(SYS_pivot_root, ".", "."));
    // The old root is stacked on the new one, and ".": this unmounts the one on top.
    TRY("leave the host's root for", plan->root, umount2(".", MNT_DETACH));
    TRY("change to the root", plan->root, chdir("/"));
    return 0;
}

int enter_root(const struct plan *plan, int *terminal) {
    umask(0);
    TRY("make private the mounts of", "/", mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
    int root = open_tree(AT_FDCWD, plan->root, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
    TRY("open the root", plan->root, root);
    TRY("restrict the root", plan->root, change(root, MOUNT_ATTR_NODEV, 0));
    TRY("mount the root", plan->root, move_mount(root, "", AT_FDCWD, plan->root, MOVE_MOUNT_F_EMPTY_PATH));
    // The kernel's filesystems are mounted and covered before anything that the image or a volume can influence.
    for (uint32_t i = 0; i < plan->head->mounts.count; i++)
        if (plan->mounts[i].kind != ENTER_MOUNT_BIND && add_mount(plan, &plan->mounts[i], root) < 0) return -1;
    // While /proc/sys can be written to.
    if (has(plan, ENTER_LOOPBACK) && open_network(root) < 0) return -1;
    if (has(plan, ENTER_TERMINAL))
        TRY("open a terminal in", "/dev/pts", *terminal = open_terminal(plan, root, 1));
    for (const char **path = plan->masked; *path; path++)
        if (mask(root, *path) < 0) return -1;
    for (const char **path = plan->read_only; *path; path++)
        if (freeze(root, *path) < 0) return -1;
    for (uint32_t i = 0; i < plan->head->mounts.count; i++)
        if (plan->mounts[i].kind == ENTER_MOUNT_BIND && add_mount(plan, &plan->mounts[i], root) < 0) return -1;
    int directory = make_path(root, plan->directory, 0, 0, 0);
    TRY("find or create the working directory", plan->directory, directory);
    close(directory);
    if (has(plan, ENTER_READ_ONLY_ROOT)) TRY("make read-only", plan->root, change(root, MOUNT_ATTR_RDONLY, 0));
    return pivot(plan, root);
}
