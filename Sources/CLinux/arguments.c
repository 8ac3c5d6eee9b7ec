#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

// What Swift's runtime wants to know of a process it looks for in /proc, where that may not be mounted (early boot, a
// chroot) or not be opened (no descriptor left): the arguments are none then, and without a path to its backtracer it
// aborts before main. glibc hands the arguments to constructors, and the first of all constructors is this one.

/// SwiftShims/CommandLine.h: from now on these are the process's arguments.
void _swift_stdlib_overrideUnsafeArgvArgc(char **argv, int argc);

__attribute__((constructor(101))) static void start(int argc, char **argv) {
    _swift_stdlib_overrideUnsafeArgvArgc(argv, argc);
    char byte;
    if (readlink("/proc/self/exe", &byte, sizeof byte) < 0)
        setenv("SWIFT_BACKTRACE", "enable=no,swift-backtrace=/nonexistent", 1);
}
