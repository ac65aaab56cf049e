/**
 * @file wake.h
 * @brief Wake a thread that sleeps on an eventfd.
 */
#ifndef TRP_WAKE_H
#define TRP_WAKE_H

/** Make an eventfd readable. Safe in a signal handler; leaves errno as it was. @threads any */
void trp_wake(int wake_fd);

#endif
