/**
 * @file spinner.h
 * @brief Whether a thread that waits for messages spins before it sleeps.
 *
 * To wake a sleeping thread costs about 30 µs, so a spin pays where the next frame comes soon. Each mailbox
 * keeps a score: short waits raise it, spins in vain lower it, and it spins only while the score is above 0.
 * All spinners of a node are counted, so that they never outnumber its cores.
 */
#ifndef TRP_SPINNER_H
#define TRP_SPINNER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/** All spinners of a node. */
struct trp_spinners {
    _Atomic int32_t count; // of threads that spin, or did when they waited last
    int32_t count_max;     // const
};

/** One spinner. Only its own thread uses it. */
struct trp_spinner {
    struct trp_spinners *all;
    bool is_counted; // from a spin that paid until a wait without one
    int32_t score;
};

/** Become one of the spinners. @return false: spinning has not paid lately, or there is no core free for it. */
bool trp_spinner_join(struct trp_spinner *spinner);

/** Stop being one of the spinners. Does nothing to one that is none. */
void trp_spinner_leave(struct trp_spinner *spinner);

/** Score a spin, which @p found a frame or ended in vain. */
void trp_spinner_score_spin(struct trp_spinner *spinner, bool found);

/** Score a sleep that was so short that a spin would have found the frame. */
void trp_spinner_score_short_sleep(struct trp_spinner *spinner);

#endif
