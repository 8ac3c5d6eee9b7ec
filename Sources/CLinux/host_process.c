#define _GNU_SOURCE
#include "container.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <unistd.h>

int clinux_spawn_host(const char *path, const char *const *argv, const int *fds, int count, int session) {
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t none, all;
    sigemptyset(&none);
    sigfillset(&all);
    posix_spawn_file_actions_init(&actions);
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setsigdefault(&attributes, &all);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF |
                                              (session ? POSIX_SPAWN_SETSID : 0));
    for (int fd = 0; fd < count; fd++) {
        if (fds[fd] < 0) posix_spawn_file_actions_addopen(&actions, fd, "/dev/null", O_RDWR, 0);
        else posix_spawn_file_actions_adddup2(&actions, fds[fd], fd);
    }
    posix_spawn_file_actions_addclosefrom_np(&actions, count);
    pid_t pid;
    int error = posix_spawn(&pid, path, &actions, &attributes, (char *const *)argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
    return error ? -error : pid;
}
