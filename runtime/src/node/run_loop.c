#include "node/run_loop.h"

#include "actor/end.h"
#include "loop/close.h"
#include "loop/loop.h"
#include "observe/crash.h"

void trp_executor_run(struct troupe_executor *executor)
{
    executor->owner = pthread_self();
    executor->is_looping = true;
    executor->mailbox.has_thread = true;
    trp_crash_enter(executor);
    while (!executor->channels.ending) {
        if (!trp_executor_turn(executor) && !executor->channels.ending) {
            trp_executor_end_if_done(
                executor); // the last of the others in its process may have ended
            trp_executor_wait(executor, trp_executor_timeout_ns(executor));
        }
    }
    trp_executor_stop_actors(executor);
    bool closed = trp_executor_close(executor, UINT64_MAX);
    TRP_CHECK(closed);
    executor->is_looping = false;
    trp_crash_leave();
    executor->runtime->ops->executor_ended(executor->runtime, executor);
}
