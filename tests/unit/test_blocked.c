/*
 * The list of those who wait for room: first come, first called, and nobody twice.
 */
#include "channel/blocked.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

TestSuite(blocked, .timeout = 10);

static struct trp_blocked_sender one(uint32_t index)
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
    const struct trp_blocked_sender refused = one(index);
    cr_assert(trp_blocked_add(list, &refused));
}

static bool have(const struct trp_blocked *list, uint32_t index)
{
    const struct trp_blocked_sender refused = one(index);
    return trp_blocked_have(list, &refused);
}

Test(blocked, calls_nobody_where_nobody_waits)
{
    struct trp_blocked list = {0};

    cr_expect(not(trp_blocked_wait(&list)));
    cr_expect(trp_blocked_next(&list) == NULL);
    cr_expect(not(have(&list, 1)));
    cr_expect(eq(u32, trp_blocked_called(&list), 0));
    trp_blocked_fini(&list);
}

Test(blocked, calls_in_the_order_they_came)
{
    struct trp_blocked list = {0};
    for (uint32_t i = 0; i < 100; i++) {
        add(&list, i);
    }
    for (uint32_t i = 0; i < 100; i++) {
        cr_expect(eq(u32, trp_blocked_next(&list)->index, i));
        trp_blocked_drop(&list);
    }
    cr_expect(not(trp_blocked_wait(&list)));
    trp_blocked_fini(&list);
}

Test(blocked, knows_who_waits_and_who_is_called_but_not_who_met_its_room)
{
    struct trp_blocked list = {0};
    add(&list, 1);
    add(&list, 2);

    trp_blocked_call(&list);
    cr_expect(have(&list, 1));
    cr_expect(have(&list, 2));
    trp_blocked_meet(&list);
    cr_expect(not(have(&list, 1)));
    cr_expect(have(&list, 2));

    struct trp_blocked_sender elsewhere = one(2);
    elsewhere.to.index++;
    cr_expect(not(trp_blocked_have(&list, &elsewhere)));
    trp_blocked_fini(&list);
}

Test(blocked, sums_the_bodies_of_those_who_are_called)
{
    struct trp_blocked list = {0};
    add(&list, 10);
    add(&list, 20);
    add(&list, 40);

    trp_blocked_call(&list);
    trp_blocked_call(&list);
    cr_expect(eq(i64, list.called_bytes, 30));
    cr_expect(eq(u32, trp_blocked_called(&list), 2));
    trp_blocked_meet(&list);
    cr_expect(eq(i64, list.called_bytes, 20));
    trp_blocked_meet(&list);
    cr_expect(eq(i64, list.called_bytes, 0));
    cr_expect(eq(u32, trp_blocked_called(&list), 0));
    trp_blocked_fini(&list);
}

Test(blocked, use_the_same_memory_again_while_as_many_come_as_go)
{
    struct trp_blocked list = {0};
    uint32_t coming = 0;
    uint32_t going = 0;
    for (; coming < 10; coming++) {
        add(&list, coming);
    }
    for (int round = 0; round < 10000;
         round++) { // with some called at any time, and one that ended
        cr_assert(eq(u32, trp_blocked_next(&list)->index, going));
        trp_blocked_call(&list);
        add(&list, coming++);
        cr_assert(eq(u32, trp_blocked_next(&list)->index, going + 1));
        trp_blocked_drop(&list);
        add(&list, coming++);
        going += 2;
        cr_assert(have(&list, coming - 1));
        if (trp_blocked_called(&list) == 3) {
            trp_blocked_meet(&list);
            trp_blocked_meet(&list);
        }
    }
    cr_expect(lt(u32, list.capacity, 100));
    trp_blocked_fini(&list);
}
