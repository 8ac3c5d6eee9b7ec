#include "internal.h"

#include <linux/limits.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/stat.h>

// `done` is the part that has been resolved (a path inside the root, links included), `rest` what has not.
struct walk {
    char done[PATH_MAX];
    char rest[PATH_MAX];
    char target[PATH_MAX];
    char name[NAME_MAX + 1];
};

int open_inside(int root, const char *path, int strict) {
    if (!strict) return checked(kernel_open(root, *path ? path : "/", O_PATH | O_CLOEXEC, 0, KERNEL_IN_ROOT));
    while (*path == '/') path++;
    return checked(kernel_open(root, *path ? path : ".", O_PATH | O_CLOEXEC, 0, KERNEL_BENEATH));
}

/// Moves the next component from `rest` to `name`. 0 at the end, -1 when it is too long.
static int next_name(struct walk *walk) {
    char *start = walk->rest;
    while (*start == '/') start++;
    size_t length = strcspn(start, "/");
    if (length > NAME_MAX) return errno = ENAMETOOLONG, -1;
    memcpy(walk->name, start, length);
    walk->name[length] = 0;
    memmove(walk->rest, start + length, strlen(start + length) + 1);
    return length > 0;
}

/// `name` is a dangling link in `parent`: goes on with its target in front of the rest.
static int follow(struct walk *walk, int parent) {
    ssize_t length = readlinkat(parent, walk->name, walk->target, sizeof walk->target - 1);
    if (length < 0) return -1;
    walk->target[length] = 0;
    if ((size_t)length + strlen(walk->rest) + 2 > sizeof walk->rest) return errno = ENAMETOOLONG, -1;
    if (walk->target[0] == '/') walk->done[0] = 0;
    memmove(walk->rest + length, walk->rest, strlen(walk->rest) + 1);
    memcpy(walk->rest, walk->target, (size_t)length);
    return 0;
}

static int create(int parent, const char *name, int file) {
    if (!file) return mkdirat(parent, name, 0755);
    int fd = openat(parent, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
    return fd < 0 ? -1 : close(fd);
}

/// As `create`, but gives the directory its times back and reports `path`.
static int make_mount_point(int parent, const char *name, int file, const char *path) {
    struct stat before = {0};
    int known = fstat(parent, &before);
    if (create(parent, name, file) < 0) return -1;
    struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, before.st_mtim};
    // Where the filesystem refuses, only the times differ.
    if (known == 0) (void)!utimensat(parent, "", times, AT_EMPTY_PATH);
    return report(ENTER_MADE, 0, path, -1);
}

static int is_last(const struct walk *walk) { return walk->rest[strspn(walk->rest, "/")] == 0; }

/// Creates a component that open_inside(done + name) did not find. 0 when it is there now, 1 when it was a link.
static int supply(struct walk *walk, int root, size_t parent_length, int file, int strict, int quietly) {
    walk->done[parent_length] = 0;
    int parent = open_inside(root, walk->done, strict);
    if (parent < 0) return -1;
    struct stat status;
    int result;
    if (fstatat(parent, walk->name, &status, AT_SYMLINK_NOFOLLOW) == 0) {
        errno = ELOOP;
        result = S_ISLNK(status.st_mode) && !strict && follow(walk, parent) == 0 ? 1 : -1;
    } else {
        // Another container may share the directory and be faster.
        int is_file = file && is_last(walk);
        walk->done[parent_length] = '/';
        result = quietly ? make_mount_point(parent, walk->name, is_file, walk->done)
                         : create(parent, walk->name, is_file);
        walk->done[parent_length] = 0;
        if (result < 0 && errno == EEXIST) result = 0;
    }
    int error = errno;
    close(parent);
    errno = error;
    return result;
}

int make_path(int root, const char *path, int file, int strict, int quietly) {
    int found = open_inside(root, path, strict);
    if (found >= 0 || errno != ENOENT) return found;

    struct walk walk = {.done = ""};
    if (strlen(path) >= sizeof walk.rest) return errno = ENAMETOOLONG, -1;
    strcpy(walk.rest, path);
    // Every turn takes a component or follows a link; the kernel allows 40 links.
    int links = 0, more;
    while ((more = next_name(&walk)) > 0) {
        size_t before = strlen(walk.done), length = strlen(walk.name);
        if (before + length + 2 > sizeof walk.done) return errno = ENAMETOOLONG, -1;
        walk.done[before] = '/';
        memcpy(walk.done + before + 1, walk.name, length + 1);
        int fd = open_inside(root, walk.done, strict);
        if (fd >= 0) {
            close(fd);
            continue;
        }
        if (errno != ENOENT) return -1;
        int supplied = supply(&walk, root, before, file, strict, quietly);
        if (supplied < 0) return -1;
        if (supplied == 0) {
            walk.done[before] = '/';
        } else if (++links > 40) {
            return errno = ELOOP, -1;
        }
    }
    return more < 0 ? -1 : open_inside(root, walk.done, strict);
}
