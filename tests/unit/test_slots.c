/*
 * Slots: given out, freed, and used again for executors whose ids nobody had before.
 */
#include "shared/shared.h"
#include "shared/slot.h"
#include "shared/slot_queue.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include <unistd.h>

static struct trp_shared *shared;

static void open_shared(void)
{
    int fd = -1;
    cr_assert(trp_shared_new(&shared, &fd) == TROUPE_OK);
    (void)close(fd);
}

static void close_shared(void)
{
    trp_shared_close(&shared);
}

TestSuite(slots, .timeout = 20, .init = open_shared, .fini = close_shared);

static struct trp_slot *take(void)
{
    struct trp_slot *slot = trp_slot_take_next(shared, 1, 1, "one");
    cr_assert(slot != NULL);
    cr_assert(trp_shared_find_slot(shared, slot->id) == slot);
    return slot;
}

static void give_back(struct trp_slot *slot)
{
    trp_shared_lock(shared);
    trp_slot_free(shared, slot);
    trp_shared_unlock(shared);
}

static uint32_t high(void)
{
    return atomic_load(&shared->slot_high);
}

Test(slots, are_used_again_though_not_at_once)
{
    for (uint32_t i = 0; i < 10000; i++) {
        give_back(take());
    }
    uint32_t touched = high();

    cr_expect(lt(u32, touched, 1024), "little memory is touched");
    cr_expect(gt(u32, touched, 256), "what a slot says of an exit stays for a while");
}

Test(slots, are_used_again_in_the_order_in_which_they_were_freed)
{
    while (high() == 0 || shared->slot_queue.count + 1 < high()) {
        give_back(take());
    }
    for (uint32_t i = 0; i < 600; i++) {
        give_back(take()); // the queue is as long as it gets
    }
    struct trp_slot *first = take();
    struct trp_slot *second = take();
    give_back(second);
    give_back(first);
    uint32_t between = shared->slot_queue.count - 2;
    for (uint32_t i = 0; i < between; i++) {
        struct trp_slot *slot = take();
        cr_assert(slot != first && slot != second);
        give_back(slot);
    }

    cr_expect(take() == second);
    cr_expect(take() == first);
}

Test(slots, give_no_id_twice)
{
    static uint32_t last_ids[TRP_SHARED_SLOTS]; // by slot, + 1
    for (uint32_t i = 0; i < 100000; i++) {
        struct trp_slot *slot = take();
        uint32_t *last = &last_ids[slot - shared->slots];
        cr_assert(slot->id + 1 > *last, "id %u after %u", slot->id, *last);
        *last = slot->id + 1;
        give_back(slot);
    }
}

Test(slots, that_have_no_id_left_are_not_used_again)
{
    struct trp_slot *slot = take();
    slot->id |= 0xFFFF0000U;
    uint32_t count = shared->slot_queue.count;

    give_back(slot);

    cr_expect(eq(u32, shared->slot_queue.count, count));
    cr_expect(eq(int, trp_slot_state(slot), TRP_SLOT_FREE));
}

Test(slots, say_how_an_executor_ended_until_another_has_them)
{
    struct trp_slot *slot = take();
    uint32_t id = slot->id;
    slot->died = true;
    give_back(slot);
    cr_expect(eq(int, trp_slot_why_dead(shared, id), TROUPE_DEAD_PEER_DOWN));

    cr_assert(trp_slot_take(shared, id + TRP_SHARED_SLOTS, 1, 1, "two") == slot);

    cr_expect(eq(int, trp_slot_why_dead(shared, id), TROUPE_DEAD_STOPPED));
    cr_expect(eq(int, trp_slot_why_dead(shared, id + 1), TROUPE_DEAD_NO_SUCH_ACTOR));
    cr_expect(trp_shared_find_slot(shared, id) == NULL, "an old id finds no new executor");
}

Test(slots, are_all_there_again_when_a_process_died_that_changed_their_queue)
{
    for (uint32_t i = 0; i < 10; i++) {
        give_back(take());
    }
    struct trp_slot *slot = take();
    shared->slot_queue = (struct trp_slot_queue){.first = 3}; // half of a change

    trp_shared_lock(shared);
    trp_slot_repair_queue(shared);
    trp_shared_unlock(shared);

    cr_expect(eq(u32, shared->slot_queue.count, 10));
    cr_expect(eq(int, trp_slot_state(slot), TRP_SLOT_OPEN));
}

Test(slots, end_only_when_all_are_taken)
{
    for (uint32_t i = 0; i < TRP_SHARED_SLOTS; i++) {
        (void)take();
    }

    cr_expect(trp_slot_take_next(shared, 1, 1, "one more") == NULL);
    struct trp_slot *slot = trp_shared_find_slot(shared, 4711);
    give_back(slot);
    cr_expect(take() == slot);
}
