#include "container_internal.h"
#include "clinux.h"

#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/vfs.h>

enum { DEVPTS_SUPER_MAGIC = 0x1cd1 };

union control {
    char bytes[CMSG_SPACE(sizeof(int))];
    struct cmsghdr align;
};

static int send_fd(int socket, int fd) {
    union control control = {0};
    char byte = 0;
    struct iovec vector = {&byte, 1};
    struct msghdr message = {
        .msg_iov = &vector, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = sizeof control.bytes};
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(header), &fd, sizeof fd);
    return sendmsg(socket, &message, MSG_NOSIGNAL) == 1 ? 0 : -1;
}

int clinux_receive_fd(int socket) {
    union control control = {0};
    char byte;
    struct iovec vector = {&byte, 1};
    struct msghdr message = {
        .msg_iov = &vector, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = sizeof control.bytes};
    ssize_t count = recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
    if (count < 0) return -errno;
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    if (count == 0 || !header || header->cmsg_type != SCM_RIGHTS || header->cmsg_len != CMSG_LEN(sizeof(int)))
        return -EPROTO;
    int fd;
    memcpy(&fd, CMSG_DATA(header), sizeof fd);
    return fd;
}

// "pts/N" of a number, without stdio.
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
    int dev = clinux_open_in_root(root, "/dev", O_PATH | O_DIRECTORY | O_CLOEXEC, 0);
    if (dev < 0) return errno = -dev, -1;
    int file = openat(dev, "console", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    int tree = open_tree(dev, name, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
    if (file < 0 || tree < 0) return -1;
    if (move_mount(tree, "", dev, "console", MOVE_MOUNT_F_EMPTY_PATH) < 0) return -1;
    close(tree);
    close(file);
    return close(dev);
}

int container_open_terminal(struct clinux_process *process, int root, int console) {
    int unlock = 0;
    struct statfs filesystem;
    int master = clinux_open_in_root(root, "/dev/pts/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC, 0);
    if (master < 0) return errno = -master, -1;
    if (fstatfs(master, &filesystem) < 0) return -1;
    if (filesystem.f_type != DEVPTS_SUPER_MAGIC) return errno = ENOTTY, -1;
    if (ioctl(master, TIOCSPTLCK, &unlock) < 0) return -1;
    int terminal = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (terminal < 0) return -1;
    if (process->rows && process->columns) clinux_set_window(terminal, process->rows, process->columns);
    if (fchown(terminal, process->uid, -1) < 0) return -1;
    if (console && bind_console(root, master) < 0) return -1;
    if (send_fd(process->terminal_socket, master) < 0) return -1;
    close(master);
    return terminal;
}
