/* The reducer: asks the counters for their lines, page by page, and prints the first of all. */
#include "wordcount.h"
#include "wordcount_source.h"

#include <errno.h>
#include <stdio.h>

struct reducer {
    struct wordcount_crew crew;
    struct wordcount_source sources[WORDCOUNT_COUNTERS];
    bool asked[WORDCOUNT_COUNTERS];
    struct troupe_reply_to asker; /* Waits for all to be printed. */
};

static troupe_reply_fn meet_page;

/** Ask for a page where no line is left. @return whether none is missing. */
static bool have_lines(troupe_context_t *ctx, struct reducer *self)
{
    bool all = true;
    for (unsigned i = 0; i < WORDCOUNT_COUNTERS; i++) {
        if (self->sources[i].head.word == NULL && !self->sources[i].ended) {
            const struct troupe_outgoing page = {
                .to = self->crew.counters[i], .type = WORDCOUNT_PAGE};
            self->asked[i] = self->asked[i] || wordcount_ask(ctx, &page, meet_page, i);
            all = false;
        }
    }
    return all;
}

/** Do what can be done now. A page or ROOM brings us back while something is left. */
static void go_on(troupe_context_t *ctx, struct reducer *self)
{
    struct wordcount_source *first = NULL;
    do {
        if (!have_lines(ctx, self)) {
            return;
        }
        first = wordcount_source_first(self->sources, WORDCOUNT_COUNTERS);
        if (first != NULL && self->crew.number > 0) {
            (void)fwrite(first->head.word, 1, first->head_bytes, stdout);
            wordcount_source_take(first);
            self->crew.number--;
        }
    } while (first != NULL && self->crew.number > 0);
    const int error = fflush(stdout) != 0 || ferror(stdout) != 0 ? errno : 0;
    troupe_reply_later(ctx, self->asker, WORDCOUNT_ANSWER, &error, sizeof(error));
}

static void meet_page(
    troupe_context_t *ctx,
    void *state,
    uint64_t i,
    enum troupe_err err,
    const troupe_message_t *answer)
{
    struct reducer *self = state;
    self->asked[i] = false;
    const void *page = err == TROUPE_OK ? troupe_message_body(answer) : NULL;
    const size_t bytes = err == TROUPE_OK ? troupe_message_body_bytes(answer) : 0;
    if (err == TROUPE_OK && wordcount_source_add(&self->sources[i], page, bytes)) {
        go_on(ctx, self);
    } else {
        troupe_fail(ctx, 1, "a counter is gone, or there is no memory for its lines");
    }
}

static void reducer_receive(troupe_context_t *ctx, void *state, const troupe_message_t *message)
{
    struct reducer *self = state;
    if (troupe_message_type(message) == WORDCOUNT_REDUCE) {
        self->asker = troupe_message_reply_to(message);
    }
    go_on(ctx, self);
}

static enum troupe_err reducer_init(
    troupe_context_t *ctx, void *state, const void *args, size_t args_bytes)
{
    (void)ctx, (void)args_bytes;
    ((struct reducer *)state)->crew = *(const struct wordcount_crew *)args;
    return TROUPE_OK;
}

static void reducer_fini(troupe_context_t *ctx, void *state, const struct troupe_exit *exit)
{
    (void)ctx, (void)exit;
    for (int i = 0; i < WORDCOUNT_COUNTERS; i++) {
        wordcount_text_free(&((struct reducer *)state)->sources[i].lines);
    }
}

const struct troupe_behaviour wordcount_reducer = {
    .name = "reducer",
    .state_bytes = sizeof(struct reducer),
    .init = reducer_init,
    .receive = reducer_receive,
    .fini = reducer_fini,
};
