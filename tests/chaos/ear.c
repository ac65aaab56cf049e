#include "chaos.h"

enum chaos_sound chaos_ear_hear(
    struct chaos_ear *ear, troupe_ref_t from, const struct chaos_word *word)
{
    if (word->slot >= CHAOS_SLOTS) {
        return CHAOS_MISSING;
    }
    struct chaos_voice *voices = ear->voices[word->slot];
    struct chaos_voice *voice = NULL;
    struct chaos_voice *oldest = &voices[0];
    for (uint32_t i = 0; i < CHAOS_EAR_KEPT; i++) {
        if (troupe_ref_equal(voices[i].from, from)) {
            voice = &voices[i];
        }
        oldest = voices[i].since < oldest->since ? &voices[i] : oldest;
    }
    if (voice == NULL) {
        voice = oldest;
        *voice = (struct chaos_voice){.from = from, .since = ++ear->since};
    }
    if (word->number < voice->next) {
        return CHAOS_TWICE;
    }
    enum chaos_sound sound = word->number == voice->next ? CHAOS_IN_ORDER : CHAOS_MISSING;
    voice->next = word->number + 1;
    return sound;
}
