#define _GNU_SOURCE
#include "container.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

// Goes through the directory's descriptor, because a path of any length must fit into 108 bytes.
static socklen_t address(struct sockaddr_un *address, int directory, const char *name) {
    memset(address, 0, sizeof *address);
    address->sun_family = AF_UNIX;
    int count = snprintf(address->sun_path, sizeof address->sun_path, "/proc/self/fd/%d/%s", directory, name);
    return count > 0 && count < (int)sizeof address->sun_path ? (socklen_t)sizeof *address : 0;
}

static int open_socket(void) { return socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0); }

static int close_failed(int fd) {
    int error = errno;
    close(fd);
    return -error;
}

int clinux_listen(int directory, const char *name) {
    struct sockaddr_un place;
    socklen_t size = address(&place, directory, name);
    int fd = size ? open_socket() : (errno = ENAMETOOLONG, -1);
    if (fd < 0) return -errno;
    // The socket's file is its owner's alone from the first moment.
    if (fchmod(fd, 0600) < 0) return close_failed(fd);
    if (bind(fd, (struct sockaddr *)&place, size) < 0 || listen(fd, 64) < 0) return close_failed(fd);
    return fd;
}

int clinux_connect(int directory, const char *name) {
    struct sockaddr_un place;
    socklen_t size = address(&place, directory, name);
    int fd = size ? open_socket() : (errno = ENAMETOOLONG, -1);
    if (fd < 0) return -errno;
    if (connect(fd, (struct sockaddr *)&place, size) < 0) return close_failed(fd);
    return fd;
}

int clinux_accept(int listener) {
    int fd;
    do fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    while (fd < 0 && (errno == EINTR || errno == ECONNABORTED));
    return fd < 0 ? -errno : fd;
}

int clinux_send(int socket, uint8_t kind, const void *bytes, size_t count, int wait) {
    struct iovec parts[] = {{&kind, 1}, {(void *)bytes, count}};
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};
    ssize_t sent;
    do sent = sendmsg(socket, &message, MSG_NOSIGNAL | (wait ? 0 : MSG_DONTWAIT));
    while (sent < 0 && errno == EINTR);
    return sent < 0 ? -errno : 0;
}
