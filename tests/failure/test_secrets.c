// ctest: serial
/*
 * Strangers that do not know the secret of a system: their connections are closed in the handshake, before anything they
 * send is kept. Memory does not grow with what they send, and who belongs to the system goes on.
 */
#include "support/echo_system.h"
#include "support/fixture.h"
#include "support/measure.h"

#include "node/system.h"
#include "shared/slot_endpoint.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

TestSuite(secrets, .timeout = 60);

enum { VISITS = 100, PIECE_BYTES = 1 << 16, PIECES = 64 };

static const uint8_t greeting_null[64] = {
    0xFF, 0, 0, 0, 0, 0, 0, 0, 1, 0x7F, 3, 0, 'N', 'U', 'L', 'L'};
static const uint8_t greeting_plain[64] = {
    0xFF, 0, 0, 0, 0, 0, 0, 0, 1, 0x7F, 3, 0, 'P', 'L', 'A', 'I', 'N'};
static const char ready[] = "\x04\x1A\x05READY\x0BSocket-Type\0\0\0\x04PUSH";
static const char wrong[] = "\x04\x13\x05HELLO\x06troupe\x05wrong";
static const char huge_command[] = "\x06\0\0\0\0\x40\0\0\0\x05HELLO"; // of 1 GiB

/** Find where the executors of a system listen. @return how many do. */
static uint32_t find_endpoints(
    troupe_system_t *system, char endpoints[][TRP_ENDPOINT_BYTES], uint32_t most)
{
    uint32_t count = 0;
    struct trp_shared *shared = system->runtime.shared;
    trp_shared_lock(shared);
    for (uint32_t i = 0; i < shared->slot_high && count < most; i++) {
        const struct trp_slot *slot = &shared->slots[i];
        if (trp_slot_state(slot) == TRP_SLOT_OPEN && slot->listens && slot->id != 0) {
            trp_slot_print_endpoint(shared, slot, endpoints[count++]);
        }
    }
    trp_shared_unlock(shared);
    return count;
}

static int connect_to(const char *endpoint)
{
    const char *tcp = "tcp://127.0.0.1:";
    int fd = -1;
    if (strncmp(endpoint, tcp, strlen(tcp)) == 0) {
        const struct sockaddr_in address = {
            .sin_family = AF_INET,
            .sin_port = htons((uint16_t)strtoul(endpoint + strlen(tcp), NULL, 10)),
            .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
        };
        fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        MUST_BE(connect(fd, (const struct sockaddr *)&address, sizeof(address)) == 0);
    } else {
        struct sockaddr_un address = {.sun_family = AF_UNIX};
        (void)snprintf(
            address.sun_path, sizeof(address.sun_path), "%s", endpoint + strlen("ipc://"));
        fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        MUST_BE(connect(fd, (const struct sockaddr *)&address, sizeof(address)) == 0);
    }
    return fd;
}

/** Write while the peer takes it. @return false: it has closed the connection. */
static bool write_all(int fd, const void *bytes, size_t size)
{
    const char *at = bytes;
    while (size > 0) {
        ssize_t sent = send(fd, at, size, MSG_NOSIGNAL);
        if (sent <= 0) {
            return false;
        }
        at += sent;
        size -= (size_t)sent;
    }
    return true;
}

/** Send parts of a message that never ends, or of a command that is too large, until the connection is closed. */
static void visit(const char *endpoint, int how)
{
    static char piece[PIECE_BYTES];
    int fd = connect_to(endpoint);
    const struct timeval patience = {.tv_sec = 10};
    MUST_BE(setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience)) == 0);
    bool is_open = write_all(fd, how == 0 ? greeting_null : greeting_plain, sizeof(greeting_null));
    if (how == 0) {
        is_open = is_open && write_all(fd, ready, sizeof(ready) - 1);
    } else if (how == 1) {
        is_open = is_open && write_all(fd, wrong, sizeof(wrong) - 1);
    } else {
        is_open = is_open && write_all(fd, huge_command, sizeof(huge_command) - 1);
    }
    memset(piece, 1, sizeof(piece)); // parts of one byte, each of which says that more follow
    int pieces = 0;
    while (is_open && pieces < PIECES) {
        is_open = write_all(fd, piece, sizeof(piece));
        pieces++;
    }
    char answer[256];
    struct pollfd readable = {.fd = fd, .events = POLLIN};
    ssize_t got = 1;
    while (got > 0) { // what it says, and then its end
        MUST_BE(poll(&readable, 1, 10000) == 1);
        got = read(fd, answer, sizeof(answer));
        MUST_BE(got <= 0 || memmem(answer, (size_t)got, "WELCOME", 7) == NULL);
    }
    (void)close(fd);
}

static void expect_refused(const char *place)
{
    troupe_system_t *system = echo_system_new();
    troupe_inbox_t *inbox = echo_inbox_new(system);
    troupe_ref_t near = TROUPE_REF_NONE;
    troupe_ref_t far = TROUPE_REF_NONE;
    static char endpoints[8][TRP_ENDPOINT_BYTES];
    MUST(echo_spawn(troupe_inbox_context(inbox), place, &near));
    MUST(echo_spawn(troupe_inbox_context(inbox), "process", &far));
    MUST(echo_ask(inbox, near, 1));
    MUST(echo_ask(inbox, far, 1));
    uint32_t count = find_endpoints(system, endpoints, 8);
    cr_assert(ge(u32, count, 2));
    uint64_t before = measure_resident_bytes();

    for (int i = 0; i < VISITS; i++) {
        visit(endpoints[(uint32_t)i % count], i % 3);
        MUST(echo_ask(inbox, i % 2 == 0 ? near : far, (uint64_t)i));
    }

    uint64_t after = measure_resident_bytes();
    cr_expect(lt(u64, after, before + (UINT64_C(64) << 20)));
    struct troupe_stats stats;
    troupe_system_stats(system, &stats);
    cr_expect(eq(u64, stats.frames_undecodable, 0), "no frame of a stranger is even received");
    echo_system_end(&system, &inbox);
}

Test(secrets, strangers_without_it_are_refused_by_ipc)
{
    expect_refused("thread+ipc");
}

Test(secrets, strangers_without_it_are_refused_by_tcp)
{
    expect_refused("thread+tcp");
}

SUBJECTS(&echo_behaviour);
