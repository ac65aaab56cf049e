#include "loop/executor_new.h"

#include "actor/actor_table.h"
#include "actor/asks.h"
#include "actor/channel_events.h"
#include "actor/executor.h"
#include "actor/monitor_table.h"
#include "base/timer_heap.h"
#include "channel/channel.h"
#include "channel/channel_close.h"
#include "channel/mailbox.h"
#include "wire/frame_pool.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

/** Set up the fields of an executor that can be freed from here on. @return false: no memory. */
static bool executor_init(
    struct troupe_executor *executor,
    struct trp_runtime *runtime,
    struct trp_slot *slot,
    enum trp_executor_mode mode,
    const char *name)
{
    executor->runtime = runtime;
    executor->node = runtime->node;
    executor->id = slot->id;
    executor->mode = mode;
    executor->name = strdup(name);
    executor->owner = pthread_self();
    executor->random_state = runtime->seed ^ (slot->id * UINT64_C(0x9E3779B97F4A7C15));
    executor->slot = slot;
    executor->counters = &slot->counters;
    executor->wake_fd = -1;
    executor->listener_fd = -1;
    executor->handled_limit = UINT64_MAX;
    executor->channels = (struct trp_channels){
        .events = &trp_executor_events,
        .shared = runtime->shared,
        .zmq_context = runtime->context,
        .slot = slot,
        .records = runtime->records,
        .mailbox = &executor->mailbox,
        .frames = {.pool = &runtime->frames},
        .is_inbox = mode == TRP_MODE_INBOX,
    };
    bool made = trp_actor_table_init(&executor->actors, runtime->behaviour_count);
    executor->actors.row_count = &slot->row_count;
    return made && executor->name != NULL;
}

/** Open the descriptors of an executor: its eventfd, its mailbox, and the channel to itself. */
static enum troupe_err executor_open(struct troupe_executor *executor)
{
    struct trp_runtime *runtime = executor->runtime;
    // An inbox has an eventfd as well: it ends its wait when a process exits, and when it is to listen.
    executor->wake_fd = executor->mode == TRP_MODE_CALLER ? runtime->wake_fd
                                                          : eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (executor->wake_fd < 0) {
        return TRP_EXPLAIN(TROUPE_ERR_SYSTEM, "no eventfd: errno %d", errno);
    }
    enum troupe_err err = trp_mailbox_init(
        &executor->mailbox,
        runtime->context,
        executor->id,
        &executor->slot->doorbell,
        &runtime->spinners,
        executor->wake_fd);
    if (err == TROUPE_OK && !trp_channel_open_loop(&executor->channels)) {
        err = TRP_EXPLAIN(TROUPE_ERR_NOMEM, "no memory for an executor");
    }
    return err;
}

enum troupe_err trp_executor_new(
    struct trp_runtime *runtime,
    struct trp_slot *slot,
    enum trp_executor_mode mode,
    const char *name,
    struct troupe_executor **out_executor)
{
    struct troupe_executor *executor = calloc(1, sizeof(*executor));
    if (executor == NULL) {
        return TRP_EXPLAIN(TROUPE_ERR_NOMEM, "no memory for an executor");
    }
    enum troupe_err err = TROUPE_OK;
    if (executor_init(executor, runtime, slot, mode, name)) {
        err = executor_open(executor);
    } else {
        err = TRP_EXPLAIN(TROUPE_ERR_NOMEM, "no memory for an executor");
    }
    if (err != TROUPE_OK) {
        trp_executor_free(&executor);
        return err;
    }
    *out_executor = executor;
    return TROUPE_OK;
}

static void executor_free_timers(struct troupe_executor *executor)
{
    uint64_t id = 0;
    void *timer = NULL;
    while ((timer = trp_timer_heap_pop(&executor->timers, &id)) != NULL) {
        free(timer);
    }
    trp_timer_heap_fini(&executor->timers);
    free(executor->timer_lists);
}

void trp_executor_free(struct troupe_executor **executor_p)
{
    struct troupe_executor *executor = *executor_p;
    if (executor == NULL) {
        return;
    }
    trp_channels_fini(&executor->channels);
    trp_mailbox_fini(&executor->mailbox);
    executor_free_timers(executor);
    trp_asks_fini(&executor->asks);
    trp_monitor_table_fini(&executor->monitors);
    trp_actor_table_fini(&executor->actors);
    trp_frame_cache_fini(&executor->channels.frames);
    if (executor->mode != TRP_MODE_CALLER && executor->wake_fd >= 0) {
        (void)close(executor->wake_fd);
    }
    if (executor->listener_fd >= 0) {
        (void)close(executor->listener_fd);
    }
    free(executor->stops);
    free(executor->name);
    free(executor);
    *executor_p = NULL;
}
