#define _GNU_SOURCE
#include "clinux.h"

#include <errno.h>
#include <linux/capability.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

int clinux_can_set_trusted(void) {
    int fd = memfd_create("xattr", MFD_CLOEXEC);
    if (fd < 0) return geteuid() == 0;
    int result = fremovexattr(fd, "trusted.none") == 0 || errno != EPERM;
    close(fd);
    return result;
}

static int has_capability(unsigned capability) {
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct sets[_LINUX_CAPABILITY_U32S_3] = {{0}};
    return syscall(SYS_capget, &header, sets) == 0 && (sets[0].effective & 1u << capability) != 0;
}

int clinux_can_override_modes(void) { return has_capability(CAP_DAC_OVERRIDE); }

int clinux_can_make_namespaces(void) { return has_capability(CAP_SYS_ADMIN); }

int clinux_end_with_parent(int signal) { return prctl(PR_SET_PDEATHSIG, signal) == 0 ? 0 : -errno; }
