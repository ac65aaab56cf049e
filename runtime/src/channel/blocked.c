#include "channel/blocked.h"

#include "base/check.h"

#include <stdlib.h>
#include <string.h>

void trp_blocked_fini(struct trp_blocked *list)
{
    free(list->entries);
    *list = (struct trp_blocked){0};
}

static bool blocked_contains(
    const struct trp_blocked_sender *at,
    const struct trp_blocked_sender *end,
    const struct trp_blocked_sender *sender)
{
    for (; at != end; at++) {
        if (at->index == sender->index && at->generation == sender->generation &&
            troupe_ref_equal(at->to, sender->to)) {
            return true;
        }
    }
    return false;
}

bool trp_blocked_contains(const struct trp_blocked *list, const struct trp_blocked_sender *sender)
{
    const struct trp_blocked_sender *entries = list->entries;
    if (entries == NULL) {
        return false;
    }
    return blocked_contains(entries + list->notified_first, entries + list->notified_end, sender) ||
           blocked_contains(entries + list->first, entries + list->count, sender);
}

/** Move all entries to the front, over the removed ones. */
static void blocked_compact(struct trp_blocked *list)
{
    uint32_t notified = trp_blocked_notified_count(list);
    uint32_t waiting = list->count - list->first;
    memmove(list->entries, list->entries + list->notified_first, notified * sizeof(*list->entries));
    memmove(
        list->entries + notified, list->entries + list->first, waiting * sizeof(*list->entries));
    list->notified_first = 0;
    list->notified_end = notified;
    list->first = notified;
    list->count = notified + waiting;
}

/** Make room for one more. @return false: no memory. */
static bool blocked_make_room(struct trp_blocked *list)
{
    if (list->capacity > 0) {
        blocked_compact(list);
    }
    // Half of it has to be free, or all entries would be moved again soon.
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

bool trp_blocked_add(struct trp_blocked *list, const struct trp_blocked_sender *sender)
{
    if (list->count == list->capacity && !blocked_make_room(list)) {
        return false;
    }
    list->entries[list->count++] = *sender;
    return true;
}

const struct trp_blocked_sender *trp_blocked_next(const struct trp_blocked *list)
{
    return trp_blocked_has_waiting(list) ? &list->entries[list->first] : NULL;
}

void trp_blocked_drop(struct trp_blocked *list)
{
    TRP_DCHECK(trp_blocked_has_waiting(list));
    list->first++;
}

void trp_blocked_mark_notified(struct trp_blocked *list)
{
    TRP_DCHECK(trp_blocked_has_waiting(list));
    const struct trp_blocked_sender *next = &list->entries[list->first++];
    list->notified_bytes += next->bytes;
    list->entries[list->notified_end++] = *next;
}

void trp_blocked_take_notified(struct trp_blocked *list)
{
    TRP_DCHECK(trp_blocked_notified_count(list) > 0);
    list->notified_bytes -= list->entries[list->notified_first++].bytes;
}
