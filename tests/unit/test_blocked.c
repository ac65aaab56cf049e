/*
 * The queue of blocked senders: first come first served, and none twice.
 */
#include "channel/blocked.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

TestSuite(blocked, .timeout = 10);

static struct trp_blocked_sender sender_of(uint32_t index)
{
    return (struct trp_blocked_sender){
        .index = index,
        .generation = 1,
        .to = {.node = 1, .executor = 2, .index = 3, .generation = 4},
        .bytes = (int64_t)index,
    };
}

static void add(struct trp_blocked *list, uint32_t index)
{
    const struct trp_blocked_sender sender = sender_of(index);
    cr_assert(trp_blocked_add(list, &sender));
}

static bool contains(const struct trp_blocked *list, uint32_t index)
{
    const struct trp_blocked_sender sender = sender_of(index);
    return trp_blocked_contains(list, &sender);
}

Test(blocked, has_no_next_sender_while_it_is_empty)
{
    struct trp_blocked list = {0};

    cr_expect(not(trp_blocked_has_waiting(&list)));
    cr_expect(trp_blocked_next(&list) == NULL);
    cr_expect(not(contains(&list, 1)));
    cr_expect(eq(u32, trp_blocked_notified_count(&list), 0));
    trp_blocked_fini(&list);
}

Test(blocked, notifies_senders_in_the_order_they_came)
{
    struct trp_blocked list = {0};
    for (uint32_t i = 0; i < 100; i++) {
        add(&list, i);
    }
    for (uint32_t i = 0; i < 100; i++) {
        cr_expect(eq(u32, trp_blocked_next(&list)->index, i));
        trp_blocked_drop(&list);
    }
    cr_expect(not(trp_blocked_has_waiting(&list)));
    trp_blocked_fini(&list);
}

Test(blocked, contains_waiting_and_notified_senders_and_no_longer_one_whose_room_is_delivered)
{
    struct trp_blocked list = {0};
    add(&list, 1);
    add(&list, 2);

    trp_blocked_mark_notified(&list);
    cr_expect(contains(&list, 1));
    cr_expect(contains(&list, 2));
    trp_blocked_take_notified(&list);
    cr_expect(not(contains(&list, 1)));
    cr_expect(contains(&list, 2));

    struct trp_blocked_sender elsewhere = sender_of(2);
    elsewhere.to.index++;
    cr_expect(not(trp_blocked_contains(&list, &elsewhere)));
    trp_blocked_fini(&list);
}

Test(blocked, sums_the_bodies_of_notified_senders)
{
    struct trp_blocked list = {0};
    add(&list, 10);
    add(&list, 20);
    add(&list, 40);

    trp_blocked_mark_notified(&list);
    trp_blocked_mark_notified(&list);
    cr_expect(eq(i64, list.notified_bytes, 30));
    cr_expect(eq(u32, trp_blocked_notified_count(&list), 2));
    trp_blocked_take_notified(&list);
    cr_expect(eq(i64, list.notified_bytes, 20));
    trp_blocked_take_notified(&list);
    cr_expect(eq(i64, list.notified_bytes, 0));
    cr_expect(eq(u32, trp_blocked_notified_count(&list), 0));
    trp_blocked_fini(&list);
}

Test(blocked, reuses_its_memory_while_as_many_senders_come_as_go)
{
    struct trp_blocked list = {0};
    uint32_t added = 0;
    uint32_t removed = 0;
    for (; added < 10; added++) {
        add(&list, added);
    }
    for (int round = 0; round < 10000;
         round++) { // with some notified at any time, and one that ended
        cr_assert(eq(u32, trp_blocked_next(&list)->index, removed));
        trp_blocked_mark_notified(&list);
        add(&list, added++);
        cr_assert(eq(u32, trp_blocked_next(&list)->index, removed + 1));
        trp_blocked_drop(&list);
        add(&list, added++);
        removed += 2;
        cr_assert(contains(&list, added - 1));
        if (trp_blocked_notified_count(&list) == 3) {
            trp_blocked_take_notified(&list);
            trp_blocked_take_notified(&list);
        }
    }
    cr_expect(lt(u32, list.capacity, 100));
    trp_blocked_fini(&list);
}

Test(blocked, does_not_take_another_actor_of_the_same_row_for_one_that_waits)
{
    struct trp_blocked list = {0};
    add(&list, 1);
    struct trp_blocked_sender next = sender_of(1);
    next.generation++;

    cr_expect(not(trp_blocked_contains(&list, &next)));
    trp_blocked_fini(&list);
}
