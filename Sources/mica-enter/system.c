// The part of a C library that this program needs: system calls, and a few functions over strings. It links no other
// library: all its code is in this directory.

#include "internal.h"

#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/vfs.h>

static int error;
int *__errno_location(void) { return &error; }

int main(void);

#if defined(__x86_64__)
__attribute__((naked, noreturn, used)) void _start(void) {
    __asm__("xor %ebp, %ebp; and $-16, %rsp; call main; mov %eax, %edi; mov $231, %eax; syscall; hlt");
}

static long call(long number, const long a[6]) {
    register long d __asm__("r10") = a[3], e __asm__("r8") = a[4], f __asm__("r9") = a[5];
    long result;
    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "a"(number), "D"(a[0]), "S"(a[1]), "d"(a[2]), "r"(d), "r"(e), "r"(f)
                     : "rcx", "r11", "memory");
    return result;
}
#elif defined(__aarch64__)
__attribute__((naked, noreturn, used)) void _start(void) {
    __asm__("mov x29, #0; mov x30, #0; bl main; mov x8, #94; svc #0; brk #1");
}

static long call(long number, const long a[6]) {
    register long x8 __asm__("x8") = number, x0 __asm__("x0") = a[0], x1 __asm__("x1") = a[1], x2 __asm__("x2") = a[2],
                  x3 __asm__("x3") = a[3], x4 __asm__("x4") = a[4], x5 __asm__("x5") = a[5];
    __asm__ volatile("svc #0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5) : "memory");
    return x0;
}
#else
#error "mica-enter has no system calls for this architecture"
#endif

long syscall(long number, ...) {
    long arguments[6];
    va_list list;
    va_start(list, number);
    for (int i = 0; i < 6; i++) arguments[i] = va_arg(list, long);
    va_end(list);
    long result = call(number, arguments);
    if (result < 0 && result > -4096) return error = (int)-result, -1;
    return result;
}

// ── Files

int open(const char *path, int flags, ...) { return (int)syscall(SYS_openat, AT_FDCWD, path, flags, 0); }

int openat(int directory, const char *path, int flags, ...) {
    va_list list;
    va_start(list, flags);
    long mode = flags & O_CREAT ? va_arg(list, mode_t) : 0;
    va_end(list);
    return (int)syscall(SYS_openat, directory, path, flags, mode);
}

int close(int fd) { return (int)syscall(SYS_close, fd); }
int close_range(unsigned first, unsigned last, int flags) { return (int)syscall(SYS_close_range, first, last, flags); }
int dup2(int fd, int to) { return fd == to ? fd : (int)syscall(SYS_dup3, fd, to, 0); }

int fcntl(int fd, int command, ...) {
    va_list list;
    va_start(list, command);
    long argument = va_arg(list, long);
    va_end(list);
    return (int)syscall(SYS_fcntl, fd, command, argument);
}

int ioctl(int fd, unsigned long request, ...) {
    va_list list;
    va_start(list, request);
    long argument = va_arg(list, long);
    va_end(list);
    return (int)syscall(SYS_ioctl, fd, request, argument);
}

ssize_t read(int fd, void *bytes, size_t count) { return syscall(SYS_read, fd, bytes, count); }
ssize_t write(int fd, const void *bytes, size_t count) { return syscall(SYS_write, fd, bytes, count); }

int fstatat(int directory, const char *path, struct stat *status, int flags) {
    return (int)syscall(SYS_newfstatat, directory, path, status, flags);
}

int fstat(int fd, struct stat *status) { return fstatat(fd, "", status, AT_EMPTY_PATH); }
int fstatfs(int fd, struct statfs *status) { return (int)syscall(SYS_fstatfs, fd, status); }

int faccessat(int directory, const char *path, int mode, int flags) {
    return (int)syscall(SYS_faccessat2, directory, path, mode, flags);
}

ssize_t readlinkat(int directory, const char *path, char *target, size_t size) {
    return syscall(SYS_readlinkat, directory, path, target, size);
}

int mkdirat(int directory, const char *path, mode_t mode) { return (int)syscall(SYS_mkdirat, directory, path, mode); }

int mknodat(int directory, const char *path, mode_t mode, dev_t device) {
    return (int)syscall(SYS_mknodat, directory, path, mode, device);
}

int symlinkat(const char *target, int directory, const char *path) {
    return (int)syscall(SYS_symlinkat, target, directory, path);
}

int fchown(int fd, uid_t uid, gid_t gid) { return (int)syscall(SYS_fchown, fd, uid, gid); }

int utimensat(int directory, const char *path, const struct timespec times[2], int flags) {
    return (int)syscall(SYS_utimensat, directory, path, times, flags);
}

int chdir(const char *path) { return (int)syscall(SYS_chdir, path); }
int fchdir(int fd) { return (int)syscall(SYS_fchdir, fd); }
mode_t umask(mode_t mask) { return (mode_t)syscall(SYS_umask, mask); }

// ── Mounts and namespaces

int mount(const char *source, const char *target, const char *type, unsigned long flags, const void *data) {
    return (int)syscall(SYS_mount, source, target, type, flags, data);
}

int umount2(const char *target, int flags) { return (int)syscall(SYS_umount2, target, flags); }
int open_tree(int directory, const char *path, unsigned flags) {
    return (int)syscall(SYS_open_tree, directory, path, flags);
}

int move_mount(int from, const char *path, int to, const char *target, unsigned flags) {
    return (int)syscall(SYS_move_mount, from, path, to, target, flags);
}

int mount_setattr(int directory, const char *path, unsigned flags, struct mount_attr *attributes, size_t size) {
    return (int)syscall(SYS_mount_setattr, directory, path, flags, attributes, size);
}

int unshare(int flags) { return (int)syscall(SYS_unshare, flags); }
int setns(int fd, int kind) { return (int)syscall(SYS_setns, fd, kind); }
int sethostname(const char *name, size_t length) { return (int)syscall(SYS_sethostname, name, length); }

// ── Processes

int execve(const char *path, char *const arguments[], char *const environment[]) {
    return (int)syscall(SYS_execve, path, arguments, environment);
}

void _exit(int status) {
    for (;;) syscall(SYS_exit_group, status);
}

pid_t setsid(void) { return (pid_t)syscall(SYS_setsid); }

int prctl(int option, ...) {
    long arguments[4];
    va_list list;
    va_start(list, option);
    for (int i = 0; i < 4; i++) arguments[i] = va_arg(list, long);
    va_end(list);
    return (int)syscall(SYS_prctl, option, arguments[0], arguments[1], arguments[2], arguments[3]);
}

// In the layout of the kernel's struct, which differs from libc's; mica-enter needs no more of `action`.
int sigaction(int signal, const struct sigaction *action, struct sigaction *old) {
    struct {
        void (*handler)(int);
        unsigned long flags;
        void (*restorer)(void);
        uint64_t mask;
    } kernel = {.handler = action->sa_handler};
    (void)old;
    return (int)syscall(SYS_rt_sigaction, signal, &kernel, 0, sizeof kernel.mask);
}

int sigemptyset(sigset_t *set) { return memset(set, 0, sizeof *set), 0; }

int sigprocmask(int how, const sigset_t *set, sigset_t *old) {
    return (int)syscall(SYS_rt_sigprocmask, how, set, old, sizeof(uint64_t));
}

int poll(struct pollfd *fds, nfds_t count, int milliseconds) {
    struct timespec time = {milliseconds / 1000, milliseconds % 1000 * 1000000L};
    return (int)syscall(SYS_ppoll, fds, count, milliseconds < 0 ? NULL : &time, NULL, 0);
}

int socket(int family, int type, int protocol) { return (int)syscall(SYS_socket, family, type, protocol); }

ssize_t sendmsg(int fd, const struct msghdr *message, int flags) { return syscall(SYS_sendmsg, fd, message, flags); }

// ── Memory and strings

// Allocated memory lives until the program is executed.
void *malloc(size_t size) {
    long memory = syscall(SYS_mmap, NULL, size ? size : 1, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return memory == -1 ? NULL : (void *)memory;
}

void *calloc(size_t count, size_t size) {
    size_t bytes;
    return __builtin_mul_overflow(count, size, &bytes) ? NULL : malloc(bytes);
}

void *memcpy(void *restrict to, const void *restrict from, size_t count) {
    for (size_t i = 0; i < count; i++) ((char *)to)[i] = ((const char *)from)[i];
    return to;
}

void *memmove(void *to, const void *from, size_t count) {
    if ((uintptr_t)to <= (uintptr_t)from) return memcpy(to, from, count);
    for (size_t i = count; i-- > 0;) ((char *)to)[i] = ((const char *)from)[i];
    return to;
}

void *memset(void *to, int value, size_t count) {
    for (size_t i = 0; i < count; i++) ((char *)to)[i] = (char)value;
    return to;
}

size_t strnlen(const char *text, size_t most) {
    size_t length = 0;
    while (length < most && text[length]) length++;
    return length;
}

size_t strlen(const char *text) { return strnlen(text, SIZE_MAX); }

char *strchr(const char *text, int wanted) {
    for (;; text++) {
        if (*text == (char)wanted) return (char *)text;
        if (!*text) return NULL;
    }
}

size_t strspn(const char *text, const char *set) {
    size_t length = 0;
    while (text[length] && strchr(set, text[length])) length++;
    return length;
}

size_t strcspn(const char *text, const char *set) {
    size_t length = 0;
    while (text[length] && !strchr(set, text[length])) length++;
    return length;
}

char *strcpy(char *restrict to, const char *restrict from) { return memcpy(to, from, strlen(from) + 1); }
