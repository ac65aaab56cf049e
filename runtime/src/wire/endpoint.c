#include "wire/endpoint.h"

#include "wire/run_dir.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { LISTENER_BACKLOG = 4096 };

static enum troupe_err endpoint_explain(int fd, const char *what)
{
    enum troupe_err err = TRP_EXPLAIN(
        errno == EMFILE || errno == ENFILE ? TROUPE_ERR_LIMIT : TROUPE_ERR_SYSTEM,
        "no socket that listens on %s: errno %d",
        what,
        errno);
    if (fd >= 0) {
        (void)close(fd);
    }
    return err;
}

static enum troupe_err endpoint_open_ipc(const char *run_dir, struct trp_slot *slot, int *out_fd)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    trp_run_dir_endpoint(run_dir, slot->id, address.sun_path, sizeof(address.sun_path));
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, (const struct sockaddr *)&address, sizeof(address)) != 0 ||
        listen(fd, LISTENER_BACKLOG) != 0) {
        return endpoint_explain(fd, address.sun_path);
    }
    *out_fd = fd;
    return TROUPE_OK;
}

static enum troupe_err endpoint_open_tcp(struct trp_slot *slot, int *out_fd)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET,
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
    };
    socklen_t bytes = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, (const struct sockaddr *)&address, sizeof(address)) != 0 ||
        listen(fd, LISTENER_BACKLOG) != 0 ||
        getsockname(fd, (struct sockaddr *)&address, &bytes) != 0) {
        return endpoint_explain(fd, "127.0.0.1");
    }
    slot->tcp_port = ntohs(address.sin_port);
    *out_fd = fd;
    return TROUPE_OK;
}

enum troupe_err trp_endpoint_open(const char *run_dir, struct trp_slot *slot, int *out_fd)
{
    enum troupe_err err = slot->transport == TRP_TRANSPORT_TCP
                              ? endpoint_open_tcp(slot, out_fd)
                              : endpoint_open_ipc(run_dir, slot, out_fd);
    slot->listens = err == TROUPE_OK;
    return err;
}

void trp_endpoint_print(
    const char *run_dir, const struct trp_slot *slot, char endpoint[static TRP_ENDPOINT_BYTES])
{
    if (slot->transport == TRP_TRANSPORT_TCP) {
        (void)snprintf(endpoint, TRP_ENDPOINT_BYTES, "tcp://127.0.0.1:%u", slot->tcp_port);
        return;
    }
    char path[sizeof(((struct sockaddr_un *)NULL)->sun_path)];
    trp_run_dir_endpoint(run_dir, slot->id, path, sizeof(path));
    (void)snprintf(endpoint, TRP_ENDPOINT_BYTES, "ipc://%s", path);
}

void trp_endpoint_remove(const char *run_dir, const struct trp_slot *slot)
{
    if (slot->listens && slot->transport != TRP_TRANSPORT_TCP) {
        char path[sizeof(((struct sockaddr_un *)NULL)->sun_path)];
        trp_run_dir_endpoint(run_dir, slot->id, path, sizeof(path));
        (void)unlink(path);
    }
}
