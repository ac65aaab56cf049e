/*
 * Counts the words of text files, and prints the most frequent ones.
 *
 *     ./wordcount 10 /usr/share/common-licenses/GPL* --place 'counter=process'
 *
 * Shows how actors share a job: the first actor hands a file to whichever counter is idle.
 *
 *     wordcount --COUNT, a path--------------------> counter
 *     wordcount <--COUNTED, an array of struct word-- counter
 *
 * A word is a run of ASCII letters, of which 55 are kept; programs/wordcount has no such limits.
 */
#include <troupe/troupe.h>

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { COUNT = 1, COUNTED, UNREADABLE, COUNTERS = 4, TEXT_BYTES = 56, SLOTS = 1 << 16 };

struct word {
    uint64_t count; /* How often it was found; 0: the slot is free. */
    char text[TEXT_BYTES];
};

/** Add to a hash table of SLOTS words; zeroed memory is an empty one. */
static void table_add(troupe_context_t *ctx, struct word *table, const struct word *word)
{
    size_t hash = 0;
    for (const char *at = word->text; *at != '\0'; at++) {
        hash = 31 * hash + (unsigned char)*at;
    }
    for (size_t i = 0; i < SLOTS / 256; i++) { // longer searches would take for ever
        struct word *slot = &table[(hash + i) % SLOTS];
        if (slot->count == 0 || strcmp(slot->text, word->text) == 0) {
            slot->count += word->count;
            memcpy(slot->text, word->text, TEXT_BYTES);
            return;
        }
    }
    troupe_fail(ctx, 1, "too many different words");
}

static int by_count(const void *a, const void *b)
{
    const struct word *left = a, *right = b;
    return left->count != right->count ? (left->count < right->count ? 1 : -1)
                                       : strcmp(left->text, right->text);
}

/** @return false: the file could not be read; errno says why. */
static bool table_add_file(troupe_context_t *ctx, struct word *table, FILE *file)
{
    struct word word = {.count = 1};
    size_t bytes = 0;
    for (int byte = 0; file != NULL && byte != EOF;) {
        byte = getc(file);
        if (byte != EOF && isalpha((unsigned char)byte)) {
            word.text[bytes] = (char)tolower((unsigned char)byte);
            bytes += bytes < TEXT_BYTES - 1 ? 1 : 0;
        } else if (bytes > 0) {
            word.text[bytes] = '\0';
            bytes = 0;
            table_add(ctx, table, &word);
        }
    }
    return file != NULL && ferror(file) == 0;
}

/** A counter's state is a table that is empty between two messages. */
static void counter_receive(troupe_context_t *ctx, void *state, const troupe_message_t *message)
{
    struct word *table = state;
    const char *path = troupe_message_body(message);
    FILE *file = fopen(path, "re");
    const bool is_read = table_add_file(ctx, table, file);
    if (!is_read) {
        (void)fprintf(stderr, "wordcount: %s: %s\n", path, strerrordesc_np(errno));
    }
    size_t words = 0;
    for (size_t i = 0; i < SLOTS; i++) {
        if (table[i].count > 0) {
            table[words++] = table[i];
        }
    }
    const uint32_t type = is_read ? COUNTED : UNREADABLE;
    troupe_check(ctx, troupe_reply(ctx, message, type, table, words * sizeof(*table)));
    memset(table, 0, SLOTS * sizeof(*table));
    if (file != NULL) {
        (void)fclose(file);
    }
}

static const struct troupe_behaviour counter = {
    .name = "counter", .state_bytes = SLOTS * sizeof(struct word), .receive = counter_receive};

struct wordcount {
    struct word table[SLOTS];
    size_t top, unread_files, unanswered;
    void *args; /* Of the command line: each a string, */
    size_t args_bytes;
    const char *path; /* and the next one to be counted. */
};

static void wordcount_receive(troupe_context_t *ctx, void *state, const troupe_message_t *message)
{
}

static troupe_reply_fn on_reply;

/** Hand a counter the next file; print the words when each file has had its answer. */
static void go_on(troupe_context_t *ctx, struct wordcount *self, troupe_ref_t counter_ref)
{
    if (self->path != NULL) {
        const size_t bytes = strlen(self->path) + 1;
        const struct troupe_outgoing ask = {
            .to = counter_ref, .type = COUNT, .body = self->path, .body_bytes = bytes};
        const struct troupe_ask_options options = {
            .timeout_ns = UINT64_C(3600000000000), .on_reply = on_reply}; // an hour
        self->unanswered += troupe_check(ctx, troupe_ask(ctx, &ask, &options)) ? 1 : 0;
        self->path = troupe_args_next(self->args, self->args_bytes, self->path);
    }
    if (self->unanswered > 0) {
        return;
    }
    qsort(self->table, SLOTS, sizeof(*self->table), by_count);
    for (size_t i = 0; i < self->top && i < SLOTS && self->table[i].count > 0; i++) {
        (void)printf("%s %" PRIu64 "\n", self->table[i].text, self->table[i].count);
    }
    if (fflush(stdout) != 0 || self->unread_files > 0) {
        troupe_fail(ctx, 1, "not all could be read or printed");
    }
    troupe_stop(ctx);
}

static void on_reply(
    troupe_context_t *ctx,
    void *state,
    uint64_t tag,
    enum troupe_err err,
    const troupe_message_t *reply)
{
    struct wordcount *self = state;
    if (!troupe_check(ctx, err)) {
        return;
    }
    const struct word *words = troupe_message_body(reply);
    for (size_t i = troupe_message_body_bytes(reply) / sizeof(*words); i > 0; i--) {
        table_add(ctx, self->table, &words[i - 1]);
    }
    self->unread_files += troupe_message_type(reply) == UNREADABLE ? 1 : 0;
    self->unanswered--;
    go_on(ctx, self, troupe_message_sender(reply));
}

static enum troupe_err wordcount_init(
    troupe_context_t *ctx, void *state, const void *args, size_t args_bytes)
{
    struct wordcount *self = state;
    if ((self->args = malloc(args_bytes + 1)) == NULL) {
        return TROUPE_ERR_NOMEM;
    }
    memcpy(self->args, args_bytes > 0 ? args : "", args_bytes);
    self->args_bytes = args_bytes;
    const char *top = troupe_args_next(self->args, args_bytes, NULL);
    self->top = top != NULL ? strtoul(top, NULL, 10) : 0;
    self->path = top != NULL ? troupe_args_next(self->args, args_bytes, top) : NULL;
    if (self->top == 0 || self->path == NULL) {
        troupe_fail(ctx, 2, "usage: wordcount TOP FILE..., as in: wordcount 10 README.md");
        return TROUPE_OK;
    }
    for (int i = 0; i < COUNTERS; i++) {
        troupe_ref_t ref;
        if (troupe_check(ctx, TROUPE_SPAWN(ctx, &ref, .behaviour = &counter))) {
            go_on(ctx, self, ref);
        }
    }
    return TROUPE_OK;
}

static void wordcount_fini(troupe_context_t *ctx, void *state, const struct troupe_exit *exit)
{
    free(((struct wordcount *)state)->args);
}

static const struct troupe_behaviour wordcount = {
    .name = "wordcount",
    .usage = "TOP FILE...",
    .state_bytes = sizeof(struct wordcount),
    .init = wordcount_init,
    .receive = wordcount_receive,
    .fini = wordcount_fini};

int main(int argc, char **argv)
{
    return troupe_main(argc, argv, TROUPE_BEHAVIOURS(&wordcount, &counter));
}
