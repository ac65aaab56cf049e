#include "node/output_relay.h"

#include "base/clock.h"
#include "base/memory.h"
#include "base/retry.h"
#include "base/wake.h"
#include "shared/process.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <unistd.h>

enum {
    LINE_BYTES = 4096, // a longer line is passed on in pieces
    LOOK_MS = 100,     // how often a thread that waits for its reader looks whether it is to end
};

/** How long the end waits for a reader that takes nothing: 2 s. */
#define RELAY_PATIENCE_NS UINT64_C(2000000000)

/** One stream of a child. */
struct relay_stream {
    struct relay_stream *next;
    int fd;
    size_t used;
    char name[TRP_PROCESS_NAME_BYTES];
    char line[LINE_BYTES];
};

struct trp_output_relay {
    pthread_t thread;
    int target_fd;
    int wake_fd;
    pthread_mutex_t lock;
    struct relay_stream *added; // guarded by `lock`
    _Atomic bool is_ending;
    // The thread's own.
    struct relay_stream *streams;
    nfds_t stream_count;
    struct pollfd *polls; // `wake_fd`, then a descriptor for each stream
    nfds_t poll_capacity;
    bool is_stuck; // the reader took nothing for long, and this is the end
};

/* Writing. -------------------------------------------------------------------------------------- */

/** Wait until the reader takes something. @return false: it does not, and this is the end. */
static bool relay_await_reader(struct trp_output_relay *relay)
{
    uint64_t ending_ns = 0;
    struct pollfd target = {.fd = relay->target_fd, .events = POLLOUT};
    while (!relay->is_stuck && TRP_RETRY(poll(&target, 1, LOOK_MS)) == 0) {
        uint64_t now_ns = trp_clock_monotonic(NULL);
        if (!atomic_load_explicit(&relay->is_ending, memory_order_acquire)) {
            continue;
        }
        ending_ns = ending_ns == 0 ? now_ns : ending_ns;
        relay->is_stuck = now_ns - ending_ns > RELAY_PATIENCE_NS;
    }
    return !relay->is_stuck;
}

/** Write all of a text, unless its reader is gone or stuck. */
static void relay_write(struct trp_output_relay *relay, const char *text, size_t bytes)
{
    while (bytes > 0 && relay_await_reader(relay)) {
        // No more than a pipe surely takes, for another write() would block.
        ssize_t written = write(relay->target_fd, text, bytes < PIPE_BUF ? bytes : PIPE_BUF);
        if (written < 0 && errno != EINTR && errno != EAGAIN) {
            return;
        }
        text += written > 0 ? written : 0;
        bytes -= written > 0 ? (size_t)written : 0;
    }
}

static void relay_write_line(
    struct trp_output_relay *relay, const struct relay_stream *stream, size_t bytes)
{
    char text[LINE_BYTES + TRP_PROCESS_NAME_BYTES + 8];
    int at = snprintf(text, sizeof(text), "[%s] ", stream->name);
    memcpy(text + at, stream->line, bytes);
    text[(size_t)at + bytes] = '\n';
    relay_write(relay, text, (size_t)at + bytes + 1);
}

/** Write the lines that are complete. */
static void relay_write_lines(struct trp_output_relay *relay, struct relay_stream *stream)
{
    const char *end = NULL;
    while ((end = memchr(stream->line, '\n', stream->used)) != NULL || stream->used == LINE_BYTES) {
        size_t bytes = end != NULL ? (size_t)(end - stream->line) : stream->used;
        relay_write_line(relay, stream, bytes);
        bytes += end != NULL ? 1 : 0;
        stream->used -= bytes;
        memmove(stream->line, stream->line + bytes, stream->used);
    }
}

/* Reading. -------------------------------------------------------------------------------------- */

/** Read and pass on what there is, at most a line's size. @return bytes; 0: the stream is closed; -1: nothing is there. */
static ssize_t relay_read(struct trp_output_relay *relay, struct relay_stream *stream)
{
    ssize_t got =
        TRP_RETRY(read(stream->fd, stream->line + stream->used, LINE_BYTES - stream->used));
    if (got > 0) {
        stream->used += (size_t)got;
        relay_write_lines(relay, stream);
    }
    return got;
}

/** Pass on the last line, which has no end, and free the stream. */
static void relay_end_stream(struct trp_output_relay *relay, struct relay_stream *stream)
{
    if (stream->used > 0) {
        relay_write_line(relay, stream, stream->used);
    }
    (void)close(stream->fd);
    relay->stream_count--;
    free(stream);
}

/** Read each stream once that has something; the one at place i is polled at i + 1. */
static void relay_read_some(struct trp_output_relay *relay)
{
    struct relay_stream **at = &relay->streams;
    nfds_t polled = relay->stream_count;
    for (nfds_t i = 0; i < polled && *at != NULL; i++) {
        struct relay_stream *stream = *at;
        if (relay->polls[i + 1].revents != 0 && relay_read(relay, stream) == 0) {
            *at = stream->next;
            relay_end_stream(relay, stream);
        } else {
            at = &stream->next;
        }
    }
}

/** Read all that is in the pipes, and end every stream. */
static void relay_read_rest(struct trp_output_relay *relay)
{
    while (relay->streams != NULL) {
        struct relay_stream *stream = relay->streams;
        while (!relay->is_stuck && relay_read(relay, stream) > 0) {
        }
        relay->streams = stream->next;
        relay_end_stream(relay, stream);
    }
}

/* The thread. ----------------------------------------------------------------------------------- */

/** Take over what was added meanwhile. */
static void relay_take_added(struct trp_output_relay *relay)
{
    (void)pthread_mutex_lock(&relay->lock);
    struct relay_stream *stream = relay->added;
    relay->added = NULL;
    (void)pthread_mutex_unlock(&relay->lock);
    while (stream != NULL) {
        struct relay_stream *next = stream->next;
        stream->next = relay->streams;
        relay->streams = stream;
        relay->stream_count++;
        stream = next;
    }
}

/** List the descriptors to wait for, in the order of the streams. */
static void relay_list(struct trp_output_relay *relay)
{
    uint64_t since_ns = 0;
    while (relay->poll_capacity < relay->stream_count + 1) {
        nfds_t capacity = (relay->stream_count + 1) * 2;
        struct pollfd *grown = realloc(relay->polls, capacity * sizeof(*grown));
        if (grown == NULL) {
            trp_memory_wait(&since_ns);
            continue;
        }
        relay->polls = grown;
        relay->poll_capacity = capacity;
    }
    nfds_t at = 0;
    relay->polls[at++] = (struct pollfd){.fd = relay->wake_fd, .events = POLLIN};
    for (const struct relay_stream *stream = relay->streams; stream != NULL;
         stream = stream->next) {
        relay->polls[at++] = (struct pollfd){.fd = stream->fd, .events = POLLIN};
    }
}

static void *relay_main(void *data)
{
    struct trp_output_relay *relay = data;
    (void)prctl(PR_SET_NAME, "troupe-output");
    while (!atomic_load_explicit(&relay->is_ending, memory_order_acquire)) {
        relay_take_added(relay);
        relay_list(relay);
        if (TRP_RETRY(poll(relay->polls, relay->stream_count + 1, -1)) > 0) {
            relay_read_some(relay);
        }
        if (relay->polls[0].revents != 0) {
            uint64_t drained = 0;
            (void)!read(relay->wake_fd, &drained, sizeof(drained));
        }
    }
    relay_take_added(relay);
    relay_read_rest(relay);
    return NULL;
}

/** Start the thread with all signals blocked. @return false: no thread. */
static bool relay_start(struct trp_output_relay *relay)
{
    sigset_t all;
    sigset_t before;
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    bool made = pthread_create(&relay->thread, NULL, relay_main, relay) == 0;
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    return made;
}

/* Life. ----------------------------------------------------------------------------------------- */

static void relay_free_memory(struct trp_output_relay *relay)
{
    if (relay->wake_fd >= 0) {
        (void)close(relay->wake_fd);
    }
    (void)pthread_mutex_destroy(&relay->lock);
    free(relay->polls);
    free(relay);
}

enum troupe_err trp_output_relay_new(int target_fd, struct trp_output_relay **out_relay)
{
    struct trp_output_relay *relay = calloc(1, sizeof(*relay));
    if (relay != NULL) {
        relay->target_fd = target_fd;
        relay->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        (void)pthread_mutex_init(&relay->lock, NULL);
        if (relay->wake_fd >= 0 && relay_start(relay)) {
            *out_relay = relay;
            return TROUPE_OK;
        }
        relay_free_memory(relay);
    }
    return TRP_EXPLAIN(
        TROUPE_ERR_LIMIT,
        "no thread to pass on what processes print; raise the limit of processes or of open files");
}

void trp_output_relay_add(struct trp_output_relay *relay, int fd, const char *name)
{
    struct relay_stream *stream = NULL;
    uint64_t since_ns = 0;
    while ((stream = calloc(1, sizeof(*stream))) == NULL) {
        trp_memory_wait(&since_ns); // its child runs already
    }
    stream->fd = fd;
    (void)snprintf(stream->name, sizeof(stream->name), "%s", name);
    (void)fcntl(fd, F_SETFL, O_NONBLOCK);
    (void)pthread_mutex_lock(&relay->lock);
    stream->next = relay->added;
    relay->added = stream;
    (void)pthread_mutex_unlock(&relay->lock);
    trp_wake(relay->wake_fd);
}

void trp_output_relay_free(struct trp_output_relay **relay_p)
{
    struct trp_output_relay *relay = *relay_p;
    if (relay == NULL) {
        return;
    }
    atomic_store_explicit(&relay->is_ending, true, memory_order_release);
    trp_wake(relay->wake_fd);
    (void)pthread_join(relay->thread, NULL);
    relay_free_memory(relay);
    *relay_p = NULL;
}
