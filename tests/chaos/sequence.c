#include "chaos.h"

enum chaos_order chaos_sequence_check(
    struct chaos_sequence *sequence, troupe_ref_t from, const struct chaos_numbered *numbered)
{
    if (numbered->slot >= CHAOS_SLOTS) {
        return CHAOS_MISSING;
    }
    struct chaos_stream *streams = sequence->streams[numbered->slot];
    struct chaos_stream *stream = NULL;
    struct chaos_stream *oldest = &streams[0];
    for (uint32_t i = 0; i < CHAOS_SEQUENCE_STREAMS; i++) {
        if (troupe_ref_equal(streams[i].from, from)) {
            stream = &streams[i];
        }
        oldest = streams[i].since < oldest->since ? &streams[i] : oldest;
    }
    if (stream == NULL) {
        stream = oldest;
        *stream = (struct chaos_stream){.from = from, .since = ++sequence->since};
    }
    if (numbered->number < stream->next) {
        return CHAOS_DUPLICATE;
    }
    enum chaos_order order = numbered->number == stream->next ? CHAOS_IN_ORDER : CHAOS_MISSING;
    stream->next = numbered->number + 1;
    return order;
}
