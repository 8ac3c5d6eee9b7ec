#include "internal.h"

#include <string.h>
#include <sys/ioctl.h>
#include <sys/vfs.h>

enum { DEVPTS_SUPER_MAGIC = 0x1cd1 };

// "pts/N".
static void name_terminal(char *name, unsigned number) {
    char digits[12];
    int count = 0;
    do digits[count++] = (char)('0' + number % 10);
    while (number /= 10);
    memcpy(name, "pts/", 4);
    for (name += 4; count > 0;) *name++ = digits[--count];
    *name = 0;
}

static int bind_console(int root, int master) {
    unsigned number;
    char name[24];
    if (ioctl(master, TIOCGPTN, &number) < 0) return -1;
    name_terminal(name, number);
    int dev = checked(kernel_open(root, "/dev", O_PATH | O_DIRECTORY | O_CLOEXEC, 0, KERNEL_IN_ROOT));
    if (dev < 0) return -1;
    int file = openat(dev, "console", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    int tree = open_tree(dev, name, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
    if (file < 0 || tree < 0) return -1;
    if (move_mount(tree, "", dev, "console", MOVE_MOUNT_F_EMPTY_PATH) < 0) return -1;
    close(tree);
    close(file);
    return close(dev);
}

int open_terminal(const struct plan *plan, int root, int console) {
    int unlock = 0;
    struct statfs filesystem;
    int master = checked(kernel_open(root, "/dev/pts/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC, 0, KERNEL_IN_ROOT));
    if (master < 0 || fstatfs(master, &filesystem) < 0) return -1;
    if (filesystem.f_type != DEVPTS_SUPER_MAGIC) return errno = ENOTTY, -1;
    if (ioctl(master, TIOCSPTLCK, &unlock) < 0) return -1;
    int terminal = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (terminal < 0) return -1;
    struct winsize size = {.ws_row = plan->head->rows, .ws_col = plan->head->columns};
    if (size.ws_row && size.ws_col) ioctl(terminal, TIOCSWINSZ, &size);
    if (fchown(terminal, plan->head->uid, (gid_t)-1) < 0) return -1;
    if (console && bind_console(root, master) < 0) return -1;
    if (report(ENTER_MASTER, 0, "", master) < 0) return -1;
    close(master);
    return terminal;
}
