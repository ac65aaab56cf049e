/* A reader: deals out a slice's words, and reads the next slice when all counters have answered. */
#include "wordcount_slices.h"

struct reader {
    struct wordcount_crew crew;
    struct wordcount_slices slices;
    struct troupe_reply_to asker; /* Who waits for the file. */
    unsigned handed;              /* So many counters were handed their part of the slice, */
    unsigned unanswered;          /* and so many of them did not answer yet. */
};

static troupe_reply_fn meet_answer;

/** Hand each counter its part of the slice, be it empty. @return false when one has no room. */
static bool hand_over(troupe_context_t *ctx, struct reader *self)
{
    for (; self->handed < WORDCOUNT_COUNTERS; self->handed++, self->unanswered++) {
        struct wordcount_batch *batch = &self->slices.batches[self->handed];
        const size_t bytes = offsetof(struct wordcount_words, bytes) + batch->used;
        const struct troupe_outgoing letter = {
            .to = self->crew.counters[self->handed],
            .type = WORDCOUNT_WORDS,
            .body = &batch->words,
            .body_bytes = bytes,
        };
        batch->words.reader = self->crew.number;
        if (!wordcount_ask(ctx, &letter, meet_answer, 0)) {
            return false;
        }
        batch->used = 0;
    }
    return true;
}

/** Do what can be done now. An answer or ROOM brings us back while something is left. */
static void go_on(troupe_context_t *ctx, struct reader *self)
{
    if (!hand_over(ctx, self) || self->unanswered > 0 || troupe_ref_is_none(self->asker.ref)) {
        return;
    }
    if (self->slices.file >= 0) {
        wordcount_slices_next(&self->slices);
        self->handed = 0;
        (void)hand_over(ctx, self);
        return;
    }
    troupe_reply_later(ctx, self->asker, WORDCOUNT_ANSWER, &self->slices.error, sizeof(int));
    self->asker.ref = TROUPE_REF_NONE;
    if (self->slices.last) {
        troupe_stop(ctx);
    }
}

static void meet_answer(
    troupe_context_t *ctx,
    void *state,
    uint64_t tag,
    enum troupe_err err,
    const troupe_message_t *answer)
{
    (void)tag, (void)answer;
    struct reader *self = state;
    self->unanswered--;
    if (err != TROUPE_OK) {
        troupe_fail(ctx, 1, "a counter is gone");
    }
    go_on(ctx, self);
}

static enum troupe_err reader_init(
    troupe_context_t *ctx, void *state, const void *args, size_t args_bytes)
{
    (void)ctx, (void)args_bytes;
    *(struct wordcount_crew *)state = *(const struct wordcount_crew *)args;
    ((struct reader *)state)->slices.file = -1;
    return TROUPE_OK;
}

static void reader_receive(troupe_context_t *ctx, void *state, const troupe_message_t *message)
{
    struct reader *self = state;
    const uint32_t type = troupe_message_type(message);
    if (type == WORDCOUNT_READ || type == WORDCOUNT_READ_LAST) {
        const bool last = type == WORDCOUNT_READ_LAST;
        self->asker = troupe_message_reply_to(message);
        self->handed = 0;
        wordcount_slices_open(&self->slices, troupe_message_body(message), last);
    }
    go_on(ctx, self);
}

static void reader_fini(troupe_context_t *ctx, void *state, const struct troupe_exit *exit)
{
    (void)ctx, (void)exit;
    wordcount_slices_close(&((struct reader *)state)->slices);
}

const struct troupe_behaviour wordcount_reader = {
    .name = "reader",
    .state_bytes = sizeof(struct reader),
    .init = reader_init,
    .receive = reader_receive,
    .fini = reader_fini,
};
