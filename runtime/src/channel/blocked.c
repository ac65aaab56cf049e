#include "channel/blocked.h"

#include "base/check.h"

#include <stdlib.h>
#include <string.h>

void trp_refusals_fini(struct trp_refusals *list)
{
    free(list->entries);
    *list = (struct trp_refusals){0};
}

static bool refusals_hold(
    const struct trp_refused *from, const struct trp_refused *end, const struct trp_refused *one)
{
    for (; from != end; from++) {
        if (from->index == one->index && from->generation == one->generation &&
            troupe_ref_equal(from->to, one->to)) {
            return true;
        }
    }
    return false;
}

bool trp_refusals_have(const struct trp_refusals *list, const struct trp_refused *refused)
{
    const struct trp_refused *entries = list->entries;
    if (entries == NULL) {
        return false;
    }
    return refusals_hold(entries + list->called_first, entries + list->called_end, refused) ||
           refusals_hold(entries + list->first, entries + list->count, refused);
}

/** Move all entries to the front, over those that are done with. */
static void refusals_close_up(struct trp_refusals *list)
{
    uint32_t called = trp_refusals_called(list);
    uint32_t waiting = list->count - list->first;
    memmove(list->entries, list->entries + list->called_first, called * sizeof(*list->entries));
    memmove(list->entries + called, list->entries + list->first, waiting * sizeof(*list->entries));
    list->called_first = 0;
    list->called_end = called;
    list->first = called;
    list->count = called + waiting;
}

/** Make room for one more. @return false: no memory. */
static bool refusals_make_room(struct trp_refusals *list)
{
    if (list->capacity > 0) {
        refusals_close_up(list);
    }
    // Half of it is to be free, or all would be moved again soon.
    if (list->count <= list->capacity / 2 && list->capacity > 0) {
        return true;
    }
    uint32_t capacity = list->capacity * 2 + 4;
    struct trp_refused *grown = realloc(list->entries, capacity * sizeof(*grown));
    if (grown != NULL) {
        list->entries = grown;
        list->capacity = capacity;
    }
    return list->count < list->capacity;
}

bool trp_refusals_add(struct trp_refusals *list, const struct trp_refused *refused)
{
    if (list->count == list->capacity && !refusals_make_room(list)) {
        return false;
    }
    list->entries[list->count++] = *refused;
    return true;
}

const struct trp_refused *trp_refusals_next(struct trp_refusals *list)
{
    return trp_refusals_wait(list) ? &list->entries[list->first] : NULL;
}

void trp_refusals_drop(struct trp_refusals *list)
{
    TRP_DCHECK(trp_refusals_wait(list));
    list->first++;
}

void trp_refusals_call(struct trp_refusals *list)
{
    TRP_DCHECK(trp_refusals_wait(list));
    const struct trp_refused *next = &list->entries[list->first++];
    list->called_bytes += next->bytes;
    list->entries[list->called_end++] = *next;
}

void trp_refusals_meet(struct trp_refusals *list)
{
    TRP_DCHECK(trp_refusals_called(list) > 0);
    list->called_bytes -= list->entries[list->called_first++].bytes;
}
