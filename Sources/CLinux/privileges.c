#define _GNU_SOURCE
#include "clinux.h"

#include <errno.h>
#include <sys/mman.h>
#include <sys/xattr.h>
#include <unistd.h>

int clinux_can_set_trusted(void) {
    int fd = memfd_create("xattr", MFD_CLOEXEC);
    if (fd < 0) return geteuid() == 0;
    int result = fremovexattr(fd, "trusted.none") == 0 || errno != EPERM;
    close(fd);
    return result;
}
