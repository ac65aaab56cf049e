/**
 * @file match.h
 * @brief The tables that a query matches.
 */
#ifndef TRP_ECS_MATCH_H
#define TRP_ECS_MATCH_H

#include "table.h"

#include <stdbool.h>
#include <stdint.h>

/** Rows of a table, and the columns of the terms. */
struct ecs_match {
    const struct ecs_table *table;
    uint32_t first_row; // 0, but for an observer, which gets one row
    uint32_t column_count;
    int16_t columns[TROUPE_ECS_TERMS_MAX]; // index of each term's column; -1: the table has none
};

struct troupe_ecs_query {
    troupe_ecs_t *ecs;
    struct troupe_ecs_query *next; // of the world's
    struct ecs_match *matches;
    uint32_t match_count;
    uint32_t match_capacity;
    uint32_t open_count; // iterations
    uint32_t term_count;
    struct troupe_ecs_term terms[TROUPE_ECS_TERMS_MAX];
};

/** Append a table to a query's matches, if it matches. @return false: no memory. */
bool trp_ecs_match_add(troupe_ecs_query_t *query, const struct ecs_table *table);

/** Append a new table to the matches of a list of queries. @return false: no memory; none has it. */
bool trp_ecs_match_add_all(troupe_ecs_query_t *queries, const struct ecs_table *table);

#endif
