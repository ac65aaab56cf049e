#include "channel/blocked.h"

#include "base/check.h"

#include <stdlib.h>
#include <string.h>

void trp_blocked_fini(struct trp_blocked *list)
{
    free(list->entries);
    *list = (struct trp_blocked){0};
}

static bool blocked_hold(
    const struct trp_blocked_sender *from,
    const struct trp_blocked_sender *end,
    const struct trp_blocked_sender *one)
{
    for (; from != end; from++) {
        if (from->index == one->index && from->generation == one->generation &&
            troupe_ref_equal(from->to, one->to)) {
            return true;
        }
    }
    return false;
}

bool trp_blocked_have(const struct trp_blocked *list, const struct trp_blocked_sender *refused)
{
    const struct trp_blocked_sender *entries = list->entries;
    if (entries == NULL) {
        return false;
    }
    return blocked_hold(entries + list->called_first, entries + list->called_end, refused) ||
           blocked_hold(entries + list->first, entries + list->count, refused);
}

/** Move all entries to the front, over those that are done with. */
static void blocked_close_up(struct trp_blocked *list)
{
    uint32_t called = trp_blocked_called(list);
    uint32_t waiting = list->count - list->first;
    memmove(list->entries, list->entries + list->called_first, called * sizeof(*list->entries));
    memmove(list->entries + called, list->entries + list->first, waiting * sizeof(*list->entries));
    list->called_first = 0;
    list->called_end = called;
    list->first = called;
    list->count = called + waiting;
}

/** Make room for one more. @return false: no memory. */
static bool blocked_make_room(struct trp_blocked *list)
{
    if (list->capacity > 0) {
        blocked_close_up(list);
    }
    // Half of it is to be free, or all would be moved again soon.
    if (list->count <= list->capacity / 2 && list->capacity > 0) {
        return true;
    }
    uint32_t capacity = list->capacity * 2 + 4;
    struct trp_blocked_sender *grown = realloc(list->entries, capacity * sizeof(*grown));
    if (grown != NULL) {
        list->entries = grown;
        list->capacity = capacity;
    }
    return list->count < list->capacity;
}

bool trp_blocked_add(struct trp_blocked *list, const struct trp_blocked_sender *refused)
{
    if (list->count == list->capacity && !blocked_make_room(list)) {
        return false;
    }
    list->entries[list->count++] = *refused;
    return true;
}

const struct trp_blocked_sender *trp_blocked_next(struct trp_blocked *list)
{
    return trp_blocked_wait(list) ? &list->entries[list->first] : NULL;
}

void trp_blocked_drop(struct trp_blocked *list)
{
    TRP_DCHECK(trp_blocked_wait(list));
    list->first++;
}

void trp_blocked_call(struct trp_blocked *list)
{
    TRP_DCHECK(trp_blocked_wait(list));
    const struct trp_blocked_sender *next = &list->entries[list->first++];
    list->called_bytes += next->bytes;
    list->entries[list->called_end++] = *next;
}

void trp_blocked_meet(struct trp_blocked *list)
{
    TRP_DCHECK(trp_blocked_called(list) > 0);
    list->called_bytes -= list->entries[list->called_first++].bytes;
}
