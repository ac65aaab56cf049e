#include "wire/guard.h"

#include "base/retry.h"

#include <zmq.h>

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>

/* Parts of a request: version, id, domain, address, identity, mechanism, then name and secret. */
enum { PART_ID = 1, PART_MECHANISM = 5, PART_SECRET = 7, PARTS = 8, PART_BYTES = 256 };

struct trp_guard {
    pthread_t thread;
    void *socket; // the thread's own
    char secret[TRP_SECRET_BYTES];
};

/** A request as far as it matters; parts that are longer are cut, and then wrong. */
struct guard_request {
    char parts[PARTS][PART_BYTES];
    size_t sizes[PARTS];
};

/** Receive one part. @return whether more of them follow; false with errno ETERM: the context ends. */
static bool guard_receive_part(void *socket, char bytes[PART_BYTES], size_t *out_size)
{
    int more = 0;
    size_t more_size = sizeof(more);
    int size = TRP_RETRY(zmq_recv(socket, bytes, PART_BYTES, 0));
    if (size < 0) {
        *out_size = 0;
        return false;
    }
    *out_size = size < PART_BYTES ? (size_t)size : PART_BYTES;
    errno = 0;
    return zmq_getsockopt(socket, ZMQ_RCVMORE, &more, &more_size) == 0 && more != 0;
}

/** @return false: the context ends. */
static bool guard_receive(void *socket, struct guard_request *request)
{
    char rest[PART_BYTES];
    size_t rest_size = 0;
    size_t count = 0;
    bool more = true;
    memset(request->sizes, 0, sizeof(request->sizes));
    while (more) {
        bool kept = count < PARTS;
        more = guard_receive_part(
            socket,
            kept ? request->parts[count] : rest,
            kept ? &request->sizes[count] : &rest_size);
        if (!more && errno == ETERM) {
            return false;
        }
        count++;
    }
    return true;
}

static bool guard_part_is(const struct guard_request *request, size_t part, const char *text)
{
    size_t bytes = strlen(text);
    return request->sizes[part] == bytes && memcmp(request->parts[part], text, bytes) == 0;
}

static void guard_reply(const struct trp_guard *guard, const struct guard_request *request)
{
    bool known = guard_part_is(request, PART_MECHANISM, "PLAIN") &&
                 guard_part_is(request, PART_SECRET, guard->secret);
    const char *status = known ? "200" : "400";
    const char *text = known ? "OK" : "not a process of this system";
    (void)TRP_RETRY(zmq_send(guard->socket, "1.0", 3, ZMQ_SNDMORE));
    (void)TRP_RETRY(
        zmq_send(guard->socket, request->parts[PART_ID], request->sizes[PART_ID], ZMQ_SNDMORE));
    (void)TRP_RETRY(zmq_send(guard->socket, status, strlen(status), ZMQ_SNDMORE));
    (void)TRP_RETRY(zmq_send(guard->socket, text, strlen(text), ZMQ_SNDMORE));
    (void)TRP_RETRY(zmq_send(guard->socket, "", 0, ZMQ_SNDMORE)); // no user id
    (void)TRP_RETRY(zmq_send(guard->socket, "", 0, 0));           // and nothing more
}

static void *guard_main(void *data)
{
    const struct trp_guard *guard = data;
    (void)prctl(PR_SET_NAME, "troupe-guard");
    struct guard_request request;
    while (guard_receive(guard->socket, &request)) {
        guard_reply(guard, &request);
    }
    (void)zmq_close(guard->socket); // whoever ends the context waits for that
    return NULL;
}

/** Start the thread with all signals blocked. @return false: no thread. */
static bool guard_start(struct trp_guard *guard)
{
    sigset_t all;
    sigset_t before;
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    bool made = pthread_create(&guard->thread, NULL, guard_main, guard) == 0;
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    return made;
}

enum troupe_err trp_guard_new(void *context, const char *secret, struct trp_guard **out_guard)
{
    const int linger = 0;
    struct trp_guard *guard = calloc(1, sizeof(*guard));
    if (guard != NULL) {
        (void)snprintf(guard->secret, sizeof(guard->secret), "%s", secret);
        guard->socket = zmq_socket(context, ZMQ_REP);
    }
    if (guard != NULL && guard->socket != NULL) {
        (void)zmq_setsockopt(guard->socket, ZMQ_LINGER, &linger, sizeof(linger));
        if (TRP_RETRY(zmq_bind(guard->socket, "inproc://zeromq.zap.01")) == 0 &&
            guard_start(guard)) {
            *out_guard = guard;
            return TROUPE_OK;
        }
        (void)zmq_close(guard->socket);
    }
    free(guard);
    return TRP_EXPLAIN(
        TROUPE_ERR_LIMIT,
        "no thread or socket to check who connects; raise the limit of processes or of open files");
}

void trp_guard_free(struct trp_guard **guard_p)
{
    if (*guard_p != NULL) {
        (void)pthread_join((*guard_p)->thread, NULL);
        free(*guard_p);
        *guard_p = NULL;
    }
}
