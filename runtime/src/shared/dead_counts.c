#include "shared/dead_counts.h"

enum { TOLL_FREE = 0, TOLL_TAKEN = 1, TOLL_THERE = 2, TOLL_PROBES = 64 };

/** @source the finalizer of S. Vigna's splitmix64, prng.di.unimi.it. */
static uint32_t toll_hash(troupe_ref_t ref)
{
    uint64_t bits = (uint64_t)ref.executor << 32 | ref.index;
    bits ^= (uint64_t)ref.node << 48 ^ (uint64_t)ref.generation << 16;
    bits = (bits ^ (bits >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    bits = (bits ^ (bits >> 27)) * UINT64_C(0x94D049BB133111EB);
    return (uint32_t)(bits ^ (bits >> 31));
}

struct trp_toll_entry *trp_toll_seek(struct trp_toll *toll, troupe_ref_t ref, bool *out_is_new)
{
    uint32_t hash = toll_hash(ref);
    *out_is_new = false;
    for (uint32_t probe = 0; probe < TOLL_PROBES; probe++) {
        struct trp_toll_entry *entry = &toll->entries[(hash + probe) % TRP_TOLL_ENTRIES];
        uint32_t state = atomic_load_explicit(&entry->state, memory_order_acquire);
        if (state == TOLL_THERE && troupe_ref_equal(entry->ref, ref)) {
            return entry;
        }
        // Two at once may take two entries for one receiver: who prints them adds them up.
        if (state == TOLL_FREE &&
            atomic_compare_exchange_strong_explicit(
                &entry->state, &state, TOLL_TAKEN, memory_order_relaxed, memory_order_relaxed)) {
            entry->ref = ref;
            *out_is_new = true;
            return entry;
        }
    }
    return NULL;
}

void trp_toll_publish(struct trp_toll_entry *entry)
{
    // Release: pairs with the acquire of who finds it: reference and name are there.
    atomic_store_explicit(&entry->state, TOLL_THERE, memory_order_release);
}

void trp_toll_count(
    struct trp_toll *toll,
    struct trp_toll_entry *entry,
    enum troupe_dead_reason reason,
    uint64_t count)
{
    _Atomic uint64_t *dead = entry == NULL ? toll->rest : entry->dead;
    atomic_fetch_add_explicit(&dead[reason], count, memory_order_relaxed);
}

const struct trp_toll_entry *trp_toll_get(const struct trp_toll *toll, uint32_t which)
{
    const struct trp_toll_entry *entry = &toll->entries[which];
    uint32_t state = atomic_load_explicit(&entry->state, memory_order_acquire);
    return state == TOLL_THERE ? entry : NULL;
}
