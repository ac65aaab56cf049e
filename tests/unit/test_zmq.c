/*
 * Options of ZeroMQ sockets whose defaults would lose messages.
 */
#include "support/fixture.h"
#include "support/measure.h"

#include "wire/guard.h"
#include "wire/zmq.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { PAUSE_MS = 2000, PART_BYTES_MAX = 1024 };

/**
 * What a peer sends: a greeting of ZMTP 3.0 with mechanism PLAIN, a HELLO with the secret; then an INITIATE of a PUSH, and
 * a frame.
 */
static const uint8_t greeting[64] = {
    0xFF, 0, 0, 0, 0, 0, 0, 0, 1, 0x7F, 3, 0, 'P', 'L', 'A', 'I', 'N'};
static const uint8_t hello[] = "\x04\x13\x05HELLO\x06troupe\x05openx";
static const uint8_t initiate_and_frame[] =
    "\x04\x1D\x08INITIATE\x0BSocket-Type\0\0\0\x04PUSH\x00\x05hello";

/** Size of the reply of a PULL: its greeting and its WELCOME. */
enum { ANSWER_BYTES = sizeof(greeting) + 10 };

/** @return a socket that listens. */
static int listener_new(struct sockaddr_in *out_address)
{
    socklen_t size = sizeof(*out_address);
    *out_address =
        (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    MUST_BE(bind(fd, (const struct sockaddr *)out_address, size) == 0 && listen(fd, 8) == 0);
    MUST_BE(getsockname(fd, (struct sockaddr *)out_address, &size) == 0);
    return fd;
}

/** Connect, and do the handshake except for its last part. */
static int peer_new(const struct sockaddr_in *address)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    MUST_BE(connect(fd, (const struct sockaddr *)address, sizeof(*address)) == 0);
    MUST_BE(send(fd, greeting, sizeof(greeting), MSG_NOSIGNAL) == sizeof(greeting));
    MUST_BE(send(fd, hello, sizeof(hello) - 1, MSG_NOSIGNAL) == sizeof(hello) - 1);
    uint8_t answer[ANSWER_BYTES];
    struct pollfd readable = {.fd = fd, .events = POLLIN};
    for (size_t got = 0; got < sizeof(answer);) {
        MUST_BE(poll(&readable, 1, (int)(FIXTURE_DEADLINE_NS / MEASURE_MS_NS)) == 1);
        ssize_t size = read(fd, answer + got, sizeof(answer) - got);
        MUST_BE(size > 0);
        got += (size_t)size;
    }
    return fd;
}

Test(zmq, a_peer_that_is_stopped_in_a_handshake_loses_nothing)
{
    void *context = NULL;
    void *pull = NULL;
    struct trp_guard *guard = NULL;
    struct sockaddr_in address;
    char endpoint[TRP_ENDPOINT_BYTES];
    int listener_fd = listener_new(&address);
    (void)snprintf(
        endpoint, sizeof(endpoint), "tcp://127.0.0.1:%u", (unsigned)ntohs(address.sin_port));
    MUST(trp_zmq_context_new(8, &context));
    MUST(trp_guard_new(context, "openx", &guard));
    MUST(trp_zmq_pull_new(context, 1, &pull));
    MUST(trp_zmq_listen(pull, endpoint, listener_fd, PART_BYTES_MAX));
    int peer = peer_new(&address);

    struct pollfd hung_up = {.fd = peer, .events = POLLIN};
    cr_expect(poll(&hung_up, 1, PAUSE_MS) == 0, "the peer is not disconnected");
    MUST_BE(send(peer, initiate_and_frame, sizeof(initiate_and_frame) - 1, MSG_NOSIGNAL) > 0);

    struct trp_zmsg zmsg;
    const uint8_t *bytes = NULL;
    size_t size = 0;
    trp_zmsg_init(&zmsg);
    uint64_t deadline_ns = measure_now_ns() + FIXTURE_DEADLINE_NS;
    while (!trp_zmq_receive(pull, &zmsg, &bytes, &size)) {
        struct pollfd mail = {.fd = trp_zmq_fd(pull), .events = POLLIN};
        (void)poll(&mail, 1, 10);
        cr_assert(measure_now_ns() < deadline_ns, "its frame is lost");
    }
    cr_expect(size == 5 && memcmp(bytes, "hello", 5) == 0);

    trp_zmsg_clear(&zmsg);
    (void)close(peer);
    trp_zmq_close(&pull);
    trp_zmq_context_free(context);
    trp_guard_free(&guard);
}
