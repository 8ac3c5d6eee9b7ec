#include "internal.h"

#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>

// Ignored and blocked signals survive execve, and mica may ignore SIGPIPE.
static void default_signals(void) {
    struct sigaction action = {.sa_handler = SIG_DFL};
    sigset_t none;
    for (int signal = 1; signal < NSIG; signal++) sigaction(signal, &action, NULL);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

static int death_signal;

/// Makes this process die with mica, where that is wanted; -1 if mica has died before.
static int tie(void) {
    TRY("tie the life of", "mica-enter", prctl(PR_SET_PDEATHSIG, death_signal));
    struct pollfd socket = {.fd = ENTER_REPORTS};
    return death_signal && poll(&socket, 1, 0) == 1 ? -1 : 0;
}

static int enter_cgroups(const struct enter_start *start) {
    for (int fd = ENTER_TASKS; fd < ENTER_TASKS + (int)start->cgroups; fd++) {
        // A thread that moves itself needs no machine-wide lock: kernel/cgroup, cgroup_procs_write.
        TRY("enter", "a cgroup", (int)write(fd, "0", 1));
        close(fd);
    }
    return 0;
}

/// The container must not inherit an oom_score_adj that protects a service of the host.
static void be_killed_as_usual(void) {
    char adjustment[16];
    int fd = open("/proc/self/oom_score_adj", O_RDWR | O_CLOEXEC);
    if (fd < 0) return;
    if (read(fd, adjustment, sizeof adjustment) > 0 && adjustment[0] == '-') (void)!write(fd, "0", 1);
    close(fd);
}

static int loopback_up(void) {
    struct ifreq request = {.ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING};
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    TRY("open a socket for", "lo", fd);
    TRY("bring up", "lo", ioctl(fd, SIOCSIFFLAGS, &request));
    return close(fd);
}

static int make_container(const struct plan *plan, int *terminal) {
    TRY("make namespaces for", plan->arguments[0], unshare(CLONE_NEWNS | CLONE_NEWCGROUP));
    TRY("set the hostname", plan->hostname, sethostname(plan->hostname, strlen(plan->hostname)));
    if (has(plan, ENTER_LOOPBACK) && loopback_up() < 0) return -1;
    return enter_root(plan, terminal);
}

/// Enters the leader's namespaces. Returns in a new process, mica's child, that is born in the PID namespace and
/// shares no memory with any other; this process is never visible there, and ends.
static int join_container(const struct plan *plan, int *terminal) {
    static const int kinds[] = {CLONE_NEWCGROUP, CLONE_NEWIPC, CLONE_NEWUTS, CLONE_NEWNET, CLONE_NEWPID, CLONE_NEWNS};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        TRY("enter the namespaces of the container for", plan->arguments[0], setns(ENTER_LEADER, kinds[i]));
    int pidfd = -1;
    struct clone_args arguments = {.flags = CLONE_PARENT | CLONE_PIDFD, .pidfd = (uint64_t)(uintptr_t)&pidfd};
    long pid = syscall(SYS_clone3, &arguments, sizeof arguments);
    TRY("start a process in the container for", plan->arguments[0], (int)pid);
    if (pid > 0) {
        report(ENTER_PROCESS, (int32_t)pid, "", pidfd);
        _exit(0);
    }
    if (tie() < 0) return -1;
    if (has(plan, ENTER_TERMINAL)) {
        int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
        TRY("open the root for", plan->arguments[0], root);
        TRY("open a terminal for", plan->arguments[0], *terminal = open_terminal(plan, root, 0));
    }
    return 0;
}

static int is_null_device(int fd) {
    struct stat status;
    return fstat(fd, &status) == 0 && S_ISCHR(status.st_mode) && status.st_rdev == device_number(1, 3);
}

/// Replaces the host's null device, whose mode and owner all processes share, by the container's own.
static int replace_null_devices(const struct plan *plan) {
    int own = -1;
    for (int fd = 0; fd < 3; fd++) {
        if (!is_null_device(fd)) continue;
        if (own < 0) {
            // The container may have put anything there: opening it must not block, and its type is checked.
            own = open("/dev/null", O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
            if (own < 0 || !is_null_device(own)) own = own_null_device();
        }
        TRY("open a null device for", plan->arguments[0], own);
        TRY("pass standard streams to", plan->arguments[0], dup2(own, fd));
    }
    return 0;
}

static int take_streams(const struct plan *plan, int terminal) {
    TRY("start a session for", plan->arguments[0], setsid());
    for (int fd = 0; fd < 3; fd++) {
        if (terminal >= 0) TRY("pass standard streams to", plan->arguments[0], dup2(terminal, fd));
        // /dev/stdout and the like are reopened by name, so the user must own them.
        struct stat status;
        if (fstat(fd, &status) == 0 && S_ISFIFO(status.st_mode)) (void)!fchown(fd, plan->head->uid, (gid_t)-1);
    }
    if (terminal >= 0) TRY("take the terminal for", plan->arguments[0], ioctl(0, TIOCSCTTY, 0));
    return 0;
}

static int go_to_directory(const struct plan *plan) {
    char path[4096 + 64];
    TRY("change to the working directory", plan->directory, chdir(plan->directory));
    // A directory that is not below the container's root would be the host's.
    TRY("find the working directory", plan->directory, (int)syscall(SYS_getcwd, path, sizeof path));
    if (path[0] == '/') return 0;
    errno = EPERM;
    return failed("use what is outside of the container as the working directory", plan->directory);
}

static int run(const struct plan *plan) {
    int terminal = -1;
    umask(0);
    int entered = has(plan, ENTER_JOIN) ? join_container(plan, &terminal) : make_container(plan, &terminal);
    if (entered < 0 || replace_null_devices(plan) < 0) return -1;
    if (take_streams(plan, terminal) < 0) return -1;
    // Closed, not just marked: a working directory of /proc/self/fd/N must not lead to the host.
    TRY("close descriptors for", plan->arguments[0], close_range(ENTER_REPORTS + 1, ~0U, 0));
    close(ENTER_PLAN);
    TRY("close descriptors for", plan->arguments[0], fcntl(ENTER_REPORTS, F_SETFD, FD_CLOEXEC));
    if (take_identity(plan) < 0) return -1;
    // The change of user has undone both.
    if (prctl(PR_SET_DUMPABLE, 0) < 0 || tie() < 0 || go_to_directory(plan) < 0) return -1;
    umask(022);
    return execute_program(plan);
}

static int begin(void) {
    struct enter_start start;
    struct plan plan;
    TRY("read the plan of", "mica-enter", read_start(ENTER_PLAN, &start));
    death_signal = (int)start.death_signal;
    be_killed_as_usual();
    if (tie() < 0 || enter_cgroups(&start) < 0) return -1;
    TRY("make", "namespaces", unshare((int)start.namespaces));
    TRY("read the plan of", "mica-enter", read_plan(ENTER_PLAN, &plan));
    return run(&plan);
}

int main(void) {
    struct stat pipe, socket;
    // First of all: no other process may look into this one, or trace it, wherever it will be.
    if (prctl(PR_SET_DUMPABLE, 0) < 0) return 125;
    if (fstat(ENTER_PLAN, &pipe) < 0 || !S_ISFIFO(pipe.st_mode) || fstat(ENTER_REPORTS, &socket) < 0 ||
        !S_ISSOCK(socket.st_mode)) {
        static const char text[] = "mica-enter: this is a part of mica, which starts it; see mica(1)\n";
        (void)!write(2, text, sizeof text - 1);
        return 125;
    }
    prctl(PR_SET_NAME, "mica-enter");
    default_signals();
    begin();
    return 127;
}
