#include "shared/activity.h"

#include "base/sigsafe.h"
#include "troupe/message.h"

struct trp_glimpse trp_activity_look(struct trp_seat *seat, uint64_t now_ns)
{
    struct trp_glimpse glimpse = {.doing = trp_counted(&seat->doing)};
    if (glimpse.doing != seat->seen_doing) {
        seat->seen_doing = glimpse.doing;
        seat->seen_ns = now_ns;
    }
    glimpse.type = atomic_load_explicit(&seat->doing_type, memory_order_relaxed);
    // Another look may have been a moment later than this one's time.
    glimpse.for_ns = now_ns > seat->seen_ns ? now_ns - seat->seen_ns : 0;
    return glimpse;
}

void trp_activity_forget(struct trp_seat *seat, uint64_t now_ns)
{
    seat->seen_doing = trp_counted(&seat->doing);
    seat->seen_ns = now_ns;
}

void trp_activity_look_at_all(struct trp_board *board, uint64_t now_ns)
{
    trp_board_lock(board);
    uint32_t high = atomic_load_explicit(&board->seat_high, memory_order_acquire);
    for (uint32_t i = 0; i < high; i++) {
        struct trp_seat *seat = &board->seats[i];
        if (trp_seat_is_there(seat)) {
            (void)trp_activity_look(seat, now_ns);
        }
    }
    trp_board_unlock(board);
}

void trp_doing_print(uint32_t type, char text[static TRP_DOING_TEXT_BYTES])
{
    struct trp_scribble scribble = {.used = 0};
    if (type == TRP_DOING_INIT) {
        trp_scribble_text(&scribble, "init");
    } else if (type == TRP_DOING_FINI) {
        trp_scribble_text(&scribble, "fini");
    } else if (type == TRP_DOING_FAILED_ASK) {
        trp_scribble_text(&scribble, "an ask that failed");
    } else {
        bool is_answer = (type & TRP_DOING_ANSWER) != 0;
        uint32_t number = type & ~TRP_DOING_ANSWER;
        bool is_notice = number >= TROUPE_MESSAGE_RESERVED;
        trp_scribble_text(
            &scribble,
            is_answer   ? "an answer"
            : is_notice ? "a notice"
                        : "a message");
        trp_scribble_text(&scribble, " of type ");
        if (is_notice) {
            trp_scribble_text(&scribble, "0x");
            trp_scribble_hex(&scribble, number);
        } else {
            trp_scribble_number(&scribble, number);
        }
    }
    trp_scribble_copy(&scribble, text, TRP_DOING_TEXT_BYTES);
}
