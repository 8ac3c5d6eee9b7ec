#include "container_internal.h"
#include "clinux.h"

#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

enum { STACK_SIZE = 256 * 1024 };

int container_failed(struct clinux_process *process, const char *action, const char *object) {
    if (!process->failed_action) {
        process->failed_errno = errno;
        process->failed_action = action;
        process->failed_object = object;
    }
    return -1;
}

// Ignored signals survive execve, and the caller may well ignore SIGPIPE.
static void default_signals(void) {
    struct sigaction action = {.sa_handler = SIG_DFL};
    for (int signal = 1; signal < NSIG; signal++) sigaction(signal, &action, NULL);
}

static int loopback_up(struct clinux_process *process) {
    struct ifreq request = {.ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING};
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    TRY("open a socket for", "lo", fd);
    TRY("bring up", "lo", ioctl(fd, SIOCSIFFLAGS, &request));
    return close(fd);
}

static int take_stdio(struct clinux_process *process, int terminal) {
    TRY("start a session for", process->argv[0], setsid());
    for (int fd = 0; fd < 3; fd++) {
        TRY("pass standard streams to", process->argv[0],
            dup2(terminal >= 0 ? terminal : process->stdio[fd], fd));
        // /dev/stdout and its like are opened anew, by name: the user has to own them.
        struct stat status;
        if (fstat(fd, &status) == 0 && S_ISFIFO(status.st_mode)) (void)!fchown(fd, process->uid, -1);
    }
    if (terminal >= 0) TRY("take the terminal for", process->argv[0], ioctl(0, TIOCSCTTY, 0));
    return 0;
}

static int run(struct clinux_process *process) {
    int terminal = -1;
    if (process->join >= 0) {
        // The pid namespace has been entered by being born in it.
        TRY("enter the namespaces of the container for", process->argv[0],
            setns(process->join,
                  CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWNET | CLONE_NEWCGROUP));
        if (process->terminal_socket >= 0) {
            int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
            TRY("open the root for", process->argv[0], root);
            TRY("open a terminal for", process->argv[0], terminal = container_open_terminal(process, root, 0));
        }
    } else {
        if (process->hostname)
            TRY("set the hostname", process->hostname, sethostname(process->hostname, strlen(process->hostname)));
        if (process->loopback && loopback_up(process) < 0) return -1;
        terminal = container_enter_root(process);
        if (process->failed_action) return -1;
    }
    if (take_stdio(process, terminal) < 0) return -1;
    // Closed, not just marked: a working directory of /proc/self/fd/N must find nothing of the host's.
    TRY("close descriptors for", process->argv[0], close_range(3, ~0U, 0));
    if (container_become(process) < 0) return -1;
    // Cleared by a change of user.
    TRY("tie the life of", process->argv[0], prctl(PR_SET_PDEATHSIG, process->death_signal));
    TRY("change to the working directory", process->directory, chdir(process->directory));
    umask(022);
    return container_execute(process);
}

static int child(void *argument) {
    struct clinux_process *process = argument;
    sigset_t none;
    default_signals();
    prctl(PR_SET_PDEATHSIG, process->death_signal);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    run(process);
    _exit(127);
}

static int clone_child(struct clinux_process *process, void *stack) {
    int flags = CLONE_VM | CLONE_VFORK | CLONE_PIDFD | SIGCHLD;
    if (process->join < 0) flags |= (int)process->namespaces;
    return clone(child, (char *)stack + STACK_SIZE, flags, process, &process->pidfd);
}

int clinux_spawn(struct clinux_process *process) {
    process->failed_action = NULL;
    process->failed_exec = 0;
    void *stack = mmap(NULL, STACK_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
    if (stack == MAP_FAILED) return -errno;

    int home = -1, pid = -1;
    sigset_t all, before;
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, &before);  // no handler of the caller's runs in the child
    if (process->join >= 0) {
        home = open("/proc/self/ns/pid", O_RDONLY | O_CLOEXEC);
        if (home < 0 || setns(process->join, CLONE_NEWPID) < 0) goto done;
    }
    pid = clone_child(process, stack);
done:;
    int error = errno;
    if (home >= 0) {
        setns(home, CLONE_NEWPID);
        close(home);
    }
    sigprocmask(SIG_SETMASK, &before, NULL);
    munmap(stack, STACK_SIZE);
    if (pid < 0) return -error;
    if (process->failed_action) {
        while (waitpid(pid, NULL, 0) < 0 && errno == EINTR) {}
        close(process->pidfd);
    }
    return pid;
}

int clinux_wait(int pidfd) {
    siginfo_t info;
    while (waitid(P_PIDFD, (id_t)pidfd, &info, WEXITED) < 0)
        if (errno != EINTR) return -errno;
    return info.si_code == CLD_EXITED ? info.si_status : 128 + info.si_status;
}

int clinux_socketpair(int *ends) {
    return socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0 ? -errno : 0;
}

int clinux_get_window(int fd, uint16_t *rows, uint16_t *columns) {
    struct winsize size;
    if (ioctl(fd, TIOCGWINSZ, &size) < 0) return -errno;
    *rows = size.ws_row;
    *columns = size.ws_col;
    return 0;
}

int clinux_set_window(int fd, uint16_t rows, uint16_t columns) {
    struct winsize size = {.ws_row = rows, .ws_col = columns};
    return ioctl(fd, TIOCSWINSZ, &size) < 0 ? -errno : 0;
}
