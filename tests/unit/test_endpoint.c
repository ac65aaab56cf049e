/*
 * Endpoints: the socket of an executor listens as soon as it is open, at the address that is printed.
 */
#include "wire/endpoint.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static char run_dir[] = "/tmp/troupe-endpoint-XXXXXX";

static void set_up(void)
{
    cr_assert(mkdtemp(run_dir) != NULL);
}

static void tear_down(void)
{
    (void)rmdir(run_dir);
}

TestSuite(endpoint, .timeout = 10, .init = set_up, .fini = tear_down);

static bool connects(const void *address, socklen_t bytes, int family)
{
    int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    cr_assert(ge(int, fd, 0));
    bool connected = connect(fd, address, bytes) == 0;
    (void)close(fd);
    return connected;
}

Test(endpoint, by_ipc_is_a_socket_in_the_run_directory_until_it_is_removed)
{
    struct trp_endpoint endpoint = {
        .run_dir = run_dir, .executor_id = 7, .transport = TRP_TRANSPORT_IPC};
    struct sockaddr_un expected = {.sun_family = AF_UNIX};
    (void)snprintf(expected.sun_path, sizeof(expected.sun_path), "%s/e-7.ipc", run_dir);
    int fd = -1;

    cr_assert(eq(int, trp_endpoint_open(&endpoint, &fd), TROUPE_OK));

    char address[TRP_ENDPOINT_BYTES];
    trp_endpoint_print(&endpoint, address);
    cr_expect(strncmp(address, "ipc://", 6) == 0 && strcmp(address + 6, expected.sun_path) == 0);
    cr_expect(connects(&expected, sizeof(expected), AF_UNIX));
    (void)close(fd);
    trp_endpoint_remove(&endpoint);
    cr_expect(access(expected.sun_path, F_OK) != 0);
}

Test(endpoint, by_tcp_listens_on_the_loopback_at_a_port_of_its_own)
{
    struct trp_endpoint endpoint = {.run_dir = run_dir, .transport = TRP_TRANSPORT_TCP};
    int fd = -1;

    cr_assert(eq(int, trp_endpoint_open(&endpoint, &fd), TROUPE_OK));

    char address[TRP_ENDPOINT_BYTES];
    char expected[TRP_ENDPOINT_BYTES];
    trp_endpoint_print(&endpoint, address);
    (void)snprintf(expected, sizeof(expected), "tcp://127.0.0.1:%u", endpoint.tcp_port);
    const struct sockaddr_in peer = {
        .sin_family = AF_INET,
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
        .sin_port = htons(endpoint.tcp_port),
    };
    cr_expect(ne(u16, endpoint.tcp_port, 0));
    cr_expect(strcmp(address, expected) == 0, "%s", address);
    cr_expect(connects(&peer, sizeof(peer), AF_INET));
    (void)close(fd);
}

Test(endpoint, that_exists_already_is_refused_with_its_address)
{
    struct trp_endpoint endpoint = {
        .run_dir = run_dir, .executor_id = 7, .transport = TRP_TRANSPORT_IPC};
    int fd = -1;
    int other_fd = -1;
    cr_assert(eq(int, trp_endpoint_open(&endpoint, &fd), TROUPE_OK));

    cr_expect(eq(int, trp_endpoint_open(&endpoint, &other_fd), TROUPE_ERR_SYSTEM));

    cr_expect(strstr(troupe_error_detail(), "/e-7.ipc") != NULL, "%s", troupe_error_detail());
    cr_expect(eq(int, other_fd, -1));
    (void)close(fd);
    trp_endpoint_remove(&endpoint);
}
