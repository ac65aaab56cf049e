/*
 * Counts the words of files and directories, and prints the most frequent ones.
 *
 *     ./wordcount --top 10 /usr/share/common-licenses
 *     ./wordcount --place 'counter=thread' README.md
 *
 * Shows how actors share a job. The first actor reads all files, one after the other as `cat` does, and
 * asks whichever counter is idle to count a block of them:
 *
 *     wordcount --COUNT, a block of text that ends at the end of a word--> counter
 *     wordcount <--COUNTED, its words as lines "WORD COUNT"--------------- counter
 *
 * Little memory is needed, whatever the size of the files: no more blocks are read than are counted. An
 * ask that meets a full mailbox is made again at the ROOM notice. A word is a run of ASCII letters.
 */
#include <troupe/troupe.h>

#include <ctype.h>
#include <errno.h>
#include <fts.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { COUNT = 1, COUNTED = 2, COUNTERS = 4, BLOCK_BYTES = 1 << 18, CHAINS = 1 << 14 };

#define HOUR_NS (UINT64_C(3600) * 1000000000)

/* How often each word was found: a hash table. Zeroed memory is an empty one. */
struct table {
    size_t words;
    struct word {
        struct word *next;
        size_t count;
        char text[]; /* In lower case. */
    } * chains[CHAINS];
};

static bool table_add(struct table *table, const char *text, size_t bytes, size_t count)
{
    size_t hash = 0;
    for (size_t i = 0; i < bytes; i++) {
        hash = 31 * hash + (size_t)tolower(text[i]);
    }
    struct word **at = &table->chains[hash % CHAINS];
    while (*at != NULL && (strncasecmp((*at)->text, text, bytes) != 0 || (*at)->text[bytes] != 0)) {
        at = &(*at)->next;
    }
    if (*at == NULL) {
        if ((*at = calloc(1, sizeof(**at) + bytes + 1)) == NULL) {
            return false;
        }
        for (size_t i = 0; i < bytes; i++) {
            (*at)->text[i] = (char)tolower(text[i]);
        }
        table->words++;
    }
    (*at)->count += count;
    return true;
}

static int by_count(const void *a, const void *b)
{
    const struct word *left = *(struct word *const *)a, *right = *(struct word *const *)b;
    const int order = (left->count < right->count) - (left->count > right->count);
    return order != 0 ? order : strcmp(left->text, right->text);
}

/** Print the @p top most frequent words, and empty the table. False: there is no memory. */
static bool table_print(struct table *table, size_t top, FILE *file)
{
    struct word **words = calloc(table->words + 1, sizeof(*words));
    size_t count = 0;
    for (size_t i = 0; words != NULL && i < CHAINS; i++) {
        for (; table->chains[i] != NULL; table->chains[i] = table->chains[i]->next) {
            words[count++] = table->chains[i];
        }
    }
    if (count > 0) {
        qsort(words, count, sizeof(*words), by_count);
    }
    for (size_t i = 0; i < count; free(words[i++])) {
        if (i < top) {
            (void)fprintf(file, "%s %zu\n", words[i]->text, words[i]->count);
        }
    }
    free(words);
    table->words = 0;
    return words != NULL && ferror(file) == 0;
}

/** A counter's state is a table that is empty between two messages. */
static void counter_receive(troupe_context_t *ctx, void *state, const troupe_message_t *message)
{
    const char *text = troupe_message_body(message);
    const char *const end = text + troupe_message_body_bytes(message);
    char *lines = NULL;
    size_t line_bytes = 0;
    FILE *file = open_memstream(&lines, &line_bytes);
    bool good = file != NULL;
    for (const char *word = text; text < end && good; word = ++text) {
        while (text < end && isalpha((unsigned char)*text)) {
            text++;
        }
        good = text == word || table_add(state, word, (size_t)(text - word), 1);
    }
    good = file != NULL && table_print(state, SIZE_MAX, file) && fclose(file) == 0 && good;
    if (good) {
        troupe_check(ctx, troupe_reply(ctx, message, COUNTED, lines, line_bytes));
    } else {
        troupe_fail(ctx, 1, "no memory for more words");
    }
    free(lines);
}

static const struct troupe_behaviour counter = {
    .name = "counter", .state_bytes = sizeof(struct table), .receive = counter_receive};

/* The first actor. */
struct wordcount {
    struct table table;
    size_t top, unread_files;
    char **paths; /* As the command line has them, ended by NULL, */
    char **path;  /* and the one that is walked. */
    FTS *walk;
    const FTSENT *entry;
    FILE *file;
    char *block; /* Holds so many bytes; so many of them end with a word, and are to be counted. */
    size_t capacity, block_bytes, word_bytes;
    troupe_ref_t idle[COUNTERS];
    size_t idle_count;
};

static void tell(struct wordcount *self, const char *path, const char *why)
{
    (void)fprintf(stderr, "wordcount: %s: %s\n", path, why);
    self->unread_files++;
}

/** Open what a walk has found. Below a directory only regular files are read. */
static void open_entry(struct wordcount *self)
{
    const FTSENT *entry = self->entry;
    struct stat found = {0};
    errno = entry->fts_errno;
    if (errno == 0 && stat(entry->fts_path, &found) == 0 &&
        (S_ISREG(found.st_mode) || entry->fts_level == FTS_ROOTLEVEL)) {
        self->file = fopen(entry->fts_path, "re");
    }
    if (self->file == NULL && errno != 0) {
        tell(self, entry->fts_path, strerrordesc_np(errno));
    } else if (
        self->file == NULL && !S_ISDIR(found.st_mode)) { // a link to one could lead in circles
        tell(self, entry->fts_path, "not a regular file");
    }
}

static int by_name(const FTSENT **a, const FTSENT **b)
{
    return strcmp((*a)->fts_name, (*b)->fts_name);
}

/** Open the next file. @return false after the last. */
static bool open_next(struct wordcount *self)
{
    const int options = FTS_COMFOLLOW | FTS_PHYSICAL | FTS_NOCHDIR;
    while (self->file == NULL && *self->path != NULL) {
        char *const roots[] = {*self->path, NULL};
        if (self->walk == NULL && (self->walk = fts_open(roots, options, by_name)) == NULL) {
            tell(self, *self->path++, strerrordesc_np(errno));
        } else if ((self->entry = fts_read(self->walk)) == NULL) {
            if (errno != 0) { // fts_read() clears it at the end of a walk
                tell(self, *self->path, strerrordesc_np(errno));
            }
            (void)fts_close(self->walk);
            self->walk = NULL;
            self->path++;
        } else if (self->entry->fts_info != FTS_D && self->entry->fts_info != FTS_DP) {
            open_entry(self);
        }
    }
    return self->file != NULL;
}

/** Read until the block is full, or all is read. @return whether there is something to be counted. */
static bool read_block(struct wordcount *self)
{
    while (self->word_bytes == 0 && open_next(self)) {
        if (self->block_bytes == self->capacity) { // at first, and within a long word
            char *grown = realloc(self->block, self->capacity + BLOCK_BYTES);
            self->block = grown != NULL ? grown : self->block;
            self->capacity += grown != NULL ? BLOCK_BYTES : 0;
        }
        const size_t room = self->capacity - self->block_bytes;
        const size_t bytes = fread(self->block + self->block_bytes, 1, room, self->file);
        self->block_bytes += bytes;
        if (bytes == room && room > 0) {
            self->word_bytes = self->block_bytes;
            while (self->word_bytes > 0 &&
                   isalpha((unsigned char)self->block[self->word_bytes - 1])) {
                self->word_bytes--;
            }
            continue;
        }
        if (room == 0 || ferror(self->file) != 0) {
            tell(self, self->entry->fts_path, strerrordesc_np(errno));
        }
        (void)fclose(self->file);
        self->file = NULL;
    }
    if (self->word_bytes == 0) {
        self->word_bytes = self->block_bytes;
    }
    return self->word_bytes > 0;
}

static void finish(troupe_context_t *ctx, struct wordcount *self)
{
    if (!table_print(&self->table, self->top, stdout) || fflush(stdout) != 0) {
        troupe_fail(ctx, 1, "the words could not be printed");
    } else if (self->unread_files > 0) {
        troupe_fail(ctx, 1, "not all could be read; the rest is counted");
    } else {
        troupe_stop(ctx);
    }
}

static troupe_reply_fn add_lines;

/** Give the idle counters something to do. A reply or ROOM brings us back. */
static void go_on(troupe_context_t *ctx, struct wordcount *self)
{
    const struct troupe_ask_options patience = {.timeout_ns = HOUR_NS, .on_reply = add_lines};
    while (self->idle_count > 0 && read_block(self)) {
        const struct troupe_outgoing ask = {
            .to = self->idle[self->idle_count - 1],
            .type = COUNT,
            .body = self->block,
            .body_bytes = self->word_bytes,
        };
        const enum troupe_err err = troupe_ask(ctx, &ask, &patience);
        if (err == TROUPE_ERR_FULL || !troupe_check(ctx, err)) {
            return;
        }
        self->idle_count--;
        self->block_bytes -= self->word_bytes;
        memmove(self->block, self->block + self->word_bytes, self->block_bytes);
        self->word_bytes = 0;
    }
    if (self->idle_count == COUNTERS) {
        finish(ctx, self);
    }
}

static void add_lines(
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
    const char *line = troupe_message_body(reply);
    const char *const end = line != NULL ? line + troupe_message_body_bytes(reply) : NULL;
    while (line != end) {
        const char *space = memchr(line, ' ', (size_t)(end - line));
        char *newline = NULL;
        const size_t count = strtoul(space, &newline, 10);
        if (!table_add(&self->table, line, (size_t)(space - line), count)) {
            troupe_fail(ctx, 1, "no memory for more words");
            return;
        }
        line = newline + 1;
    }
    self->idle[self->idle_count++] = troupe_message_sender(reply);
    go_on(ctx, self);
}

static void wordcount_receive(troupe_context_t *ctx, void *state, const troupe_message_t *message)
{
    go_on(ctx, state); // ROOM
}

/** Read the command line. @return NULL, or what is wrong with it. */
static const char *read_words(struct wordcount *self, const void *args, size_t args_bytes)
{
    size_t count = 0;
    const char *word = NULL;
    while ((word = troupe_args_next(args, args_bytes, word)) != NULL) {
        char *end = NULL;
        if (strcmp(word, "--top") == 0) {
            word = troupe_args_next(args, args_bytes, word);
            self->top = word != NULL && isdigit((unsigned char)*word) ? strtoul(word, &end, 10) : 0;
            if (end == NULL || *end != '\0') {
                return "--top wants a number, as in: wordcount --top 10 PATH";
            }
        } else if (word[0] == '-') {
            return "no such flag; a PATH that begins with - is written ./-";
        } else if ((self->paths[count++] = strdup(word)) == NULL) {
            return "no memory for so many paths";
        }
    }
    return count > 0 ? NULL : "a PATH is missing, as in: wordcount /usr/share/common-licenses";
}

static enum troupe_err wordcount_init(
    troupe_context_t *ctx, void *state, const void *args, size_t args_bytes)
{
    struct wordcount *self = state;
    self->top = 10;
    self->path = self->paths = calloc(args_bytes + 1, sizeof(*self->paths)); // more than enough
    if (self->paths == NULL) {
        return TROUPE_ERR_NOMEM;
    }
    const char *wrong = read_words(self, args, args_bytes);
    if (wrong != NULL) {
        troupe_fail(ctx, 2, wrong);
        return TROUPE_OK;
    }
    while (self->idle_count < COUNTERS) {
        if (!troupe_check(
                ctx, TROUPE_SPAWN(ctx, &self->idle[self->idle_count++], .behaviour = &counter))) {
            return TROUPE_OK;
        }
    }
    go_on(ctx, self);
    return TROUPE_OK;
}

static void wordcount_fini(troupe_context_t *ctx, void *state, const struct troupe_exit *exit)
{
    struct wordcount *self = state;
    (void)table_print(&self->table, 0, stdout); // frees what is left
    for (self->path = self->paths; *self->path != NULL; self->path++) {
        free(*self->path);
    }
    free(self->paths);
    free(self->block);
    if (self->walk != NULL) {
        fts_close(self->walk);
    }
    if (self->file != NULL) {
        (void)fclose(self->file);
    }
}

static const struct troupe_behaviour wordcount = {
    .name = "wordcount",
    .usage = "[--top N] PATH...",
    .state_bytes = sizeof(struct wordcount),
    .init = wordcount_init,
    .receive = wordcount_receive,
    .fini = wordcount_fini,
};

int main(int argc, char **argv)
{
    return troupe_main(argc, argv, TROUPE_BEHAVIOURS(&wordcount, &counter));
}
