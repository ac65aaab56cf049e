/*
 * What a seat says of the messages in its executor's hand, as those read it who outlive it.
 */
#include "board.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include <stdlib.h>

enum { HERE = 7, ELSEWHERE = 8 };

/** A seat and a ledger that nobody else knows. */
struct desk {
    struct trp_seat *seat;
    struct trp_ledger *ledger;
};

static struct desk desk_open(uint64_t handled)
{
    struct desk desk = {
        .seat = aligned_alloc(alignof(struct trp_seat), sizeof(struct trp_seat)),
        .ledger = aligned_alloc(alignof(struct trp_ledger), sizeof(struct trp_ledger)),
    };
    cr_assert(desk.seat != NULL && desk.ledger != NULL);
    atomic_init(&desk.seat->hand, 0);
    atomic_init(&desk.ledger->handled, handled);
    return desk;
}

static void desk_close(struct desk *desk)
{
    free(desk->seat);
    free(desk->ledger);
}

Test(hand, holds_nothing_before_the_first_message)
{
    struct desk desk = desk_open(0);
    cr_expect(eq(u32, trp_seat_held(desk.seat, HERE, desk.ledger), 0));
    desk_close(&desk);
}

Test(hand, holds_one_message_until_it_is_counted)
{
    struct desk desk = desk_open(41);
    trp_seat_begin(desk.seat, HERE, desk.ledger);
    cr_expect(eq(u32, trp_seat_held(desk.seat, HERE, desk.ledger), 1));
    cr_expect(eq(u32, trp_seat_held(desk.seat, ELSEWHERE, desk.ledger), 0));
    trp_count(&desk.ledger->handled, 1);
    cr_expect(eq(u32, trp_seat_held(desk.seat, HERE, desk.ledger), 0));
    desk_close(&desk);
}

Test(hand, holds_a_batch_until_it_is_counted)
{
    // Also where the ledger has counted more than a hand can.
    const uint64_t counted[] = {0, TRP_HAND_BEFORE_MASK, UINT64_C(1) << 40, UINT64_MAX >> 1};
    for (size_t i = 0; i < sizeof(counted) / sizeof(counted[0]); i++) {
        for (uint32_t count = 1; count <= TROUPE_BATCH_MAX; count++) {
            struct desk desk = desk_open(counted[i]);
            trp_seat_begin_batch(desk.seat, HERE, desk.ledger, count);
            cr_expect(eq(u32, trp_seat_held(desk.seat, HERE, desk.ledger), count));
            cr_expect(eq(u32, trp_seat_held(desk.seat, ELSEWHERE, desk.ledger), 0));
            trp_count(&desk.ledger->handled, 1); // one of them is enough: the rest was passed over
            cr_expect(eq(u32, trp_seat_held(desk.seat, HERE, desk.ledger), 0));
            desk_close(&desk);
        }
    }
}
