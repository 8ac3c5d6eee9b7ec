#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

// Before main, Swift's runtime looks for the process's arguments in /proc, which may not be mounted (early boot, a
// chroot) or can't be opened (no descriptor left): the arguments are empty then, and without a path to its
// backtracer it aborts. glibc passes the arguments to constructors, of which this one runs first.

/// SwiftShims/CommandLine.h: sets the process's arguments.
void _swift_stdlib_overrideUnsafeArgvArgc(char **argv, int argc);

/// A standard stream that the caller has closed would become the next file that is opened. In its place is one that can't
/// be used: reading it, or writing to it, is EBADF as before.
static void reserve_standard_streams(void) {
    for (int fd = 0; fd < 3; fd++)
        if (fcntl(fd, F_GETFD) < 0) open("/dev/null", fd == 0 ? O_WRONLY : O_RDONLY);
}

__attribute__((constructor(101))) static void start(int argc, char **argv) {
    reserve_standard_streams();
    _swift_stdlib_overrideUnsafeArgvArgc(argv, argc);
    char byte;
    if (readlink("/proc/self/exe", &byte, sizeof byte) < 0)
        setenv("SWIFT_BACKTRACE", "enable=no,swift-backtrace=/nonexistent", 1);
}
