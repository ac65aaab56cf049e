#include "channel/spinner.h"

enum {
    SPIN_SCORE_MAX = 8,
    SPIN_LOST = 3, // what a spin in vain costs in score
};

bool trp_spinner_join(struct trp_spinner *spinner)
{
    if (spinner->score <= 0) {
        return false;
    }
    if (!spinner->is_counted) {
        struct trp_spinners *all = spinner->all;
        spinner->is_counted =
            atomic_fetch_add_explicit(&all->count, 1, memory_order_relaxed) < all->count_max;
        if (!spinner->is_counted) {
            atomic_fetch_sub_explicit(&all->count, 1, memory_order_relaxed);
        }
    }
    return spinner->is_counted;
}

void trp_spinner_leave(struct trp_spinner *spinner)
{
    if (spinner->is_counted) {
        spinner->is_counted = false;
        atomic_fetch_sub_explicit(&spinner->all->count, 1, memory_order_relaxed);
    }
}

void trp_spinner_score_spin(struct trp_spinner *spinner, bool found)
{
    spinner->score += found ? 1 : -SPIN_LOST;
    if (spinner->score > SPIN_SCORE_MAX) {
        spinner->score = SPIN_SCORE_MAX;
    }
}

void trp_spinner_score_short_sleep(struct trp_spinner *spinner)
{
    if (spinner->score < SPIN_SCORE_MAX) {
        spinner->score = spinner->score < 0 ? 0 : spinner->score;
        spinner->score++;
    }
}
