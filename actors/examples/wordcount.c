/*
 * Counts the words of files: a reader for each file, counters that share the words, and a reducer.
 * Shows many actors at one task, each in a file beside this one, and ROOM after a full mailbox.
 *
 *     ./wordcount --top 10 /usr/share/common-licenses
 *     ./wordcount --place 'reader=thread' --place 'counter=thread:2' README.md
 */
#include "wordcount.h"

#include "wordcount_command.h"
#include "wordcount_desks.h"

#include <string.h>

struct root {
    struct wordcount_crew crew; /* Its number: how many words to print. */
    struct wordcount_files files;
    struct wordcount_desks desks;
    troupe_ref_t reducer;
    bool reducing;
};

static troupe_reply_fn meet_answer;

/** Do what can be done now. An answer or ROOM brings us back while something is left. */
static void go_on(troupe_context_t *ctx, struct root *self)
{
    const struct troupe_outgoing reduce = {.to = self->reducer, .type = WORDCOUNT_REDUCE};
    if (!wordcount_desks_fill(ctx, &self->desks, &self->files, &self->crew, meet_answer) &&
        !self->reducing) {
        self->reducing = wordcount_ask(ctx, &reduce, meet_answer, WORDCOUNT_READERS);
    }
}

/** Meet the answer of the reader at a desk, or at last the reducer's. */
static void meet_answer(
    troupe_context_t *ctx,
    void *state,
    uint64_t desk,
    enum troupe_err err,
    const troupe_message_t *answer)
{
    struct root *self = state;
    const int error = err == TROUPE_OK ? *TROUPE_BODY(answer, int) : 0;
    if (desk < WORDCOUNT_READERS) {
        wordcount_desks_meet(&self->desks, &self->files, desk, err, error);
        go_on(ctx, self);
    } else if (err != TROUPE_OK || error != 0) {
        troupe_fail(ctx, 1, error != 0 ? strerrordesc_np(error) : "the reducer ended too early");
    } else if (self->files.failed > 0) {
        troupe_fail(ctx, 1, "not all could be read; the rest is counted");
    } else {
        troupe_stop(ctx);
    }
}

static enum troupe_err root_init(
    troupe_context_t *ctx, void *state, const void *args, size_t args_bytes)
{
    struct root *self = state;
    const char *wrong = wordcount_command_read(args, args_bytes, &self->crew.number, &self->files);
    if (wrong != NULL) {
        troupe_fail(ctx, 2, wrong);
        return TROUPE_OK;
    }
    const enum troupe_err err = wordcount_crew_spawn(ctx, &self->crew, &self->reducer);
    if (err == TROUPE_OK) {
        go_on(ctx, self);
    }
    return err;
}

static void root_receive(troupe_context_t *ctx, void *state, const troupe_message_t *message)
{
    (void)message; // ROOM
    go_on(ctx, state);
}

static void root_fini(troupe_context_t *ctx, void *state, const struct troupe_exit *exit)
{
    (void)ctx, (void)exit;
    wordcount_files_free(&((struct root *)state)->files);
}

static const struct troupe_behaviour root = {
    .name = "wordcount",
    .usage = "[--top N] PATH...",
    .state_bytes = sizeof(struct root),
    .init = root_init,
    .receive = root_receive,
    .fini = root_fini,
};

int main(int argc, char **argv)
{
    return troupe_main(
        argc,
        argv,
        TROUPE_BEHAVIOURS(&root, &wordcount_reader, &wordcount_counter, &wordcount_reducer));
}
