/**
 * @file reservations.h
 * @brief Rows that are reserved on an executor of another process, until the START for them has come.
 *
 *     spawner: take --> START, with the place of the reservation --> receiver: end
 *                  \--> its process dies --> receiver: find --> the actor has failed; whoever monitors it is told
 *
 * Guarded by shared memory's lock. Executor 0 takes no actors of other processes, so its number stands for none.
 */
#ifndef TRP_RESERVATIONS_H
#define TRP_RESERVATIONS_H

#include <stdint.h>

struct trp_shared;

/** How many rows of other processes may be reserved at a time. */
enum { TRP_SHARED_RESERVATIONS = 1 << 16 };

struct trp_reservation {
    uint32_t next;     // of the free ones, index + 1
    uint32_t spawner;  // executor that is to send the START
    uint32_t executor; // where the row is; written last: with 0 it is free
    uint32_t row;
};

/** Note that a row is reserved. @return its place, counted from 1; 0: all are taken. @threads holding the lock */
uint32_t trp_reservation_take(
    struct trp_shared *shared, uint32_t spawner, uint32_t executor, uint32_t row);

/** The START has come, or will not be sent. Does nothing where that reservation has ended. */
void trp_reservation_end(
    struct trp_shared *shared, uint32_t place, uint32_t executor, uint32_t row);

/** Find a row that @p spawner has reserved on an executor, and end that. @return its place; 0: there is none. */
uint32_t trp_reservation_end_any(
    struct trp_shared *shared, uint32_t spawner, uint32_t executor, uint32_t *out_row);

/** Free those on executors that are not there any more. @threads holding the lock */
void trp_reservations_forget(struct trp_shared *shared);

#endif
