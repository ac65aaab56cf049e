/*
 * For subjects: checks that name their place, patterns of bytes, the slow subject and its latch, and a journal.
 * What subjects call does not assert through Criterion, since a subject may be on any thread and in any process.
 * Latch and journal are files for the same reason.
 */
#include "fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

void fixture_must(enum troupe_err err, const char *what, const char *file, int line)
{
    if (err == TROUPE_OK) {
        return;
    }
    (void)fprintf(
        stderr,
        "%s:%d: a subject's %s: %s: %s\n",
        file,
        line,
        what,
        troupe_strerror(err),
        troupe_error_detail());
    abort();
}

void fixture_ignore(enum troupe_err err)
{
    (void)err;
}

void fixture_fill(void *bytes, size_t size_bytes, uint64_t seed)
{
    unsigned char *byte = bytes;
    uint64_t x = seed * UINT64_C(0x9E3779B97F4A7C15) + 1;
    for (size_t i = 0; i < size_bytes; i++) {
        x = x * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        byte[i] = (unsigned char)(x >> 56);
    }
}

uint64_t fixture_digest(const void *bytes, size_t size_bytes)
{
    const unsigned char *byte = bytes;
    uint64_t digest = UINT64_C(0xCBF29CE484222325);
    for (size_t i = 0; i < size_bytes; i++) {
        digest = (digest ^ byte[i]) * UINT64_C(0x100000001B3);
    }
    return digest;
}

troupe_ref_t fixture_ref_of(const void *args, size_t args_bytes)
{
    troupe_ref_t ref = TROUPE_REF_NONE;
    MUST_BE(args_bytes == sizeof(ref));
    memcpy(&ref, args, sizeof(ref));
    return ref;
}

/* The latch. ----------------------------------------------------------------------------------- */

/** Make an empty file with a unique name. */
static void fixture_file_new(char *path, size_t path_bytes)
{
    const char *folder = getenv("TMPDIR");
    int length =
        snprintf(path, path_bytes, "%s/troupe-test-XXXXXX", folder == NULL ? "/tmp" : folder);
    cr_assert(length > 0 && (size_t)length < path_bytes, "TMPDIR is too long for a test");
    int fd = mkstemp(path);
    cr_assert(fd >= 0, "%s: %s", path, strerror(errno));
    (void)close(fd);
}

void fixture_latch_close(struct fixture_latch *latch)
{
    fixture_file_new(latch->path, sizeof(latch->path));
}

void fixture_latch_open(struct fixture_latch *latch)
{
    (void)unlink(latch->path);
}

void fixture_latch_wait(const struct fixture_latch *latch)
{
    struct timespec start;
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &start);
    while (access(latch->path, F_OK) == 0) {
        (void)clock_gettime(CLOCK_MONOTONIC, &now);
        MUST_BE(now.tv_sec - start.tv_sec < 2 * (time_t)(FIXTURE_DEADLINE_NS / 1000000000));
        (void)sched_yield();
    }
}

/* The slow subject. ---------------------------------------------------------------------------- */

static void slow_hold(troupe_context_t *ctx, const troupe_message_t *message)
{
    const struct fixture_latch *latch = TROUPE_BODY(message, struct fixture_latch);
    MUST_BE(latch != NULL);
    MUST(troupe_reply(ctx, message, FIXTURE_HOLDING, NULL, 0));
    troupe_flush(ctx); // else it is not transmitted before the latch opens
    fixture_latch_wait(latch);
}

static void slow_receive(troupe_context_t *ctx, void *state, const troupe_message_t *message)
{
    uint64_t *count = state;
    switch (troupe_message_type(message)) {
    case FIXTURE_HOLD:
        slow_hold(ctx, message);
        break;
    case FIXTURE_COUNT:
        REPORT(ctx, message, FIXTURE_COUNTED, count);
        break;
    case FIXTURE_STOP:
        troupe_stop(ctx);
        break;
    default:
        ++*count;
        break;
    }
}

const struct troupe_behaviour fixture_slow = {
    .name = "slow",
    .state_bytes = sizeof(uint64_t),
    .receive = slow_receive,
};

void fixture_hold(struct fixture *fixture, troupe_ref_t slow, struct fixture_latch *latch)
{
    fixture_latch_close(latch);
    if (fixture_share_executor(slow, fixture_scenario(fixture))) {
        return;
    }
    fixture_ask(fixture, slow, FIXTURE_HOLD, latch, sizeof(*latch));
    (void)fixture_receive(fixture, FIXTURE_HOLDING);
}

uint64_t fixture_count(struct fixture *fixture, troupe_ref_t slow)
{
    fixture_ask(fixture, slow, FIXTURE_COUNT, NULL, 0);
    return *FIXTURE_RECEIVE(fixture, FIXTURE_COUNTED, uint64_t);
}

void fixture_flood(troupe_context_t *ctx, void *data)
{
    struct fixture_flood *flood = data;
    void *body = calloc(1, flood->body_bytes + 1);
    cr_assert(body != NULL, "no memory for a body");
    uint32_t tries = 0;
    for (;;) {
        enum troupe_err err = troupe_send(ctx, flood->to, FIXTURE_DROP, body, flood->body_bytes);
        if (err == TROUPE_OK) {
            flood->accepted++;
            cr_assert(lt(u32, flood->accepted, 1000000), "a mailbox that is never full");
        } else {
            cr_assert(err == TROUPE_ERR_FULL, "troupe_send: %s", troupe_strerror(err));
            flood->refused++;
            tries++;
        }
        bool is_enough = flood->count_max != 0 && flood->accepted == flood->count_max;
        if (is_enough || tries > flood->extra) {
            break;
        }
    }
    free(body);
}

/* The journal. --------------------------------------------------------------------------------- */

void fixture_journal_open(struct fixture_journal *journal)
{
    fixture_file_new(journal->path, sizeof(journal->path));
}

void fixture_journal_add(const struct fixture_journal *journal, const char *line)
{
    int fd = open(journal->path, O_WRONLY | O_APPEND | O_CLOEXEC);
    MUST_BE(fd >= 0);
    char text[256];
    int length = snprintf(text, sizeof(text), "%s\n", line);
    MUST_BE(length > 0 && (size_t)length < sizeof(text));
    // One write of one line: O_APPEND keeps lines of several processes whole.
    MUST_BE(write(fd, text, (size_t)length) == length);
    (void)close(fd);
}

const char *fixture_journal_close(struct fixture_journal *journal)
{
    static char text[1 << 16];
    int fd = open(journal->path, O_RDONLY | O_CLOEXEC);
    cr_assert(fd >= 0, "%s: %s", journal->path, strerror(errno));
    ssize_t bytes = read(fd, text, sizeof(text) - 1);
    cr_assert(bytes >= 0, "%s: %s", journal->path, strerror(errno));
    text[bytes] = '\0';
    (void)close(fd);
    (void)unlink(journal->path);
    return text;
}
