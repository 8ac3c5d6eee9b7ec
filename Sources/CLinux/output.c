#define _GNU_SOURCE
#include "container.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <unistd.h>

static ssize_t write_waiting(void *cookie, const char *bytes, size_t count) {
    (void)cookie;
    for (size_t done = 0; done < count;) {
        ssize_t written = write(STDOUT_FILENO, bytes + done, count - done);
        if (written >= 0) done += (size_t)written;
        else if (errno == EAGAIN) poll(&(struct pollfd){.fd = STDOUT_FILENO, .events = POLLOUT}, 1, -1);
        else if (errno != EINTR) return 0;  // as fopencookie(3) wants an error
    }
    return (ssize_t)count;
}

void clinux_wait_for_output(void) {
    int flags = fcntl(STDOUT_FILENO, F_GETFL);
    if (flags < 0 || !(flags & O_NONBLOCK)) return;
    FILE *file = fopencookie(NULL, "w", (cookie_io_functions_t){.write = write_waiting});
    if (!file) return;
    if (isatty(STDOUT_FILENO)) setvbuf(file, NULL, _IOLBF, BUFSIZ);
    stdout = file;
}
