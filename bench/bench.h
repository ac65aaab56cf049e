/**
 * @file bench.h
 * @brief What the parts of the benchmark program share: workloads, plans, cases and results.
 *
 *     command line --> case --> plan --> our run       --> tally --> report
 *                                   \--> the floor     --> tally --/
 *
 * A *workload* is a shape of traffic. A *plan* is a workload with its numbers filled in: plain
 * bytes, so that it can travel in a message. A *case* is a plan and where its actors live. Our run
 * and the floor carry out the same plan, and each brings back a *tally*.
 *
 * Unless a function says otherwise, the main thread calls it.
 */
#ifndef BENCH_H
#define BENCH_H

#include "troupe/troupe.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/** Most messages of a run; the sum of their numbers then still fits into 63 bits. */
#define BENCH_MESSAGES_MAX UINT64_C(4000000000)

/** Smallest body: the number that every message carries. */
#define BENCH_SIZE_BYTES_MIN sizeof(uint64_t)

/** Largest body that the command line takes; the mailbox's own bound is far below it. */
#define BENCH_SIZE_BYTES_MAX ((uint64_t)1 << 30)

/** Most runs of a case. */
#define BENCH_RUNS_MAX 1000

/** One run of a workload, as bytes: it travels to the actors as it is. */
struct bench_plan {
    uint32_t workload_index; /**< Of bench_workload_get(). */
    uint32_t actors;         /**< Of the many side; see the workload. */
    uint64_t messages;       /**< In all. Numbered from 0, and the numbers are summed. */
    uint64_t size_bytes;     /**< Of each body, from ::BENCH_SIZE_BYTES_MIN. */
    uint64_t cpu_mask;       /**< CPUs dealt out one by one to the actors; 0: not pinned. */
    uint64_t sends_bodies;   /**< 1: bodies are given away, not copied. */
    uint64_t is_batching;    /**< 1: actors that only receive take batches. */
};

/** What one actor of a plan does, and what one thread of its floor does. */
struct bench_part {
    const struct troupe_behaviour *behaviour;
    uint64_t number_first;  /**< The first number it sends. */
    uint64_t send_count;    /**< How many it sends by itself, not as a reply. */
    uint64_t receive_count; /**< How many it counts before it is done. */
    uint32_t peer_first;    /**< The first part it sends to. */
    uint32_t peer_count;    /**< How many, one after the other. */
    uint32_t backlog_count; /**< How many of its sends may be refused at a time, to be made up. */
};

/** How raw libzmq carries the same traffic. */
enum bench_floor_kind {
    BENCH_FLOOR_NONE,    /**< It has no counterpart. */
    BENCH_FLOOR_FLOW,    /**< One way, PUSH to PULL. */
    BENCH_FLOOR_ROUND,   /**< A number handed on and on, each part to the next. */
    BENCH_FLOOR_IN_TURN, /**< One PAIR to another in one thread, sent and received in turn. */
};

/** By what it travels, and with that between what. */
enum bench_transport {
    BENCH_TRANSPORT_INPROC, /**< Within this process: each part a thread, or all in one. */
    BENCH_TRANSPORT_IPC,    /**< Each part a process. */
    BENCH_TRANSPORT_TCP,    /**< Each part a process, on the loopback interface. */
};

/** The floor of a case. */
struct bench_floor {
    enum bench_floor_kind kind;
    enum bench_transport transport;
};

/** A workload. */
struct bench_workload {
    const char *name;          /**< As on the command line. */
    const char *question;      /**< What it measures, for people. */
    uint32_t actors;           /**< How many, unless the command line says. */
    uint32_t actors_min;       /**< Fewest. */
    uint32_t actors_max;       /**< Most; equal to the fewest when the shape fixes them. */
    uint32_t parts_more;       /**< Parts beside the actors: the other side of a fan. */
    uint64_t messages_ecs;     /**< Default where all actors share executor 0. */
    uint64_t messages_apart;   /**< Default where they do not, but share a process. */
    uint64_t messages_process; /**< Default where they are in several processes. */
    bool counts_actors;        /**< A message stands for an actor started; no number of actors. */
    bool rounds_up;            /**< Messages come in pairs. */
    bool is_entities;          /**< It is about entities, `actors` of them, and one actor beside. */
    enum bench_floor_kind floor;

    /** Its behaviours, ended by NULL. */
    const struct troupe_behaviour *const *behaviours;

    /** What actors that only receive become with --batch; NULL: none does. */
    const struct troupe_behaviour *batched;

    /** Describe what part @p index of @p plan does. */
    void (*describe_part)(
        const struct bench_plan *plan, uint32_t index, struct bench_part *out_part);
};

/** @return the workload, or NULL past the last. */
const struct bench_workload *bench_workload_get(uint32_t index);

/** @return how many parts @p plan has. */
uint32_t bench_part_count(const struct bench_plan *plan);

/** @return the sum of all numbers of @p plan, which every run has to come to. */
uint64_t bench_checksum(const struct bench_plan *plan);

/** @return the bit of @p cpu_mask that part @p index gets, dealt out in turn; 0 when it is 0. */
uint64_t bench_cpu_of(uint64_t cpu_mask, uint32_t index);

/** The actor that runs a plan: it spawns the workers, starts them and sums what they counted. */
extern const struct troupe_behaviour bench_root;

/** @return ::bench_root and the behaviours of all workloads, ended by NULL. */
const struct troupe_behaviour *const *bench_behaviours(void);

/** Message that starts ::bench_root, without a body. */
#define BENCH_START 1u

/** Exit code of ::bench_root when its exit text is a result; see bench_tally_parse(). */
#define BENCH_EXIT_RESULT 100

/** What a run came to. */
struct bench_tally {
    uint64_t elapsed_ns; /**< From the first message sent to the last one handled. */
    uint64_t messages;   /**< Counted by their receivers. */
    uint64_t checksum;   /**< The sum of their numbers. */
    /** From a spawn to its first reply, the median; or a round, the 99th of 100; 0: not measured. */
    uint64_t reply_ns;
    uint64_t alive;    /**< How many actors replied when all had been started; likewise. */
    uint64_t ended_ns; /**< When all was done, by troupe_now(); all actors still run then. */
    uint64_t stop_ns;  /**< From there until the system had ended. */
};

/** @return whether @p text, the exit text of ::bench_root, is a tally. */
bool bench_tally_parse(const char *text, struct bench_tally *out_tally);

/** What the command line asks for. Zero means: as the workload has it. */
struct bench_options {
    const char **place;  /**< Placement rules, ended by NULL. */
    bool *place_is_used; /**< Which of them some case used. */
    uint64_t messages;   /**< --messages */
    uint64_t actors;     /**< --actors */
    uint64_t size_bytes; /**< --size */
    uint32_t runs;       /**< --runs */
    bool has_floor;      /**< --floor */
    bool is_json;        /**< --json */
    bool sends_bodies;   /**< --give */
    bool is_batching;    /**< --batch */
    bool pins_all;       /**< --pin */
    bool pins_none;      /**< --no-pin */
};

/** A plan, and where its actors live. */
struct bench_case {
    const struct bench_workload *workload;
    struct bench_plan plan;
    const char **place; /**< Those of the rules that match its actors, ended by NULL. */
    char backend[64];   /**< As the rules say: "ecs", "thread", "thread:4", "ecs/thread". */
    char transport[64]; /**< As the rules say: "inproc", "ipc", "tcp". */
    struct bench_floor floor;
    uint32_t runs;
    bool has_floor; /**< The floor was asked for; @ref floor says whether there is one. */
};

/**
 * Fill in a case.
 *
 * @return whether it can be run; if not, standard error says what to change.
 *
 * @owns The caller owns what *out_case holds until bench_case_free().
 */
bool bench_case_init(
    struct bench_case *out_case, uint32_t workload_index, const struct bench_options *options);

/** Free what @p self holds. */
void bench_case_free(struct bench_case *self);

/** What a case came to: a figure for each run, sorted. */
struct bench_result {
    double *ours_ns_per_message;
    double *floor_ns_per_message; /**< NULL without a floor. */
    double *reply_ns;             /**< As in struct bench_tally, of each run. */
    double *stop_ns;              /**< An actor, of the system's end. */
    uint64_t alive;               /**< How many actors were alive at once; 0: not measured. */
    uint64_t checksum;
};

/** How bench_case_run() ended. */
enum bench_outcome {
    BENCH_DONE = 0,   /**< *out_result is set. */
    BENCH_FAILED = 1, /**< It did not finish, or had a wrong sum. Standard error says more. */
    BENCH_USAGE = 2,  /**< The system refused the options; standard error says which. */
};

/**
 * Run a case: once to warm up, then as often as it says, each time the floor first and ours next.
 *
 * @owns   The caller owns what *out_result holds until bench_result_free().
 * @blocks until all runs are done
 */
enum bench_outcome bench_case_run(const struct bench_case *self, struct bench_result *out_result);

/** Free what @p result holds. */
void bench_result_free(struct bench_result *result);

/**
 * Run @p plan on raw libzmq.
 *
 * @return whether it finished; if not, standard error says why.
 *
 * @blocks until it has
 */
bool bench_floor_run(
    const struct bench_floor *floor, const struct bench_plan *plan, struct bench_tally *out_tally);

/** The argument that makes the program one part of a floor; see bench_floor_part(). */
#define BENCH_FLOOR_PART "--floor-part"

/**
 * Be one part of a floor between processes, as requested through standard input, which is a socket.
 *
 * @return the exit status.
 *
 * @blocks until the floor is done
 */
int bench_floor_part(void);

/** Print the heading of the table for people. */
void bench_report_heading(FILE *file, bool has_floor);

/** Print one case as a row of the table. */
void bench_report_row(FILE *file, const struct bench_case *self, const struct bench_result *result);

/** Print one case as a line of JSON. @return whether it could be written. */
bool bench_report_json(
    FILE *file, const struct bench_case *self, const struct bench_result *result);

#endif
