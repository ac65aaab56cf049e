/*
 * A query keeps a list of the tables that match it; each new table is appended to those it matches. An
 * iteration walks that list. From its first table until it ends, changes are deferred.
 */
#include "query.h"

#include "base/error.h"
#include "deferred.h"
#include "iter.h"

#include <stdlib.h>

/* Making. --------------------------------------------------------------------------------------- */

static enum troupe_err query_check_terms(
    const troupe_ecs_t *ecs, const struct troupe_ecs_term *terms, uint32_t *out_count)
{
    uint32_t count = 0;
    bool has_and = false;
    for (; terms[count].component != 0; count++) {
        if (count == TROUPE_ECS_TERMS_MAX) {
            return TRP_EXPLAIN(
                TROUPE_ERR_INVAL,
                "a query has at most %d terms; end the list with component 0",
                TROUPE_ECS_TERMS_MAX);
        }
        if (!trp_ecs_is_registered(&ecs->registry, terms[count].component)) {
            return trp_ecs_explain_component(&ecs->registry, terms[count].component);
        }
        if ((unsigned)terms[count].oper > TROUPE_ECS_OPTIONAL) {
            return TRP_EXPLAIN(
                TROUPE_ERR_INVAL,
                "term %u: %u is not an operator of enum troupe_ecs_oper",
                count,
                (unsigned)terms[count].oper);
        }
        has_and = has_and || terms[count].oper == TROUPE_ECS_AND;
    }
    *out_count = count;
    return has_and ? TROUPE_OK
                   : TRP_EXPLAIN(
                         TROUPE_ERR_INVAL, "a query needs at least one term with TROUPE_ECS_AND");
}

static void query_free(troupe_ecs_query_t *query)
{
    free(query->matches);
    free(query);
}

/** @return a query that is not one of the world's yet; NULL: no memory. */
static troupe_ecs_query_t *query_make(
    troupe_ecs_t *ecs, const struct troupe_ecs_term *terms, uint32_t count)
{
    troupe_ecs_query_t *query = calloc(1, sizeof(*query));
    if (query == NULL) {
        return NULL;
    }
    query->ecs = ecs;
    query->term_count = count;
    memcpy(query->terms, terms, count * sizeof(*terms));
    for (uint32_t i = 0; i < ecs->graph.table_count; i++) {
        if (!trp_ecs_match_add(query, ecs->graph.tables[i])) {
            query_free(query);
            return NULL;
        }
    }
    return query;
}

enum troupe_err troupe_ecs_query_new(
    troupe_ecs_t *ecs, const struct troupe_ecs_term *terms, troupe_ecs_query_t **out_query)
{
    uint32_t count = 0;
    enum troupe_err err = trp_ecs_check(ecs);
    if (err == TROUPE_OK) {
        err = query_check_terms(ecs, terms, &count);
    }
    if (err != TROUPE_OK) {
        return err;
    }
    troupe_ecs_query_t *query = query_make(ecs, terms, count);
    if (query == NULL) {
        return TRP_EXPLAIN(TROUPE_ERR_NOMEM, "no memory for a query");
    }
    query->next = ecs->graph.queries;
    ecs->graph.queries = query;
    *out_query = query;
    return TROUPE_OK;
}

enum troupe_err troupe_ecs_query_destroy(troupe_ecs_query_t **query_p)
{
    troupe_ecs_query_t *query = *query_p;
    if (query == NULL) {
        return TROUPE_OK;
    }
    enum troupe_err err = trp_ecs_check(query->ecs);
    if (err != TROUPE_OK) {
        return err;
    }
    if (query->open_count != 0) {
        return TRP_EXPLAIN(
            TROUPE_ERR_INVAL,
            "the query is being iterated: go on until troupe_ecs_query_next() returns false, or "
            "call "
            "troupe_ecs_iter_fini()");
    }
    troupe_ecs_query_t **at = &query->ecs->graph.queries;
    while (*at != query) {
        at = &(*at)->next;
    }
    *at = query->next;
    query_free(query);
    *query_p = NULL;
    return TROUPE_OK;
}

void trp_ecs_queries_fini(troupe_ecs_t *ecs)
{
    while (ecs->graph.queries != NULL) {
        troupe_ecs_query_t *next = ecs->graph.queries->next;
        query_free(ecs->graph.queries);
        ecs->graph.queries = next;
    }
}

/* Iterating. ------------------------------------------------------------------------------------ */

struct troupe_ecs_iter troupe_ecs_query_iter(troupe_ecs_query_t *query)
{
    struct troupe_ecs_iter it = {0};
    if (query != NULL) {
        it.ecs = query->ecs;
        it.ctx = trp_ecs_context(query->ecs);
        trp_ecs_cursor_write(&it, (struct ecs_cursor){.query = query});
    }
    return it;
}

/** End an iteration, and apply what it has deferred. */
static void query_close(struct troupe_ecs_iter *it, struct ecs_cursor cursor)
{
    troupe_ecs_t *ecs = cursor.query->ecs;
    it->count = 0;
    trp_ecs_cursor_write(it, (struct ecs_cursor){0});
    if (cursor.epoch == ecs->epoch) {
        cursor.query->open_count--;
        ecs->defer.iter_count--;
        (void)trp_ecs_apply(ecs); // what there is no memory for stays deferred
    }
}

void troupe_ecs_iter_fini(struct troupe_ecs_iter *it)
{
    const struct ecs_cursor cursor = trp_ecs_cursor_read(it);
    if (cursor.query != NULL && trp_ecs_check(cursor.query->ecs) == TROUPE_OK) {
        query_close(it, cursor);
    }
}

bool troupe_ecs_query_next(struct troupe_ecs_iter *it)
{
    struct ecs_cursor cursor = trp_ecs_cursor_read(it);
    troupe_ecs_query_t *query = cursor.query;
    if (query == NULL || trp_ecs_check(query->ecs) != TROUPE_OK) {
        return false;
    }
    troupe_ecs_t *ecs = query->ecs;
    const bool was_ended = cursor.epoch != 0 && cursor.epoch != ecs->epoch; // by force
    while (!was_ended && cursor.next_index < query->match_count) {
        const struct ecs_match *match = &query->matches[cursor.next_index++];
        if (match->table->count == 0) {
            continue;
        }
        if (cursor.epoch == 0) {
            cursor.epoch = ecs->epoch;
            query->open_count++;
            ecs->defer.iter_count++;
        }
        cursor.match = match;
        it->entities = match->table->entities;
        it->count = match->table->count;
        trp_ecs_cursor_write(it, cursor);
        return true;
    }
    query_close(it, cursor);
    return false;
}

void trp_ecs_close_iterations(troupe_ecs_t *ecs)
{
    if (ecs->defer.iter_count == 0) {
        return;
    }
    for (troupe_ecs_query_t *query = ecs->graph.queries; query != NULL; query = query->next) {
        query->open_count = 0;
    }
    ecs->defer.iter_count = 0;
    ecs->epoch++;
}

void *troupe_ecs_field(const struct troupe_ecs_iter *it, size_t bytes, uint32_t index)
{
    const struct ecs_match *match = trp_ecs_cursor_read(it).match;
    if (match == NULL || index >= match->column_count) {
        trp_error_set_detail(
            "there is no field %u: these entities have %u",
            index,
            match == NULL ? 0 : match->column_count);
        return NULL;
    }
    const int32_t place = match->columns[index];
    if (place < 0) {
        trp_error_set_detail("field %u: these entities do not have the component", index);
        return NULL;
    }
    const struct ecs_column *column = &match->table->columns[place];
    if (column->bytes != bytes) {
        trp_error_set_detail(
            "field %u: '%s' has %u bytes, not %zu; pass the struct it was registered with",
            index,
            trp_ecs_component(&it->ecs->registry, column->component)->name,
            column->bytes,
            bytes);
        return NULL;
    }
    return column->data == NULL ? NULL : column->data + (size_t)match->first_row * bytes;
}
