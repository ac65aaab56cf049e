#include "match.h"

#include "array.h"

/** @return whether a table has what the terms of a query require; then *out_match is set. */
static bool match_test(
    const troupe_ecs_query_t *query, const struct ecs_table *table, struct ecs_match *out_match)
{
    *out_match = (struct ecs_match){.table = table, .column_count = query->term_count};
    for (uint32_t i = 0; i < query->term_count; i++) {
        const int32_t column = trp_ecs_column(table, query->terms[i].component);
        const enum troupe_ecs_oper oper = query->terms[i].oper;
        if ((oper == TROUPE_ECS_AND && column < 0) || (oper == TROUPE_ECS_NOT && column >= 0)) {
            return false;
        }
        out_match->columns[i] = (int16_t)column;
    }
    return true;
}

bool trp_ecs_match_add(troupe_ecs_query_t *query, const struct ecs_table *table)
{
    struct ecs_match match;
    if (!match_test(query, table, &match)) {
        return true;
    }
    struct ecs_match *matches = trp_ecs_array_grow(
        query->matches, &query->match_capacity, query->match_count + 1, sizeof(*matches));
    if (matches == NULL) {
        return false;
    }
    query->matches = matches;
    matches[query->match_count++] = match;
    return true;
}

bool trp_ecs_match_add_all(troupe_ecs_query_t *queries, const struct ecs_table *table)
{
    troupe_ecs_query_t *query = queries;
    while (query != NULL && trp_ecs_match_add(query, table)) {
        query = query->next;
    }
    if (query == NULL) {
        return true;
    }
    for (troupe_ecs_query_t *added = queries; added != query; added = added->next) {
        const uint32_t count = added->match_count;
        if (count > 0 && added->matches[count - 1].table == table) {
            added->match_count--;
        }
    }
    return false;
}
