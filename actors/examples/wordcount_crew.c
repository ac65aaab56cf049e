/* Those who count together, and how they ask each other. */
#include "wordcount.h"

/* A day, as for a very large file. */
#define PATIENCE_NS (UINT64_C(86400) * 1000000000)

bool wordcount_ask(
    troupe_context_t *ctx,
    const struct troupe_outgoing *letter,
    troupe_reply_fn *on_reply,
    uint64_t tag)
{
    const enum troupe_err err = troupe_ask(
        ctx,
        letter,
        &(const struct troupe_ask_options){
            .timeout_ns = PATIENCE_NS, .on_reply = on_reply, .tag = tag});
    if (err != TROUPE_OK && err != TROUPE_ERR_FULL) {
        troupe_fail(ctx, 1, troupe_strerror(err));
    }
    return err == TROUPE_OK;
}

enum troupe_err wordcount_crew_spawn(
    troupe_context_t *ctx, struct wordcount_crew *crew, troupe_ref_t *out_reducer)
{
    static const char *const names[] = {"counter-0", "counter-1", "counter-2", "counter-3"};
    for (int i = 0; i < WORDCOUNT_COUNTERS; i++) {
        const struct troupe_spawn_options counter = {
            .behaviour = &wordcount_counter, .name = names[i]};
        const enum troupe_err err = troupe_spawn(ctx, &counter, &crew->counters[i]);
        if (err != TROUPE_OK) {
            return err;
        }
    }
    const struct troupe_spawn_options reducer = {
        .behaviour = &wordcount_reducer, .args = crew, .args_bytes = sizeof(*crew)};
    return troupe_spawn(ctx, &reducer, out_reducer);
}
