/*
 * What the actors of the word count say to each other.
 *
 *     wordcount --READ--> reader --WORDS--> counter <--PAGE-- reducer
 *      (files)           (a file)          (a shard)         (the top)
 *
 * Everything is an ask: its answer says that the asker may go on, and an answer always has room. An
 * ask that is refused, because the mailbox is full, is made again when the ROOM notice comes.
 */
#ifndef WORDCOUNT_H
#define WORDCOUNT_H

#include <troupe/troupe.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    WORDCOUNT_READERS = 8,  /* At most so many at once. */
    WORDCOUNT_COUNTERS = 4, /* The hash of a word says which one counts it. */
};

enum wordcount_message {
    WORDCOUNT_READ = 1,  /* A path. The answer is an int: 0, or the errno of what went wrong. */
    WORDCOUNT_READ_LAST, /* As READ, and no other file follows. */
    WORDCOUNT_WORDS,     /* A struct wordcount_words. The answer is empty. */
    WORDCOUNT_REDUCE,    /* Print the top. The answer is an int: 0 or errno. */
    WORDCOUNT_PAGE, /* The answer is more of the counter's sorted lines, empty after the last. */
    WORDCOUNT_ANSWER,
};

/* The arguments of readers and of the reducer. */
struct wordcount_crew {
    troupe_ref_t counters[WORDCOUNT_COUNTERS];
    uint64_t number; /* Of a reader: which one it is. Of the reducer: how many words to print. */
};

extern const struct troupe_behaviour wordcount_reader;
extern const struct troupe_behaviour wordcount_counter;
extern const struct troupe_behaviour wordcount_reducer;

/* Start the counters, named in @p crew, and the reducer. */
enum troupe_err wordcount_crew_spawn(
    troupe_context_t *ctx, struct wordcount_crew *crew, troupe_ref_t *out_reducer);

/* Ask. False when the mailbox is full: ask again at the ROOM notice. Other errors end the actor. */
bool wordcount_ask(
    troupe_context_t *ctx,
    const struct troupe_outgoing *letter,
    troupe_reply_fn *on_reply,
    uint64_t tag);

#endif
