/*
 * Timers by due time, and in the order in which they were added; any can be cancelled; a number
 * identifies one timer only.
 */
#include "base/timer_heap.h"
#include "chance.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include <signal.h>

static struct trp_timer_heap timers;

static void free_timers(void)
{
    trp_timer_heap_fini(&timers);
}

TestSuite(timer_heap, .timeout = 10, .fini = free_timers);

static char payloads[1024]; // their addresses are the payloads

static uint64_t add(uint64_t due_ns, char *payload)
{
    uint64_t timer = trp_timer_heap_add(&timers, due_ns, payload);
    cr_assert(ne(u64, timer, 0));
    return timer;
}

/** Pop the next timer. @return the index of its payload; -1: there is none. */
static int pop(void)
{
    uint64_t timer = 0;
    char *payload = trp_timer_heap_pop(&timers, &timer);
    return payload == NULL ? -1 : (int)(payload - payloads);
}

Test(timer_heap, are_never_due_if_the_heap_is_empty)
{
    cr_expect(eq(u64, trp_timer_heap_due(&timers), TRP_TIMER_HEAP_NEVER));
    cr_expect(eq(int, pop(), -1));
}

Test(timer_heap, are_popped_in_the_order_of_due_times)
{
    static const uint64_t dues[] = {50, 10, 40, 20, 30, 60, 0};
    static const int wanted[] = {6, 1, 3, 4, 2, 0, 5};
    for (size_t i = 0; i < 7; i++) {
        add(dues[i], &payloads[i]);
    }
    for (size_t i = 0; i < 7; i++) {
        cr_expect(eq(u64, trp_timer_heap_due(&timers), i * 10));
        cr_expect(eq(int, pop(), wanted[i]));
    }
    cr_expect(eq(int, pop(), -1));
}

Test(timer_heap, of_equal_due_times_are_popped_in_the_order_of_adding)
{
    for (size_t i = 0; i < 500; i++) {
        add(7, &payloads[i]);
    }
    for (int i = 0; i < 500; i++) {
        cr_expect(eq(int, pop(), i));
    }
}

Test(timer_heap, keep_that_order_when_some_were_cancelled)
{
    uint64_t numbers[100];
    for (size_t i = 0; i < 100; i++) {
        numbers[i] = add(7, &payloads[i]);
    }
    for (size_t i = 0; i < 100; i += 3) {
        cr_expect(eq(ptr, trp_timer_heap_cancel(&timers, numbers[i]), &payloads[i]));
    }
    for (int i = 0; i < 100; i++) {
        if (i % 3 != 0) {
            cr_expect(eq(int, pop(), i));
        }
    }
    cr_expect(eq(int, pop(), -1));
}

Test(timer_heap, can_be_cancelled_from_the_middle)
{
    add(10, &payloads[0]);
    uint64_t middle = add(20, &payloads[1]);
    add(30, &payloads[2]);

    cr_expect(eq(ptr, trp_timer_heap_cancel(&timers, middle), &payloads[1]));

    cr_expect(eq(int, pop(), 0));
    cr_expect(eq(int, pop(), 2));
}

Test(timer_heap, can_be_cancelled_once)
{
    uint64_t timer = add(10, &payloads[0]);
    cr_expect(eq(ptr, trp_timer_heap_cancel(&timers, timer), &payloads[0]));
    cr_expect(eq(ptr, trp_timer_heap_cancel(&timers, timer), NULL));
    cr_expect(eq(u64, trp_timer_heap_due(&timers), TRP_TIMER_HEAP_NEVER));
}

Test(timer_heap, that_were_popped_cannot_be_cancelled)
{
    uint64_t timer = add(10, &payloads[0]);
    cr_assert(eq(int, pop(), 0));
    cr_expect(eq(ptr, trp_timer_heap_cancel(&timers, timer), NULL));
}

Test(timer_heap, that_never_existed_cannot_be_cancelled)
{
    add(10, &payloads[0]);
    static const uint64_t never[] = {0, 1, 2, UINT32_MAX, 1ull << 32, UINT64_MAX, 5ull << 32 | 1};
    for (size_t i = 0; i < sizeof(never) / sizeof(never[0]); i++) {
        cr_expect(eq(ptr, trp_timer_heap_cancel(&timers, never[i]), NULL), "number %zu", i);
    }
    cr_expect(eq(int, pop(), 0));
}

Test(timer_heap, never_have_the_number_of_an_earlier_one)
{
    uint64_t first = add(10, &payloads[0]);
    cr_assert(eq(int, pop(), 0));
    uint64_t second = add(10, &payloads[1]);

    cr_expect(ne(u64, first, second));
    cr_expect(eq(ptr, trp_timer_heap_cancel(&timers, first), NULL));
    cr_expect(eq(ptr, trp_timer_heap_cancel(&timers, second), &payloads[1]));
}

Test(timer_heap, that_are_restarted_keep_their_number)
{
    uint64_t timer = add(10, &payloads[0]);
    uint64_t popped = 0;
    cr_assert(eq(ptr, trp_timer_heap_pop(&timers, &popped), &payloads[0]));
    cr_expect(eq(u64, popped, timer));

    trp_timer_heap_restart(&timers, timer, 30, &payloads[0]);

    cr_expect(eq(u64, trp_timer_heap_due(&timers), 30));
    cr_expect(eq(ptr, trp_timer_heap_cancel(&timers, timer), &payloads[0]));
    cr_expect(ne(u64, add(40, &payloads[1]), timer));
}

Test(timer_heap, that_are_restarted_follow_those_of_the_same_due_time)
{
    uint64_t timer = add(10, &payloads[0]);
    add(20, &payloads[1]);
    cr_assert(eq(ptr, trp_timer_heap_pop(&timers, &timer), &payloads[0]));
    trp_timer_heap_restart(&timers, timer, 20, &payloads[0]);
    cr_expect(eq(int, pop(), 1));
    cr_expect(eq(int, pop(), 0));
}

Test(timer_heap, need_a_payload, .signal = SIGABRT)
{
    (void)trp_timer_heap_add(&timers, 1, NULL);
}

/* Random use. ---------------------------------------------------------------------------------- */

enum { MODEL_MAX = 200 };

/** A timer of the simple list. */
struct simple {
    uint64_t timer; // 0: free
    uint64_t due_ns;
    uint64_t sequence;
};

static struct simple model[MODEL_MAX];
static uint64_t model_sequence;

/** @return the index of the next timer, or -1. */
static int model_next(void)
{
    int next = -1;
    for (int i = 0; i < MODEL_MAX; i++) {
        const struct simple *one = &model[i];
        if (one->timer != 0 &&
            (next < 0 || one->due_ns < model[next].due_ns ||
             (one->due_ns == model[next].due_ns && one->sequence < model[next].sequence))) {
            next = i;
        }
    }
    return next;
}

static void model_put(int at, uint64_t timer, uint64_t due_ns)
{
    model[at] = (struct simple){timer, due_ns, model_sequence++};
}

static void step_pop(struct chance *chance)
{
    int next = model_next();
    cr_assert(
        eq(u64, trp_timer_heap_due(&timers), next < 0 ? TRP_TIMER_HEAP_NEVER : model[next].due_ns));
    uint64_t timer = 0;
    char *payload = trp_timer_heap_pop(&timers, &timer);
    cr_assert(eq(ptr, payload, next < 0 ? NULL : &payloads[next]));
    if (next < 0) {
        return;
    }
    cr_assert(eq(u64, timer, model[next].timer));
    model[next].timer = 0;
    if (chance_one_in(chance, 3)) {
        uint64_t due_ns = chance_below(chance, 64);
        trp_timer_heap_restart(&timers, timer, due_ns, payload);
        model_put(next, timer, due_ns);
    }
}

Test(timer_heap, equal_a_simple_list_after_any_operations)
{
    struct chance chance = chance_open("timers");
    for (uint32_t step = 0; step < 30000; step++) {
        int at = (int)chance_below(&chance, MODEL_MAX);
        if (chance_one_in(&chance, 3)) {
            step_pop(&chance);
        } else if (model[at].timer == 0) {
            uint64_t due_ns = chance_below(&chance, 64); // few values, so that many are equal
            model_put(at, add(due_ns, &payloads[at]), due_ns);
        } else {
            cr_assert(eq(ptr, trp_timer_heap_cancel(&timers, model[at].timer), &payloads[at]));
            model[at].timer = 0;
        }
    }
    while (model_next() >= 0) {
        step_pop(&chance);
    }
    cr_expect(eq(int, pop(), -1));
}
