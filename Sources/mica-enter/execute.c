#include "internal.h"

#include <linux/limits.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/keyctl.h>
#include <linux/seccomp.h>
#include <string.h>
#include <sys/prctl.h>

static int drop_bounding_set(const struct plan *plan) {
    for (int capability = 0; capability < 64; capability++)
        if (!(plan->head->capabilities >> capability & 1) && prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) < 0) {
            if (errno == EINVAL) break;  // past the last one this kernel knows
            return failed("drop capabilities of", plan->arguments[0]);
        }
    return 0;
}

int take_identity(const struct plan *plan) {
    const struct enter_plan *head = plan->head;
    const char *name = plan->arguments[0];
    // A session keyring of its own; a kernel without keys has none to leak.
    syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, 0, 0, 0, 0);
    if (drop_bounding_set(plan) < 0) return -1;
    if (has(plan, ENTER_NO_NEW_PRIVILEGES)) TRY("forbid new privileges to", name, prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
    // Installed while this process may do so without giving up new privileges. All calls from here on must pass it.
    if (head->filter.count > 0) {
        struct sock_fprog program = {(unsigned short)head->filter.count, (struct sock_filter *)plan->filter};
        TRY("install the seccomp filter of", name, (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program));
    }
    TRY("set the groups of", name, (int)syscall(SYS_setgroups, head->groups.count, plan->groups));
    TRY("set the group of", name, (int)syscall(SYS_setresgid, head->gid, head->gid, head->gid));
    TRY("set the user of", name, (int)syscall(SYS_setresuid, head->uid, head->uid, head->uid));

    // The kernel dropped the capabilities with the change of uid; asking for them again would be EPERM.
    uint64_t granted = head->uid == 0 ? head->capabilities : 0;
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[2] = {
        {.effective = (uint32_t)granted, .permitted = (uint32_t)granted},
        {.effective = (uint32_t)(granted >> 32), .permitted = (uint32_t)(granted >> 32)},
    };
    TRY("set the capabilities of", name, (int)syscall(SYS_capset, &header, data));
    TRY("clear the ambient capabilities of", name, prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0));
    return 0;
}

/// 0: there is no such file. -1: the failure has been reported, or errno says why not.
static int execute(const struct plan *plan, const char *path) {
    execve(path, (char *const *)plan->arguments, (char *const *)plan->environment);
    // The script exists and its interpreter is missing, so it must not count as "not found" in this directory.
    if (errno != ENOENT || faccessat(AT_FDCWD, path, F_OK, AT_SYMLINK_NOFOLLOW) < 0) return 0;
    errno = ENOENT;
    return failed("find the interpreter or loader of", plan->arguments[0]);
}

static int search(const struct plan *plan, const char *name) {
    char path[PATH_MAX];
    size_t name_length = strlen(name);
    int denied = 0;
    const char *start = plan->search, *end;
    for (;; start = end + 1) {
        end = start + strcspn(start, ":");
        size_t length = (size_t)(end - start);
        // Relative directories are not searched: any user may own the working directory.
        if (*start == '/' && length + name_length + 2 <= sizeof path) {
            memcpy(path, start, length);
            path[length] = '/';
            memcpy(path + length + 1, name, name_length + 1);
            if (execute(plan, path) < 0) return -1;
            if (errno == EACCES) denied = 1;
            else if (errno != ENOENT && errno != ENOTDIR) return 0;
        }
        if (!*end) break;
    }
    errno = denied ? EACCES : ENOENT;
    return 0;
}

int execute_program(const struct plan *plan) {
    const char *name = plan->arguments[0];
    // If mica is gone, no process would wait for the program.
    if (executing() < 0) return -1;
    if (!*name) errno = ENOENT;
    else if ((strchr(name, '/') ? execute(plan, name) : search(plan, name)) < 0) return -1;
    return failed("execute", name);
}
