#include "container_internal.h"

#include <limits.h>
#include <linux/capability.h>
#include <linux/keyctl.h>
#include <string.h>
#include <sys/prctl.h>

int container_become(struct clinux_process *process) {
    // A session keyring of its own; a kernel without keys has nothing to leak.
    syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, 0, 0, 0, 0);
    for (int capability = 0; capability < 64; capability++)
        if (!(process->capabilities >> capability & 1) && prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) < 0) {
            if (errno == EINVAL) break;  // past the last one this kernel knows
            return container_failed(process, "drop capabilities of", process->argv[0]);
        }
    // System calls, not libc's functions: those change all threads, and the caller's are not ours.
    TRY("set the groups of", process->argv[0], syscall(SYS_setgroups, process->group_count, process->groups));
    TRY("set the group of", process->argv[0], syscall(SYS_setresgid, process->gid, process->gid, process->gid));
    TRY("set the user of", process->argv[0], syscall(SYS_setresuid, process->uid, process->uid, process->uid));

    // The kernel took a user's capabilities with the change of uid; asking for them again would be EPERM.
    uint64_t granted = process->uid == 0 ? process->capabilities : 0;
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[2] = {
        {.effective = (uint32_t)granted, .permitted = (uint32_t)granted},
        {.effective = (uint32_t)(granted >> 32), .permitted = (uint32_t)(granted >> 32)},
    };
    TRY("set the capabilities of", process->argv[0], syscall(SYS_capset, &header, data));
    TRY("clear the ambient capabilities of", process->argv[0],
        prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0));
    TRY("forbid new privileges to", process->argv[0], prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
    return 0;
}

static void execute(struct clinux_process *process, const char *path) {
    execve(path, (char *const *)process->argv, (char *const *)process->envp);
    // A script whose interpreter is missing is there, so it is not "not found" in the next directory.
    if (errno == ENOENT && faccessat(AT_FDCWD, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
        container_failed(process, "find the interpreter or loader of", process->argv[0]);
}

static void search(struct clinux_process *process, const char *name) {
    char path[PATH_MAX];
    size_t name_length = strlen(name);
    int denied = 0;
    const char *start = process->search, *end;
    for (;; start = end + 1) {
        end = start + strcspn(start, ":");
        size_t length = (size_t)(end - start);
        // Relative directories are not searched: the working directory may be anybody's.
        if (*start == '/' && length + name_length + 2 <= sizeof path) {
            memcpy(path, start, length);
            path[length] = '/';
            memcpy(path + length + 1, name, name_length + 1);
            execute(process, path);
            if (process->failed_action) return;
            if (errno == EACCES) denied = 1;
            else if (errno != ENOENT && errno != ENOTDIR) return;
        }
        if (!*end) break;
    }
    errno = denied ? EACCES : ENOENT;
}

int container_execute(struct clinux_process *process) {
    const char *name = process->argv[0];
    process->failed_exec = 1;
    if (strchr(name, '/')) execute(process, name);
    else if (!*name) errno = ENOENT;
    else search(process, name);
    return container_failed(process, "execute", name);
}
