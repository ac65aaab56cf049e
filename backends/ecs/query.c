/*
 * Queries: lists of the tables that match, which new tables are added to as they are made; and iterations,
 * which walk them. From its first table to its last an iteration has all changes deferred.
 */
#include "store.h"

#include <stdlib.h>

/* Matching. ------------------------------------------------------------------------------------- */

/** @return whether a table has what a query asks for; and where. */
static bool query_matches(
    const troupe_ecs_query_t *query, struct ecs_table *table, struct ecs_match *out_match)
{
    *out_match = (struct ecs_match){.table = table};
    for (uint32_t i = 0; i < query->term_count; i++) {
        int32_t place = trp_ecs_column(table, query->terms[i].component);
        enum troupe_ecs_oper oper = query->terms[i].oper;
        if ((oper == TROUPE_ECS_AND && place < 0) || (oper == TROUPE_ECS_NOT && place >= 0)) {
            return false;
        }
        out_match->columns[i] = (int16_t)place;
    }
    return true;
}

/** Add a table to a query's list if it matches. @return false: no memory. */
static bool query_meet(troupe_ecs_query_t *query, struct ecs_table *table)
{
    struct ecs_match match;
    if (!query_matches(query, table, &match)) {
        return true;
    }
    void *matches = query->matches;
    if (!trp_ecs_grow(
            &matches, &query->match_capacity, query->match_count + 1, sizeof(*query->matches))) {
        return false;
    }
    query->matches = matches;
    query->matches[query->match_count++] = match;
    return true;
}

bool trp_ecs_queries_meet(troupe_ecs_t *ecs, struct ecs_table *table)
{
    troupe_ecs_query_t *query = ecs->queries;
    while (query != NULL && query_meet(query, table)) {
        query = query->next;
    }
    if (query == NULL) {
        return true;
    }
    for (troupe_ecs_query_t *met = ecs->queries; met != query; met = met->next) {
        bool is_last = met->match_count > 0 && met->matches[met->match_count - 1].table == table;
        met->match_count -= is_last ? 1 : 0;
    }
    return false;
}

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
                "a query has at most %d terms, ended by component 0",
                TROUPE_ECS_TERMS_MAX);
        }
        if (!trp_ecs_knows(ecs, terms[count].component)) {
            return trp_ecs_explain_component(ecs, terms[count].component);
        }
        if ((unsigned)terms[count].oper > TROUPE_ECS_OPTIONAL) {
            return TRP_EXPLAIN(
                TROUPE_ERR_INVAL, "term %u: %u is no oper", count, (unsigned)terms[count].oper);
        }
        has_and = has_and || terms[count].oper == TROUPE_ECS_AND;
    }
    *out_count = count;
    return has_and ? TROUPE_OK
                   : TRP_EXPLAIN(
                         TROUPE_ERR_INVAL,
                         "a query has at least one term TROUPE_ECS_AND: a component that is there");
}

static void query_free(troupe_ecs_query_t *query)
{
    free(query->matches);
    free(query);
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
    troupe_ecs_query_t *query = calloc(1, sizeof(*query));
    bool made = query != NULL;
    if (made) {
        query->ecs = ecs;
        query->term_count = count;
        for (uint32_t i = 0; i < count; i++) {
            query->terms[i] = terms[i];
        }
        for (uint32_t i = 0; i < ecs->table_count && made; i++) {
            made = query_meet(query, ecs->tables[i]);
        }
    }
    if (!made) {
        if (query != NULL) {
            query_free(query);
        }
        return TRP_EXPLAIN(TROUPE_ERR_NOMEM, "no memory for a query");
    }
    query->next = ecs->queries;
    ecs->queries = query;
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
            "the query is being iterated: come to the end, or call troupe_ecs_iter_fini()");
    }
    troupe_ecs_query_t **at = &query->ecs->queries;
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
    while (ecs->queries != NULL) {
        troupe_ecs_query_t *next = ecs->queries->next;
        query_free(ecs->queries);
        ecs->queries = next;
    }
}

/* Iterating. ------------------------------------------------------------------------------------ */

struct troupe_ecs_iter troupe_ecs_query_iter(troupe_ecs_query_t *query)
{
    struct troupe_ecs_iter it = {.query = query};
    if (query != NULL) {
        it.ecs = query->ecs;
        it.ctx = query->ecs->host->context(query->ecs->executor);
        it.column_count = query->term_count;
    }
    return it;
}

void troupe_ecs_iter_fini(struct troupe_ecs_iter *it)
{
    if (it->is_open == 0 || trp_ecs_check(it->ecs) != TROUPE_OK) {
        return;
    }
    it->is_open = 0;
    it->count = 0;
    it->match_index = UINT32_MAX;
    if (it->epoch != it->ecs->epoch) {
        return; // it was left open too long, and was closed already
    }
    it->query->open_count--;
    it->ecs->iter_count--;
    (void)trp_ecs_apply(it->ecs); // without memory for all of it, the rest is kept
}

bool troupe_ecs_query_next(struct troupe_ecs_iter *it)
{
    if (it->query == NULL || trp_ecs_check(it->ecs) != TROUPE_OK) {
        return false;
    }
    bool is_stale = it->is_open != 0 && it->epoch != it->ecs->epoch;
    const troupe_ecs_query_t *query = it->query;
    while (!is_stale && it->match_index < query->match_count) {
        const struct ecs_match *match = &query->matches[it->match_index++];
        if (match->table->count == 0) {
            continue;
        }
        if (it->is_open == 0) {
            it->is_open = 1;
            it->epoch = it->ecs->epoch;
            it->query->open_count++;
            it->ecs->iter_count++;
        }
        it->table = match->table;
        it->columns = match->columns;
        it->entities = match->table->entities;
        it->count = match->table->count;
        return true;
    }
    troupe_ecs_iter_fini(it);
    return false;
}

void trp_ecs_close_iterations(troupe_ecs_t *ecs)
{
    if (ecs->iter_count == 0) {
        return;
    }
    for (troupe_ecs_query_t *query = ecs->queries; query != NULL; query = query->next) {
        query->open_count = 0;
    }
    ecs->iter_count = 0;
    ecs->epoch++;
}

void *troupe_ecs_field(const struct troupe_ecs_iter *it, size_t bytes, uint32_t index)
{
    const struct ecs_table *table = it->table;
    if (table == NULL || index >= it->column_count) {
        trp_error_set_detail("field %u of %u: there is no such", index, it->column_count);
        return NULL;
    }
    int32_t place = it->columns[index];
    if (place < 0) {
        trp_error_set_detail("field %u: these entities do not have it", index);
        return NULL;
    }
    const struct ecs_column *column = &table->columns[place];
    if (column->bytes != bytes) {
        trp_error_set_detail(
            "field %u: '%s' has %u bytes, not %zu",
            index,
            it->ecs->components[column->component - 1].name,
            column->bytes,
            bytes);
        return NULL;
    }
    return column->data == NULL ? NULL : column->data + (size_t)it->first * bytes;
}
