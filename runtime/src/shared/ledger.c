#include "shared/ledger.h"

#include "base/transport.h"
#include "shared/shared.h"
#include "shared/shared_table.h"

#include <limits.h>
#include <linux/futex.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static uint32_t ledger_index(const struct trp_shared *shared, const struct trp_ledger *ledger)
{
    return (uint32_t)(ledger - shared->ledgers);
}

/** @return a free ledger, or NULL. @threads holding shared memory's lock */
static struct trp_ledger *ledger_take(struct trp_shared *shared)
{
    uint32_t free_index = trp_shared_ledger_index(shared, shared->ledger_free);
    uint32_t high = trp_shared_ledger_count(shared);
    if (trp_damage_was_found()) {
        return NULL;
    }
    if (free_index != 0) {
        struct trp_ledger *ledger = &shared->ledgers[free_index - 1];
        shared->ledger_free = ledger->next_in;
        memset(ledger, 0, sizeof(*ledger));
        return ledger;
    }
    if (high == TRP_SHARED_LEDGERS) {
        return NULL;
    }
    atomic_store_explicit(&shared->ledger_high, high + 1, memory_order_release);
    return &shared->ledgers[high];
}

/** Open a ledger that is filled in, and put it on its receiver's list. @threads holding shared memory's lock */
static void ledger_publish(
    struct trp_shared *shared, struct trp_ledger *ledger, struct trp_slot *to)
{
    ledger->next_in = to->first_in;
    atomic_store_explicit(&ledger->state, TRP_LEDGER_OPEN, memory_order_release);
    to->first_in = ledger_index(shared, ledger) + 1;
}

struct trp_ledger *trp_ledger_open_loop(struct trp_shared *shared, struct trp_slot *slot)
{
    trp_shared_lock(shared);
    struct trp_ledger *ledger = ledger_take(shared);
    if (ledger != NULL) {
        ledger->from = slot->id;
        ledger->to = slot->id;
        ledger->is_loop = true;
        ledger->claimed = true;
        ledger_publish(shared, ledger, slot);
    }
    trp_shared_unlock(shared);
    return ledger;
}

/** @return whether mail from one executor to another goes by ipc or tcp. */
static bool ledger_goes_remote(const struct trp_slot *from, const struct trp_slot *to)
{
    return from->node != to->node || to->transport > TRP_TRANSPORT_INPROC;
}

/** As trp_ledger_open(), to a slot. @return NULL: all ledgers are taken. @threads holding shared memory's lock */
static struct trp_ledger *ledger_open_between(
    struct trp_shared *shared, struct trp_slot *from, struct trp_slot *to, uint64_t cookie)
{
    struct trp_ledger *ledger = ledger_take(shared);
    if (ledger != NULL) {
        ledger->from = from->id;
        ledger->to = to->id;
        ledger->cookie = cookie;
        ledger->is_remote = ledger_goes_remote(from, to);
        atomic_fetch_add_explicit(&from->out_open_count, 1, memory_order_relaxed);
        atomic_fetch_add_explicit(&to->in_open_count, 1, memory_order_relaxed);
        ledger_publish(shared, ledger, to);
    }
    return ledger;
}

enum troupe_err trp_ledger_open(
    struct trp_shared *shared,
    struct trp_slot *from,
    uint32_t to,
    struct trp_ledger **out_ledger,
    struct trp_slot **out_to)
{
    uint64_t cookie = trp_shared_cookie();
    enum troupe_err err = TROUPE_ERR_NOENT;
    trp_shared_lock(shared);
    struct trp_slot *slot = trp_shared_find_slot(shared, to);
    if (slot != NULL && trp_slot_state(slot) == TRP_SLOT_OPEN) {
        struct trp_ledger *ledger = ledger_open_between(shared, from, slot, cookie);
        err = ledger == NULL ? TROUPE_ERR_LIMIT : TROUPE_OK;
        if (ledger != NULL) {
            *out_ledger = ledger;
            *out_to = slot;
        }
    }
    trp_shared_unlock(shared);
    return err;
}

struct trp_ledger *trp_ledger_claim(
    struct trp_shared *shared, struct trp_slot *to, uint32_t from, struct trp_slot **out_from)
{
    struct trp_ledger *found = NULL;
    trp_shared_lock(shared);
    uint32_t steps = 0;
    uint32_t at = trp_shared_ledger_index(shared, to->first_in);
    while (at != 0 && found == NULL) {
        struct trp_ledger *ledger = &shared->ledgers[at - 1];
        if (ledger->from == from && !ledger->claimed &&
            atomic_load_explicit(&ledger->state, memory_order_relaxed) == TRP_LEDGER_OPEN) {
            ledger->claimed = true;
            found = ledger;
        }
        at = trp_shared_ledger_step(shared, ledger->next_in, &steps);
    }
    *out_from = trp_shared_find_slot(shared, from);
    trp_shared_unlock(shared);
    return found;
}

void trp_ledger_close(struct trp_shared *shared, struct trp_ledger *ledger)
{
    trp_shared_lock(shared);
    struct trp_slot *from = trp_shared_find_slot(shared, ledger->from);
    struct trp_slot *to = trp_shared_find_slot(shared, ledger->to);
    if (from != NULL && !ledger->is_loop) {
        atomic_fetch_sub_explicit(&from->out_open_count, 1, memory_order_relaxed);
    }
    if (to != NULL && !ledger->is_loop) {
        atomic_fetch_sub_explicit(&to->in_open_count, 1, memory_order_relaxed);
    }
    atomic_store_explicit(&ledger->state, TRP_LEDGER_CLOSED, memory_order_release);
    if (ledger->is_remote) { // its sender may wait in trp_ledger_await_closed()
        (void)syscall(SYS_futex, &ledger->state, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
    }
    trp_shared_unlock(shared);
}

void trp_ledger_await_closed(const struct trp_ledger *ledger, uint64_t timeout_ns)
{
    const struct timespec timeout = {
        .tv_sec = (time_t)(timeout_ns / UINT64_C(1000000000)),
        .tv_nsec = (long)(timeout_ns % UINT64_C(1000000000)),
    };
    (void)syscall(
        SYS_futex,
        &ledger->state,
        FUTEX_WAIT,
        TRP_LEDGER_OPEN,
        timeout_ns == UINT64_MAX ? NULL : &timeout,
        NULL,
        0);
}

void trp_ledger_free(struct trp_shared *shared, struct trp_ledger *ledger)
{
    uint32_t index = ledger_index(shared, ledger);
    struct trp_slot *to = trp_shared_find_slot(shared, ledger->to);
    if (to != NULL) {
        uint32_t *at = &to->first_in;
        uint32_t steps = 0;
        uint32_t next = trp_shared_ledger_index(shared, *at);
        while (next != 0 && next != index + 1) {
            at = &shared->ledgers[next - 1].next_in;
            next = trp_shared_ledger_step(shared, *at, &steps);
        }
        if (next != 0) {
            *at = ledger->next_in;
        }
    }
    atomic_store_explicit(&ledger->state, TRP_LEDGER_FREE, memory_order_release);
    ledger->next_in = shared->ledger_free;
    shared->ledger_free = index + 1;
}

uint64_t trp_ledger_dead(const struct trp_ledger *ledger)
{
    uint64_t dead = 0;
    for (uint32_t i = 0; i < TROUPE_DEAD_REASON_COUNT; i++) {
        dead += trp_counted(&ledger->dead[i]);
    }
    return dead;
}

uint64_t trp_ledger_done(const struct trp_ledger *ledger)
{
    return trp_counted(&ledger->handled) + trp_counted(&ledger->moved) + trp_ledger_dead(ledger) +
           trp_counted(&ledger->unknown);
}
