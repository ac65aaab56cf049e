#include "wire/endpoint.h"

#include "wire/run_dir.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { ENDPOINT_BACKLOG = 4096 };

static void endpoint_path(
    const struct trp_endpoint *endpoint, char path[static TRP_RUN_DIR_ENDPOINT_BYTES])
{
    trp_run_dir_endpoint(
        endpoint->run_dir, endpoint->executor_id, path, TRP_RUN_DIR_ENDPOINT_BYTES);
}

/** Explain by errno why there is no socket, and close what there is of it. */
static enum troupe_err endpoint_explain(int fd, const char *address)
{
    enum troupe_err err = TRP_EXPLAIN(
        errno == EMFILE || errno == ENFILE ? TROUPE_ERR_LIMIT : TROUPE_ERR_SYSTEM,
        "cannot open a socket that listens on %s: errno %d",
        address,
        errno);
    if (fd >= 0) {
        (void)close(fd);
    }
    return err;
}

static enum troupe_err endpoint_open_ipc(const struct trp_endpoint *endpoint, int *out_fd)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    _Static_assert(
        sizeof(address.sun_path) == TRP_RUN_DIR_ENDPOINT_BYTES, "a path fits into an address");
    endpoint_path(endpoint, address.sun_path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, (const struct sockaddr *)&address, sizeof(address)) != 0 ||
        listen(fd, ENDPOINT_BACKLOG) != 0) {
        return endpoint_explain(fd, address.sun_path);
    }
    *out_fd = fd;
    return TROUPE_OK;
}

static enum troupe_err endpoint_open_tcp(struct trp_endpoint *endpoint, int *out_fd)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET,
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
    };
    socklen_t bytes = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, (const struct sockaddr *)&address, sizeof(address)) != 0 ||
        listen(fd, ENDPOINT_BACKLOG) != 0 ||
        getsockname(fd, (struct sockaddr *)&address, &bytes) != 0) {
        return endpoint_explain(fd, "127.0.0.1");
    }
    endpoint->tcp_port = ntohs(address.sin_port);
    *out_fd = fd;
    return TROUPE_OK;
}

enum troupe_err trp_endpoint_open(struct trp_endpoint *endpoint, int *out_fd)
{
    return endpoint->transport == TRP_TRANSPORT_TCP ? endpoint_open_tcp(endpoint, out_fd)
                                                    : endpoint_open_ipc(endpoint, out_fd);
}

void trp_endpoint_print(
    const struct trp_endpoint *endpoint, char address[static TRP_ENDPOINT_BYTES])
{
    if (endpoint->transport == TRP_TRANSPORT_TCP) {
        (void)snprintf(address, TRP_ENDPOINT_BYTES, "tcp://127.0.0.1:%u", endpoint->tcp_port);
        return;
    }
    char path[TRP_RUN_DIR_ENDPOINT_BYTES];
    endpoint_path(endpoint, path);
    (void)snprintf(address, TRP_ENDPOINT_BYTES, "ipc://%s", path);
}

void trp_endpoint_remove(const struct trp_endpoint *endpoint)
{
    if (endpoint->transport != TRP_TRANSPORT_TCP) {
        char path[TRP_RUN_DIR_ENDPOINT_BYTES];
        endpoint_path(endpoint, path);
        (void)unlink(path);
    }
}
