#define _GNU_SOURCE
#include "cfuse_mount.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

/// Names the socket over which fusermount3 sends the descriptor (util/fusermount.c in libfuse).
#define COMMFD "_FUSE_COMMFD"

int cfuse_mount(int fd, const char *source, const char *type, const char *target, uint64_t flags,
                const char *options) {
    struct stat root;
    if (stat(target, &root) < 0) return -errno;
    char name[256], data[4096];
    int length = snprintf(name, sizeof name, "fuse.%s", type);
    if (length < 0 || (size_t)length >= sizeof name) return -ENAMETOOLONG;
    length = snprintf(data, sizeof data, "fd=%d,rootmode=%o,user_id=%u,group_id=%u,default_permissions%s%s", fd,
                      root.st_mode & S_IFMT, geteuid(), getegid(), *options ? "," : "", options);
    if (length < 0 || (size_t)length >= sizeof data) return -ENAMETOOLONG;
    return mount(source, target, name, flags, data) < 0 ? -errno : 0;
}

int cfuse_read_ahead(const char *target, unsigned kilobytes) {
    struct statx root;
    // The kernel's own knowledge is enough, and no daemon answers yet.
    if (statx(AT_FDCWD, target, AT_STATX_DONT_SYNC | AT_SYMLINK_NOFOLLOW, 0, &root) < 0) return -errno;
    char text[64];
    snprintf(text, sizeof text, "/sys/class/bdi/%u:%u/read_ahead_kb", root.stx_dev_major, root.stx_dev_minor);
    int fd = open(text, O_WRONLY | O_CLOEXEC);
    if (fd < 0) return -errno;
    int length = snprintf(text, sizeof text, "%u", kilobytes);
    int result = write(fd, text, (size_t)length) < 0 ? -errno : 0;
    close(fd);
    return result;
}

/// Runs fusermount3, with `fd` (-1: none) left open for it and named by $_FUSE_COMMFD. Its pid, or -errno.
static pid_t start(char *const arguments[], int fd) {
    size_t count = 0;
    while (environ[count]) count++;
    char **environment = calloc(count + 2, sizeof *environment);
    if (!environment) return -ENOMEM;
    char variable[64];
    size_t used = 0;
    for (size_t i = 0; i < count; i++)
        if (strncmp(environ[i], COMMFD "=", sizeof COMMFD) != 0) environment[used++] = environ[i];
    posix_spawn_file_actions_t actions;
    int result = posix_spawn_file_actions_init(&actions);
    if (result == 0 && fd >= 0) {
        snprintf(variable, sizeof variable, COMMFD "=%d", fd);
        environment[used] = variable;
        // Duplicated onto itself, which clears close-on-exec in the child.
        result = posix_spawn_file_actions_adddup2(&actions, fd, fd);
    }
    // The child must not inherit this thread's signal mask.
    posix_spawnattr_t attributes;
    posix_spawnattr_init(&attributes);
    sigset_t none;
    sigemptyset(&none);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
    pid_t pid = -1;
    if (result == 0) result = posix_spawnp(&pid, arguments[0], &actions, &attributes, arguments, environment);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    free(environment);
    return result == 0 ? pid : -result;
}

/// 0 where the process exited with 0.
static int finish(pid_t pid) {
    int status;
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR) return -errno;
    return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -EPROTO;
}

/// The descriptor that arrives over `socket`, close-on-exec; -errno, -EPROTO where none arrives.
static int receive_descriptor(int socket) {
    char byte;
    struct iovec iov = {.iov_base = &byte, .iov_len = 1};
    union {
        struct cmsghdr header;
        char space[CMSG_SPACE(sizeof(int))];
    } control;
    struct msghdr message = {
        .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
    ssize_t count;
    do count = recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
    while (count < 0 && errno == EINTR);
    if (count < 0) return -errno;
    const struct cmsghdr *header = count > 0 ? CMSG_FIRSTHDR(&message) : NULL;
    if (!header || header->cmsg_type != SCM_RIGHTS) return -EPROTO;
    int fd;
    memcpy(&fd, CMSG_DATA(header), sizeof fd);
    return fd;
}

int cfuse_fusermount(const char *target, const char *options) {
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0) return -errno;
    char *arguments[] = {"fusermount3", "-o", (char *)options, "--", (char *)target, NULL};
    pid_t pid = start(arguments, ends[0]);
    close(ends[0]);
    int fd = pid < 0 ? pid : receive_descriptor(ends[1]);
    close(ends[1]);
    if (pid > 0) {
        int result = finish(pid);
        if (result < 0 && fd >= 0) close(fd);
        if (result < 0) fd = result;
    }
    return fd;
}

int cfuse_fusermount_unmount(const char *target) {
    char *arguments[] = {"fusermount3", "-u", "-q", "-z", "--", (char *)target, NULL};
    pid_t pid = start(arguments, -1);
    return pid < 0 ? pid : finish(pid);
}
