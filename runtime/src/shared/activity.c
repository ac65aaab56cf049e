#include "shared/activity.h"

#include "base/sigsafe.h"
#include "shared/shared.h"
#include "shared/shared_table.h"
#include "troupe/message.h"

struct trp_callback_sample trp_activity_sample(struct trp_slot *slot, uint64_t now_ns)
{
    struct trp_callback_sample sample = {.callback = trp_counted(&slot->callback)};
    if (sample.callback != slot->seen_callback) {
        slot->seen_callback = sample.callback;
        slot->seen_ns = now_ns;
    }
    sample.type = atomic_load_explicit(&slot->callback_type, memory_order_relaxed);
    // Another thread may have sampled it a moment after @p now_ns.
    sample.for_ns = now_ns > slot->seen_ns ? now_ns - slot->seen_ns : 0;
    return sample;
}

void trp_activity_forget(struct trp_slot *slot, uint64_t now_ns)
{
    slot->seen_callback = trp_counted(&slot->callback);
    slot->seen_ns = now_ns;
}

void trp_activity_sample_all(struct trp_shared *shared, uint64_t now_ns)
{
    trp_shared_lock(shared);
    uint32_t high = trp_shared_slot_count(shared);
    for (uint32_t i = 0; i < high; i++) {
        struct trp_slot *slot = &shared->slots[i];
        if (trp_slot_is_there(slot)) {
            (void)trp_activity_sample(slot, now_ns);
        }
    }
    trp_shared_unlock(shared);
}

void trp_callback_print(uint32_t type, char text[static TRP_CALLBACK_TEXT_BYTES])
{
    struct trp_sigsafe sigsafe = {.used = 0};
    if (type == TRP_CALLBACK_INIT) {
        trp_sigsafe_text(&sigsafe, "init");
    } else if (type == TRP_CALLBACK_FINI) {
        trp_sigsafe_text(&sigsafe, "fini");
    } else if (type == TRP_CALLBACK_FAILED_ASK) {
        trp_sigsafe_text(&sigsafe, "an ask that failed");
    } else {
        bool is_reply = (type & TRP_CALLBACK_REPLY) != 0;
        uint32_t number = type & ~TRP_CALLBACK_REPLY;
        bool is_notice = number >= TROUPE_MESSAGE_RESERVED;
        trp_sigsafe_text(&sigsafe, is_reply ? "a reply" : is_notice ? "a notice" : "a message");
        trp_sigsafe_text(&sigsafe, " of type ");
        if (is_notice) {
            trp_sigsafe_text(&sigsafe, "0x");
            trp_sigsafe_hex(&sigsafe, number);
        } else {
            trp_sigsafe_number(&sigsafe, number);
        }
    }
    trp_sigsafe_copy(&sigsafe, text, TRP_CALLBACK_TEXT_BYTES);
}
