#define _GNU_SOURCE
#include "clinux.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

// Since Linux 6.13 these calls take a directory and a name; before that they need a path, through /proc. The numbers
// and struct xattr_args are from include/uapi; the distribution's headers are older.
enum { SETXATTRAT = 463, GETXATTRAT = 464, LISTXATTRAT = 465, REMOVEXATTRAT = 466 };

struct arguments {
    _Alignas(8) uint64_t value;
    uint32_t size;
    uint32_t flags;
};

static int has_calls;

static void probe(void) {
    char byte;
    struct arguments arguments = {(uint64_t)(uintptr_t)&byte, 1, 0};
    long size = syscall(GETXATTRAT, AT_FDCWD, "/", 0, "user.mica", &arguments, sizeof arguments);
    // Neither ENOSYS, nor the EPERM of a seccomp filter that does not know the call.
    has_calls = size >= 0 || errno == ENODATA || errno == EOPNOTSUPP || errno == ERANGE;
}

static int may_call(void) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, probe);
    return has_calls;
}

struct path {
    char text[NAME_MAX + 40];
};

static const char *path_of(struct path *path, int directory, const char *name) {
    snprintf(path->text, sizeof path->text, "/proc/self/fd/%d%s%s", directory, *name ? "/" : "", name);
    return path->text;
}

/// Whether the name stands for the open file itself.
static int is_itself(const char *name) { return !*name; }

/// Whether a call failed because the descriptor is O_PATH: it takes a path through /proc, followed, then.
static int is_place(ssize_t value) { return value < 0 && errno == EBADF; }

static ssize_t result(ssize_t value) { return value < 0 ? -errno : value; }

ssize_t clinux_get_attribute(int directory, const char *name, const char *attribute, void *value, size_t size) {
    struct path path;
    if (is_itself(name)) {
        ssize_t found = fgetxattr(directory, attribute, value, size);
        return result(is_place(found) ? getxattr(path_of(&path, directory, name), attribute, value, size) : found);
    }
    if (!may_call()) return result(lgetxattr(path_of(&path, directory, name), attribute, value, size));
    struct arguments arguments = {(uint64_t)(uintptr_t)value, (uint32_t)size, 0};
    return result(
        syscall(GETXATTRAT, directory, name, AT_SYMLINK_NOFOLLOW, attribute, &arguments, sizeof arguments));
}

ssize_t clinux_list_attributes(int directory, const char *name, char *list, size_t size) {
    struct path path;
    if (is_itself(name)) {
        ssize_t found = flistxattr(directory, list, size);
        return result(is_place(found) ? listxattr(path_of(&path, directory, name), list, size) : found);
    }
    if (!may_call()) return result(llistxattr(path_of(&path, directory, name), list, size));
    return result(syscall(LISTXATTRAT, directory, name, AT_SYMLINK_NOFOLLOW, list, size));
}

int clinux_set_attribute(int directory, const char *name, const char *attribute, const void *value, size_t size,
                         int flags) {
    struct path path;
    if (is_itself(name)) {
        int done = fsetxattr(directory, attribute, value, size, flags);
        return (int)result(is_place(done) ? setxattr(path_of(&path, directory, name), attribute, value, size, flags) : done);
    }
    if (!may_call())
        return (int)result(lsetxattr(path_of(&path, directory, name), attribute, value, size, flags));
    struct arguments arguments = {(uint64_t)(uintptr_t)value, (uint32_t)size, (uint32_t)flags};
    return (int)result(
        syscall(SETXATTRAT, directory, name, AT_SYMLINK_NOFOLLOW, attribute, &arguments, sizeof arguments));
}

int clinux_remove_attribute(int directory, const char *name, const char *attribute) {
    struct path path;
    if (is_itself(name)) {
        int done = fremovexattr(directory, attribute);
        return (int)result(is_place(done) ? removexattr(path_of(&path, directory, name), attribute) : done);
    }
    if (!may_call()) return (int)result(lremovexattr(path_of(&path, directory, name), attribute));
    return (int)result(syscall(REMOVEXATTRAT, directory, name, AT_SYMLINK_NOFOLLOW, attribute));
}
