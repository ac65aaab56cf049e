#include "troupe/behaviour.h"
#include "troupe/message.h"

const char *troupe_exit_reason_text(enum troupe_exit_reason reason)
{
    switch (reason) {
    case TROUPE_EXIT_NORMAL:
        return "normal";
    case TROUPE_EXIT_SHUTDOWN:
        return "shutdown";
    case TROUPE_EXIT_ERROR:
        return "error";
    case TROUPE_EXIT_KILLED:
        return "killed";
    case TROUPE_EXIT_CRASHED:
        return "crashed";
    case TROUPE_EXIT_OUT_OF_MEMORY:
        return "out_of_memory";
    case TROUPE_EXIT_INIT_FAILED:
        return "init_failed";
    case TROUPE_EXIT_NODE_LOST:
        return "node_lost";
    case TROUPE_EXIT_UNKNOWN:
        return "unknown";
    }
    return "unknown";
}

const char *troupe_dead_reason_text(enum troupe_dead_reason reason)
{
    static const char *const texts[TROUPE_DEAD_REASON_COUNT] = {
        [TROUPE_DEAD_NO_SUCH_ACTOR] = "no_such_actor",
        [TROUPE_DEAD_STOPPED] = "stopped",
        [TROUPE_DEAD_OVERFLOW] = "overflow",
        [TROUPE_DEAD_EXPIRED] = "expired",
        [TROUPE_DEAD_UNDECODABLE] = "undecodable",
        [TROUPE_DEAD_PEER_DOWN] = "peer_down",
        [TROUPE_DEAD_SENDER_DOWN] = "sender_down",
        [TROUPE_DEAD_LATE_REPLY] = "late_reply",
        [TROUPE_DEAD_UNDELIVERABLE] = "undeliverable",
        [TROUPE_DEAD_POISON] = "poison",
    };
    return (unsigned)reason < TROUPE_DEAD_REASON_COUNT ? texts[reason] : "unknown";
}
