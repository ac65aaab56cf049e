#include "node/control_socket.h"

#include "base/memory.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

/** @return whether a call failed because the kernel is short of memory for now. */
static bool control_is_short(void)
{
    return errno == ENOMEM || errno == ENOBUFS || errno == ETOOMANYREFS;
}

void trp_control_send(int control_fd, enum trp_control_kind kind, uint32_t number, int listener_fd)
{
    struct trp_control_message message = {.kind = (uint32_t)kind, .number = number};
    struct iovec part = {.iov_base = &message, .iov_len = sizeof(message)};
    union {
        struct cmsghdr header;
        char bytes[CMSG_SPACE(sizeof(int))];
    } control = {0};
    struct msghdr envelope = {.msg_iov = &part, .msg_iovlen = 1};
    if (listener_fd >= 0) {
        envelope.msg_control = control.bytes;
        envelope.msg_controllen = sizeof(control.bytes);
        struct cmsghdr *header = CMSG_FIRSTHDR(&envelope);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(header), &listener_fd, sizeof(listener_fd));
    }
    int flags = MSG_NOSIGNAL | (listener_fd < 0 ? MSG_DONTWAIT : 0);
    uint64_t since_ns = 0;
    while (sendmsg(control_fd, &envelope, flags) < 0 &&
           (errno == EINTR || (listener_fd >= 0 && control_is_short()))) {
        trp_memory_wait(&since_ns);
    }
}

bool trp_control_receive(
    int control_fd, struct trp_control_message *out_message, int *out_listener_fd, bool *out_closed)
{
    struct iovec part = {.iov_base = out_message, .iov_len = sizeof(*out_message)};
    union {
        struct cmsghdr header;
        char bytes[CMSG_SPACE(sizeof(int))];
    } control = {0};
    struct msghdr envelope = {
        .msg_iov = &part,
        .msg_iovlen = 1,
        .msg_control = control.bytes,
        .msg_controllen = sizeof(control.bytes),
    };
    ssize_t size = -1;
    do {
        size = recvmsg(control_fd, &envelope, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    } while (size < 0 && errno == EINTR);
    *out_closed = size == 0 || (size < 0 && errno != EAGAIN);
    *out_listener_fd = -1;
    const struct cmsghdr *header = size > 0 ? CMSG_FIRSTHDR(&envelope) : NULL;
    if (header != NULL && header->cmsg_type == SCM_RIGHTS) {
        memcpy(out_listener_fd, CMSG_DATA(header), sizeof(*out_listener_fd));
    }
    return size == (ssize_t)sizeof(*out_message);
}

void trp_control_notify_first(const troupe_system_t *system)
{
    trp_control_send(system->control_fd, TRP_CONTROL_REFRESH, TRP_NODE_FIRST, -1);
}
