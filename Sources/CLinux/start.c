#define _GNU_SOURCE
#include "container.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef MFD_EXEC
#define MFD_EXEC 0x10U
#endif

enum { MOST_DESCRIPTORS = 64 };

// Runs in the child: async-signal-safe calls only, since the caller has threads. First it moves the descriptors
// above the numbers that they will get.
static void become(int program, const char *name, const int *fds, int count) {
    int moved[MOST_DESCRIPTORS];
    int image = fcntl(program, F_DUPFD_CLOEXEC, count + 1);
    if (image < 0) return;
    for (int i = 0; i < count; i++)
        if ((moved[i] = fcntl(fds[i], F_DUPFD_CLOEXEC, count + 1)) < 0) return;
    for (int i = 0; i < count; i++)
        if (dup2(moved[i], i) < 0) return;
    if (dup3(image, count, O_CLOEXEC) < 0 || close_range((unsigned)count + 1, ~0U, 0) < 0) return;
    char *arguments[] = {(char *)name, NULL}, *environment[] = {NULL};
    syscall(SYS_execveat, count, "", arguments, environment, AT_EMPTY_PATH);
}

int clinux_start(int program, const char *name, const int *fds, int count, uint64_t namespaces, int cgroup,
                 int *pidfd) {
    if (count > MOST_DESCRIPTORS) return -EINVAL;
    // CLONE_VFORK without CLONE_VM: the caller waits for the execve(2), and the child has memory of its own.
    struct clone_args arguments = {
        .flags = CLONE_PIDFD | CLONE_VFORK | namespaces,
        .pidfd = (uint64_t)(uintptr_t)pidfd,
        .exit_signal = SIGCHLD,
    };
    if (cgroup >= 0) {
        arguments.flags |= CLONE_INTO_CGROUP;
        arguments.cgroup = (uint64_t)cgroup;
    }
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);  // no handler of the caller's runs in the child
    long pid = syscall(SYS_clone3, &arguments, sizeof arguments);
    int error = errno;
    if (pid == 0) {
        become(program, name, fds, count);
        _exit(127);
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return pid < 0 ? -error : (int)pid;
}

int clinux_memory_file(const char *name) {
    int file = memfd_create(name, MFD_CLOEXEC);
    return file < 0 ? -errno : file;
}

int clinux_sealed_copy(int file, const char *name) {
    unsigned flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
    // Linux 6.3 and later must be told that the file will be executed.
    int copy = memfd_create(name, flags | MFD_EXEC);
    if (copy < 0 && errno == EINVAL) copy = memfd_create(name, flags);
    if (copy < 0) return -errno;
    off_t offset = 0;
    ssize_t count;
    do count = sendfile(copy, file, &offset, 1 << 30);
    while (count > 0 || (count < 0 && errno == EINTR));
    if (count == 0 && fcntl(copy, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL) == 0)
        return copy;
    int error = errno;
    close(copy);
    return -error;
}

int clinux_write_quietly(int fd, const void *bytes, size_t count) {
    sigset_t pipe, before, pending;
    struct timespec now = {0};
    sigemptyset(&pipe);
    sigaddset(&pipe, SIGPIPE);
    sigpending(&pending);
    pthread_sigmask(SIG_BLOCK, &pipe, &before);
    int error = 0;
    for (size_t done = 0; done < count && error == 0;) {
        ssize_t written = write(fd, (const char *)bytes + done, count - done);
        if (written >= 0) done += (size_t)written;
        else if (errno != EINTR) error = errno;
    }
    // SIGPIPE goes to the writing thread: it is taken back, unless one was pending before.
    if (error == EPIPE && !sigismember(&pending, SIGPIPE)) sigtimedwait(&pipe, NULL, &now);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return -error;
}

ssize_t clinux_receive(int socket, void *bytes, size_t size, int *fd) {
    union {
        char bytes[CMSG_SPACE(sizeof(int))];
        struct cmsghdr align;
    } control;
    struct iovec vector = {bytes, size};
    struct msghdr message = {
        .msg_iov = &vector, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = sizeof control.bytes};
    *fd = -1;
    ssize_t count;
    do count = recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
    while (count < 0 && errno == EINTR);
    if (count < 0) return -errno;
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    if (header && header->cmsg_type == SCM_RIGHTS && header->cmsg_len == CMSG_LEN(sizeof(int)))
        memcpy(fd, CMSG_DATA(header), sizeof *fd);
    return count;
}

// As in a shell.
static int exit_status(const siginfo_t *info) {
    return info->si_code == CLD_EXITED ? info->si_status : 128 + info->si_status;
}

int clinux_wait(int pidfd) {
    siginfo_t info;
    while (waitid(P_PIDFD, (id_t)pidfd, &info, WEXITED) < 0)
        if (errno != EINTR) return -errno;
    return exit_status(&info);
}

int clinux_reap(int pidfd) {
    siginfo_t info = {0};
    if (waitid(P_PIDFD, (id_t)pidfd, &info, WEXITED | WNOHANG) < 0) return -errno;
    if (info.si_pid == 0) return -EAGAIN;
    return exit_status(&info);
}

int clinux_socketpair(int *ends) {
    return socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0 ? -errno : 0;
}
