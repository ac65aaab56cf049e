#include "node/root_actor.h"

#include "actor/send.h"
#include "channel/channel.h"
#include "shared/root.h"
#include "shared/slot.h"
#include "wire/format.h"

void trp_root_actor_ended(
    troupe_system_t *system, troupe_ref_t actor, const struct troupe_exit *exit)
{
    if (trp_root_note_exit(system->runtime.shared, actor, exit)) {
        troupe_system_stop(system);
    }
}

void trp_root_actor_set(troupe_system_t *system, troupe_ref_t actor)
{
    if (trp_root_set(system->runtime.shared, actor)) {
        troupe_system_stop(system);
    }
}

void troupe_system_set_root(troupe_system_t *system, troupe_ref_t actor)
{
    trp_root_actor_set(system, actor);
    // It may have ended already. CHECK_ALIVE takes the way that its START took, so it arrives after it.
    struct troupe_executor *executor = system->executor;
    struct trp_channel *channel = NULL;
    struct trp_outgoing check = {
        .to = actor,
        .kind = TRP_KIND_CHECK_ALIVE,
        .flags = TRP_FLAG_UNMETERED,
    };
    bool here = actor.executor == executor->id;
    if (!here &&
        trp_channel_open(&executor->channels, actor.executor, &channel) == TROUPE_ERR_NOENT) {
        const struct troupe_exit exit = {
            .reason = trp_slot_why_dead(system->runtime.shared, actor.executor) ==
                              TROUPE_DEAD_UNDELIVERABLE
                          ? TROUPE_EXIT_INIT_FAILED
                          : TROUPE_EXIT_NORMAL,
            .text = "ended before it became the root actor",
        };
        trp_root_actor_ended(system, actor, &exit);
    } else {
        (void)trp_send_message(executor, &check);
    }
}

enum troupe_err troupe_system_root_exit(troupe_system_t *system, struct troupe_exit *out_exit)
{
    return trp_root_exit(system->runtime.shared, out_exit)
               ? TROUPE_OK
               : TRP_EXPLAIN(TROUPE_ERR_NOENT, "there is no root actor, or it has not ended");
}
