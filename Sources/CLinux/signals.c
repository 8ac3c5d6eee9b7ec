#define _GNU_SOURCE
#include "container.h"

#include <errno.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

static sigset_t set_of(uint64_t mask) {
    sigset_t set;
    sigemptyset(&set);
    for (int signal = 1; signal < 64; signal++)
        if (mask >> signal & 1) sigaddset(&set, signal);
    return set;
}

int clinux_take_signals(uint64_t mask) {
    sigset_t set = set_of(mask);
    int fd = signalfd(-1, &set, SFD_CLOEXEC);
    if (fd < 0) return -errno;
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    return fd;
}

void clinux_block_signals(uint64_t mask) {
    sigset_t set = set_of(mask);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
}

void clinux_release_signals(uint64_t mask) {
    sigset_t set = set_of(mask);
    pthread_sigmask(SIG_UNBLOCK, &set, NULL);
}

int clinux_next_signal(int fd) {
    struct signalfd_siginfo info;
    ssize_t count = read(fd, &info, sizeof info);
    return count == sizeof info ? (int)info.ssi_signo : count < 0 ? -errno : -EIO;
}
