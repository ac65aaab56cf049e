/* A counter: counts the words of its shard, and hands them out in order, a page at a time. */
#include "wordcount_order.h"
#include "wordcount_slices.h"
#include "wordcount_table.h"
#include "wordcount_text.h"

#include <string.h>

enum { PAGE_BYTES = 16384 };

struct counter {
    struct wordcount_table table;
    struct wordcount_text begun[WORDCOUNT_READERS]; /* A long word, of which more will come. */
    struct wordcount_order order;
};

/** Count one word: what @p begun holds of it, and the rest. */
static bool count_word(
    struct counter *self, struct wordcount_text *begun, const char *rest, size_t rest_bytes)
{
    if (begun->used == 0) {
        return wordcount_table_count(&self->table, rest, rest_bytes);
    }
    const bool done = wordcount_text_add(begun, rest, rest_bytes) &&
                      wordcount_table_count(&self->table, begun->bytes, begun->used);
    wordcount_text_free(begun);
    return done;
}

static bool count_words(
    struct counter *self, struct wordcount_text *begun, const char *words, size_t bytes)
{
    const char *const end = words + bytes;
    while (words < end) {
        const char *newline = memchr(words, '\n', (size_t)(end - words));
        if (newline == NULL) {
            return wordcount_text_add(begun, words, (size_t)(end - words));
        }
        if (!count_word(self, begun, words, (size_t)(newline - words))) {
            return false;
        }
        words = newline + 1;
    }
    return true;
}

static void counter_receive(troupe_context_t *ctx, void *state, const troupe_message_t *message)
{
    struct counter *self = state;
    if (troupe_message_type(message) == WORDCOUNT_WORDS) {
        const struct wordcount_words *words = troupe_message_body(message);
        const size_t bytes =
            troupe_message_body_bytes(message) - offsetof(struct wordcount_words, bytes);
        if (!count_words(self, &self->begun[words->reader], words->bytes, bytes)) {
            troupe_fail(ctx, 1, "a counter has no memory for more words");
            return;
        }
        troupe_reply(ctx, message, WORDCOUNT_ANSWER, NULL, 0);
        return;
    }
    char page[PAGE_BYTES];
    const size_t bytes = wordcount_order_read(&self->order, &self->table, page, sizeof(page));
    troupe_reply(ctx, message, WORDCOUNT_ANSWER, page, bytes);
}

static void counter_fini(troupe_context_t *ctx, void *state, const struct troupe_exit *exit)
{
    (void)ctx, (void)exit;
    struct counter *self = state;
    wordcount_table_free(&self->table);
    for (int i = 0; i < WORDCOUNT_READERS; i++) {
        wordcount_text_free(&self->begun[i]);
    }
}

const struct troupe_behaviour wordcount_counter = {
    .name = "counter",
    .state_bytes = sizeof(struct counter),
    .receive = counter_receive,
    .fini = counter_fini,
};
