#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

// Before main, Swift's runtime looks for the process's arguments in /proc, which may not be mounted (early boot, a
// chroot) or can't be opened (no descriptor left): the arguments are empty then, and without a path to its
// backtracer it aborts. glibc passes the arguments to constructors, of which this one runs first.

/// SwiftShims/CommandLine.h: sets the process's arguments.
void _swift_stdlib_overrideUnsafeArgvArgc(char **argv, int argc);

__attribute__((constructor(101))) static void start(int argc, char **argv) {
    _swift_stdlib_overrideUnsafeArgvArgc(argv, argc);
    char byte;
    if (readlink("/proc/self/exe", &byte, sizeof byte) < 0)
        setenv("SWIFT_BACKTRACE", "enable=no,swift-backtrace=/nonexistent", 1);
}
