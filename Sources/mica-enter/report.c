#include "internal.h"

#include <string.h>
#include <sys/socket.h>

static int has_failed, is_executing;

static int send_report(struct enter_report head, const char *text, int fd) {
    union {
        char bytes[CMSG_SPACE(sizeof(int))];
        struct cmsghdr align;
    } control = {0};
    struct iovec vectors[] = {{&head, sizeof head}, {(char *)text, head.length}};
    struct msghdr message = {.msg_iov = vectors, .msg_iovlen = 2};
    if (fd >= 0) {
        message.msg_control = control.bytes;
        message.msg_controllen = sizeof control.bytes;
        struct cmsghdr *header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(header), &fd, sizeof fd);
    }
    ssize_t sent;
    do sent = sendmsg(ENTER_REPORTS, &message, MSG_NOSIGNAL);
    while (sent < 0 && errno == EINTR);
    return sent < 0 ? -1 : 0;
}

int report(uint32_t kind, int32_t number, const char *text, int fd) {
    size_t length = strlen(text);
    if (length > ENTER_LONGEST_TEXT) return errno = ENAMETOOLONG, -1;
    return send_report((struct enter_report){.kind = kind, .number = number, .length = (uint32_t)length}, text, fd);
}

int failed(const char *action, const char *object) {
    int error = errno;
    if (has_failed) return -1;
    has_failed = 1;
    char text[ENTER_LONGEST_TEXT];
    size_t first = strnlen(action, 256), room = sizeof text - first - 1, second = strnlen(object, room);
    memcpy(text, action, first);
    text[first] = 0;
    memcpy(text + first + 1, object, second);
    send_report(
        (struct enter_report){
            .kind = ENTER_FAILED, .number = error, .executing = (uint32_t)is_executing, .length = (uint32_t)(first + 1 + second)},
        text, -1);
    errno = error;
    return -1;
}

int executing(void) {
    is_executing = 1;
    return report(ENTER_EXECUTING, 0, "", -1);
}
