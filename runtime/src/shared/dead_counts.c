#include "shared/dead_counts.h"

enum {
    DEAD_COUNTS_FREE = 0,
    DEAD_COUNTS_TAKEN = 1,
    DEAD_COUNTS_READY = 2,
    DEAD_COUNTS_PROBES = 64
};

/** @source the finalizer of S. Vigna's splitmix64, prng.di.unimi.it. */
static uint32_t dead_counts_hash(troupe_ref_t ref)
{
    uint64_t bits = (uint64_t)ref.executor << 32 | ref.index;
    bits ^= (uint64_t)ref.node << 48 ^ (uint64_t)ref.generation << 16;
    bits = (bits ^ (bits >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    bits = (bits ^ (bits >> 27)) * UINT64_C(0x94D049BB133111EB);
    return (uint32_t)(bits ^ (bits >> 31));
}

struct trp_dead_counts_entry *trp_dead_counts_seek(
    struct trp_dead_counts *dead_counts, troupe_ref_t ref, bool *out_is_new)
{
    uint32_t hash = dead_counts_hash(ref);
    *out_is_new = false;
    for (uint32_t probe = 0; probe < DEAD_COUNTS_PROBES; probe++) {
        struct trp_dead_counts_entry *entry =
            &dead_counts->entries[(hash + probe) % TRP_DEAD_COUNTS_ENTRIES];
        uint32_t state = atomic_load_explicit(&entry->state, memory_order_acquire);
        if (state == DEAD_COUNTS_READY && troupe_ref_equal(entry->ref, ref)) {
            return entry;
        }
        // Two threads at once may take two entries for one receiver; the audit prints both.
        if (state == DEAD_COUNTS_FREE && atomic_compare_exchange_strong_explicit(
                                             &entry->state,
                                             &state,
                                             DEAD_COUNTS_TAKEN,
                                             memory_order_relaxed,
                                             memory_order_relaxed)) {
            entry->ref = ref;
            *out_is_new = true;
            return entry;
        }
    }
    return NULL;
}

void trp_dead_counts_publish(struct trp_dead_counts_entry *entry)
{
    // Release: pairs with the acquire loads of `state`: reference and name are filled in.
    atomic_store_explicit(&entry->state, DEAD_COUNTS_READY, memory_order_release);
}

void trp_dead_counts_add(
    struct trp_dead_counts *dead_counts,
    struct trp_dead_counts_entry *entry,
    enum troupe_dead_reason reason,
    uint64_t count)
{
    _Atomic uint64_t *dead = entry == NULL ? dead_counts->rest : entry->dead;
    atomic_fetch_add_explicit(&dead[reason], count, memory_order_relaxed);
}

const struct trp_dead_counts_entry *trp_dead_counts_get(
    const struct trp_dead_counts *dead_counts, uint32_t which)
{
    const struct trp_dead_counts_entry *entry = &dead_counts->entries[which];
    uint32_t state = atomic_load_explicit(&entry->state, memory_order_acquire);
    return state == DEAD_COUNTS_READY ? entry : NULL;
}
