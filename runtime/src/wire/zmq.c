#include "wire/zmq.h"

#include "base/check.h"
#include "base/retry.h"
#include "wire/accept.h"
#include "wire/reaped.h"

#include <zmq.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

_Static_assert(sizeof(struct trp_zmsg) == sizeof(zmq_msg_t), "struct trp_zmsg holds a zmq_msg_t");

enum {
    BACKLOG = 4096, // with one of 100, 2,000 peers that connect at the same time wait for 8 s
    // A process that was stopped for a while (SIGSTOP, a debugger) must not be taken for dead: a connection that is closed
    // loses the frames in it. So there are no heartbeats: the kernel says which processes have ended. A handshake that is
    // never completed is a stranger's, and may take long: the sender regards it as complete before the listener has read
    // its last part, and sends frames.
    HANDSHAKE_MS = 600000,
    RECONNECT_MS_MAX = 5000,
    LINGER_MS = 50,
};

#define INPROC "inproc://"
#define IPC    "ipc://"
#define USER   "troupe"

static zmq_msg_t *wire_msg(struct trp_zmsg *zmsg)
{
    return (zmq_msg_t *)(void *)zmsg->opaque;
}

enum troupe_err trp_zmq_context_new(int socket_count_max, void **out_context)
{
    trp_accept_reserve();
    void *context = zmq_ctx_new();
    if (context == NULL) {
        return TRP_EXPLAIN(
            TROUPE_ERR_SYSTEM, "ZeroMQ cannot make a context: %s", zmq_strerror(errno));
    }
    if (zmq_ctx_set(context, ZMQ_MAX_SOCKETS, socket_count_max) != 0) {
        (void)zmq_ctx_term(context);
        return TRP_EXPLAIN(
            TROUPE_ERR_INVAL, "ZeroMQ does not support %d sockets", socket_count_max);
    }
    *out_context = context;
    return TROUPE_OK;
}

void trp_zmq_context_free(void *context)
{
    if (context == NULL) {
        return;
    }
    (void)TRP_RETRY(zmq_ctx_term(context));
}

/**
 * Set the options that matter to ipc and tcp only. By inproc they are left out, which saves the
 * calls.
 */
static void wire_prepare_remote(void *socket)
{
    static const struct {
        int option;
        int value;
    } remote[] = {
        {ZMQ_BACKLOG, BACKLOG},
        {ZMQ_HANDSHAKE_IVL, HANDSHAKE_MS},
        {ZMQ_RECONNECT_IVL_MAX, RECONNECT_MS_MAX},
    };
    for (size_t i = 0; i < sizeof(remote) / sizeof(remote[0]); i++) {
        (void)zmq_setsockopt(socket, remote[i].option, &remote[i].value, sizeof(remote[i].value));
    }
}

static void *wire_socket(void *context, int type)
{
    void *socket = zmq_socket(context, type);
    if (socket == NULL) {
        return NULL;
    }
    // Credit bounds a mailbox, so ZeroMQ must not.
    const int unbounded = 0;
    // A channel is closed after its receiver has read all frames, unless the receiver died. For
    // that case there is a short linger: without it libzmq 4.3.4 aborts this process if the
    // connection broke in the middle of a message of several parts (libzmq issue 3442).
    const int linger = LINGER_MS;
    (void)zmq_setsockopt(socket, ZMQ_SNDHWM, &unbounded, sizeof(unbounded));
    (void)zmq_setsockopt(socket, ZMQ_RCVHWM, &unbounded, sizeof(unbounded));
    (void)zmq_setsockopt(socket, ZMQ_LINGER, &linger, sizeof(linger));
    return socket;
}

typedef int wire_attach_fn(void *socket, const char *endpoint);

/** Have a socket that connects by ipc or tcp show the secret of its system. */
static void wire_set_secret(void *socket, const char *secret)
{
    (void)zmq_setsockopt(socket, ZMQ_PLAIN_USERNAME, USER, sizeof(USER) - 1);
    (void)zmq_setsockopt(socket, ZMQ_PLAIN_PASSWORD, secret, strlen(secret));
}

static enum troupe_err wire_open(
    void *context,
    int type,
    wire_attach_fn *attach,
    const char *endpoint,
    const char *secret,
    void **out_socket)
{
    void *socket = wire_socket(context, type);
    if (socket == NULL) {
        return TRP_EXPLAIN(
            TROUPE_ERR_LIMIT,
            "ZeroMQ cannot make a socket for %s: %s; end some executors, or raise the limit of "
            "open "
            "files",
            endpoint,
            zmq_strerror(errno));
    }
    if (strncmp(endpoint, INPROC, sizeof(INPROC) - 1) != 0) {
        wire_prepare_remote(socket);
        if (secret != NULL) {
            wire_set_secret(socket, secret);
        }
    }
    if (TRP_RETRY(attach(socket, endpoint)) != 0) {
        enum troupe_err err = TRP_EXPLAIN(
            TROUPE_ERR_SYSTEM,
            "ZeroMQ cannot bind or connect to %s: %s",
            endpoint,
            zmq_strerror(errno));
        (void)zmq_close(socket);
        return err;
    }
    *out_socket = socket;
    return TROUPE_OK;
}

enum troupe_err trp_zmq_pull_new(void *context, uint32_t id, void **out_socket)
{
    char endpoint[TRP_ENDPOINT_BYTES];
    trp_zmq_inproc(id, endpoint);
    return wire_open(context, ZMQ_PULL, zmq_bind, endpoint, NULL, out_socket);
}

void trp_zmq_inproc(uint32_t id, char endpoint[static TRP_ENDPOINT_BYTES])
{
    (void)snprintf(endpoint, TRP_ENDPOINT_BYTES, INPROC "executor-%u", id);
}

enum troupe_err trp_zmq_listen(
    void *pull, const char *endpoint, int listener_fd, int64_t part_bytes_max)
{
    const int none = -1;
    if (strncmp(endpoint, IPC, sizeof(IPC) - 1) == 0) {
        trp_accept_note_listener(endpoint + sizeof(IPC) - 1);
    }
    const int asks = 1;
    wire_prepare_remote(pull);
    (void)zmq_setsockopt(pull, ZMQ_PLAIN_SERVER, &asks, sizeof(asks)); // see guard.h
    (void)zmq_setsockopt(pull, ZMQ_ZAP_DOMAIN, USER, sizeof(USER) - 1);
    (void)zmq_setsockopt(pull, ZMQ_MAXMSGSIZE, &part_bytes_max, sizeof(part_bytes_max));
    (void)zmq_setsockopt(pull, ZMQ_USE_FD, &listener_fd, sizeof(listener_fd));
    int bound = TRP_RETRY(zmq_bind(pull, endpoint));
    (void)zmq_setsockopt(pull, ZMQ_USE_FD, &none, sizeof(none));
    if (bound != 0) {
        return TRP_EXPLAIN(
            TROUPE_ERR_SYSTEM,
            "ZeroMQ cannot bind or connect to %s: %s",
            endpoint,
            zmq_strerror(errno));
    }
    return TROUPE_OK;
}

enum troupe_err trp_zmq_push_new(
    void *context, const char *endpoint, const char *secret, void **out_socket)
{
    return wire_open(context, ZMQ_PUSH, zmq_connect, endpoint, secret, out_socket);
}

enum troupe_err trp_zmq_pair_new(void *context, uint32_t id, void **out_in, void **out_out)
{
    char endpoint[TRP_ENDPOINT_BYTES];
    (void)snprintf(endpoint, sizeof(endpoint), INPROC "loopback-%u", id);
    void *out = NULL;
    enum troupe_err err = wire_open(context, ZMQ_PAIR, zmq_bind, endpoint, NULL, &out);
    if (err != TROUPE_OK) {
        return err;
    }
    void *in = NULL;
    err = wire_open(context, ZMQ_PAIR, zmq_connect, endpoint, NULL, &in);
    if (err != TROUPE_OK) {
        trp_zmq_close(&out);
        return err;
    }
    *out_in = in;
    *out_out = out;
    return TROUPE_OK;
}

void trp_zmq_close(void **socket_p)
{
    if (*socket_p != NULL) {
        (void)zmq_close(*socket_p);
        *socket_p = NULL;
    }
}

void trp_zmq_close_and_wait(void **socket_p)
{
    if (*socket_p != NULL) {
        const struct trp_reaped reaped = trp_reaped_of(trp_zmq_fd(*socket_p));
        trp_zmq_close(socket_p);
        trp_reaped_wait(&reaped);
    }
}

int trp_zmq_fd(void *socket)
{
    int fd = -1;
    size_t size = sizeof(fd);
    return TRP_RETRY(zmq_getsockopt(socket, ZMQ_FD, &fd, &size)) == 0 ? fd : -1;
}

void trp_zmsg_init(struct trp_zmsg *zmsg)
{
    (void)zmq_msg_init(wire_msg(zmsg));
}

void trp_zmsg_clear(struct trp_zmsg *zmsg)
{
    (void)zmq_msg_close(wire_msg(zmsg));
    (void)zmq_msg_init(wire_msg(zmsg));
}

bool trp_zmq_send(void *socket, const void *bytes, size_t size)
{
    int sent = TRP_RETRY(zmq_send(socket, bytes, size, ZMQ_DONTWAIT));
    TRP_CHECK(sent >= 0 || errno == ENOMEM); // no pipe is bounded, and the peer is connected
    return sent >= 0;
}

bool trp_zmq_send_inline(void *socket, size_t inside, const void *bytes, size_t size)
{
    struct trp_zmsg zmsg;
    (void)zmq_msg_init_size(wire_msg(&zmsg), size); // allocates nothing
    memcpy(zmsg.opaque + inside, bytes, size);
    int sent = TRP_RETRY(zmq_msg_send(wire_msg(&zmsg), socket, ZMQ_DONTWAIT));
    TRP_CHECK(sent >= 0 || errno == ENOMEM);
    return sent >= 0;
}

bool trp_zmq_give(
    void *socket, void *bytes, size_t size, void (*free_fn)(void *bytes, void *data), void *data)
{
    zmq_msg_t msg;
    // NOLINTNEXTLINE(readability-suspicious-call-argument): `data` there is `bytes` here.
    if (zmq_msg_init_data(&msg, bytes, size, free_fn, data) != 0) {
        return false;
    }
    int sent = TRP_RETRY(zmq_msg_send(&msg, socket, ZMQ_DONTWAIT));
    TRP_CHECK(sent >= 0);
    return true;
}

bool trp_zmsg_give(
    struct trp_zmsg *zmsg,
    void *bytes,
    size_t size,
    void (*free_fn)(void *bytes, void *data),
    void *data)
{
    // NOLINTNEXTLINE(readability-suspicious-call-argument): `data` there is `bytes` here.
    return zmq_msg_init_data(wire_msg(zmsg), bytes, size, free_fn, data) == 0;
}

bool trp_zmsg_fill(struct trp_zmsg *zmsg, const void *bytes, size_t size)
{
    if (zmq_msg_init_size(wire_msg(zmsg), size) != 0) {
        return false;
    }
    memcpy(zmq_msg_data(wire_msg(zmsg)), bytes, size);
    return true;
}

void trp_zmsg_share(struct trp_zmsg *copy, struct trp_zmsg *zmsg)
{
    (void)zmq_msg_init(wire_msg(copy));
    (void)zmq_msg_copy(wire_msg(copy), wire_msg(zmsg)); // fails only if one is not initialised
}

uint8_t *trp_zmsg_bytes(struct trp_zmsg *zmsg, size_t *out_size)
{
    *out_size = zmq_msg_size(wire_msg(zmsg));
    return zmq_msg_data(wire_msg(zmsg));
}

void trp_zmq_send_zmsg(void *socket, struct trp_zmsg *zmsg, bool more)
{
    int sent =
        TRP_RETRY(zmq_msg_send(wire_msg(zmsg), socket, ZMQ_DONTWAIT | (more ? ZMQ_SNDMORE : 0)));
    TRP_CHECK(sent >= 0); // no pipe is bounded
}

bool trp_zmsg_has_more(const struct trp_zmsg *zmsg)
{
    union {
        const struct trp_zmsg *read_only;
        struct trp_zmsg *zmsg;
    } at = {.read_only = zmsg};
    return zmq_msg_more(wire_msg(at.zmsg)) != 0;
}

bool trp_zmsg_align(struct trp_zmsg *zmsg)
{
    zmq_msg_t *msg = wire_msg(zmsg);
    if ((uintptr_t)zmq_msg_data(msg) % 8 == 0) {
        return true;
    }
    struct trp_zmsg copy;
    if (!trp_zmsg_fill(&copy, zmq_msg_data(msg), zmq_msg_size(msg))) {
        return false;
    }
    (void)zmq_msg_close(msg);
    *zmsg = copy;
    return true;
}

void trp_zmq_notice(void *socket)
{
    int events = 0;
    size_t size = sizeof(events);
    // As a side effect, processes commands of ZeroMQ's threads.
    (void)TRP_RETRY(zmq_getsockopt(socket, ZMQ_EVENTS, &events, &size));
}

size_t trp_zmsg_inline(void)
{
    struct trp_zmsg zmsg;
    (void)zmq_msg_init_size(wire_msg(&zmsg), TRP_ZMSG_INLINE_BYTES); // allocates nothing
    const unsigned char *bytes = zmq_msg_data(wire_msg(&zmsg));
    size_t inside = (size_t)(bytes - zmsg.opaque);
    (void)zmq_msg_close(wire_msg(&zmsg));
    TRP_CHECK(inside + TRP_ZMSG_INLINE_BYTES <= sizeof(zmsg) && inside % 8 == 0);
    return inside;
}

bool trp_zmq_take(void *socket, struct trp_zmsg *zmsg, size_t *out_size)
{
    int received = TRP_RETRY(zmq_msg_recv(wire_msg(zmsg), socket, ZMQ_DONTWAIT));
    *out_size = (size_t)received;
    return TRP_LIKELY(received >= 0);
}

bool trp_zmq_receive(
    void *socket, struct trp_zmsg *zmsg, const uint8_t **out_bytes, size_t *out_size)
{
    if (!trp_zmq_take(socket, zmsg, out_size)) {
        return false;
    }
    *out_bytes = zmq_msg_data(wire_msg(zmsg));
    return true;
}
