/*
 * Shows the world as entities, components and systems (troupe/ecs.h) beside actors: a flock of boids,
 * drawn as SVG frames into a directory.
 *
 *     ./boids DIRECTORY [BOIDS [FRAMES]]
 *     ./boids /tmp/flock 100000 48
 *     ./boids /tmp/flock --place 'shepherd=thread'
 *
 * Boids are plain entities, moved by systems. Shepherds are actors: a message tells each where its boids
 * are, and it replies where they are to go. Shepherds may live anywhere, the flock lives in the world.
 *
 *     gather --> steer --> move --> centre --CENTRE--> shepherd --GOAL--> flock
 *     (each cell's mean)            (each flock's)
 *
 * Rules: C. W. Reynolds, "Flocks, Herds, and Schools", SIGGRAPH 1987; neighbours are those in one cell.
 */
#include <troupe/ecs.h>
#include <troupe/troupe.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CENTRE = 1, GOAL, DRAWN, FAILED };

enum { FLOCKS = 4, FIELD = 1000, CELLS = 100, BOIDS_MAX = 10000000, FRAMES_MAX = 10000 };

struct vector {
    float x, y;
};

/* Body of GOAL, and of CENTRE: where that flock is to go, or is. */
struct place {
    unsigned flock;
    struct vector at;
};

/* Sums over the boids of a cell. */
struct cell {
    struct vector at, speed;
    float count;
};

/* The first actor: its state is the data of the systems. */
struct flock {
    troupe_ecs_component_t position, velocity, member;
    troupe_ref_t self;
    troupe_ref_t shepherds[FLOCKS];
    struct vector goals[FLOCKS];
    struct cell *cells;
    char *directory;
    unsigned long boids, frames, drawn, unsent;
};

/* A shepherd. ---------------------------------------------------------------------------------- */

struct shepherd {
    troupe_ref_t flock;
    struct place goal;
};

static float random_below(troupe_context_t *ctx, float below)
{
    return below * (float)(troupe_random(ctx) >> 40) / (float)(1 << 24);
}

static void shepherd_send(troupe_context_t *ctx, const struct shepherd *self)
{
    const enum troupe_err err = TROUPE_SEND(ctx, self->flock, GOAL, &self->goal);
    if (err != TROUPE_ERR_FULL) { /* After FULL there will be a ROOM. */
        troupe_check(ctx, err);
    }
}

static void shepherd_choose(troupe_context_t *ctx, struct shepherd *self)
{
    self->goal.at = (struct vector){random_below(ctx, FIELD), random_below(ctx, FIELD)};
    shepherd_send(ctx, self);
}

static enum troupe_err shepherd_init(
    troupe_context_t *ctx, void *state, const void *args, size_t args_bytes)
{
    const struct shepherd *initial = TROUPE_ARGS(args, args_bytes, struct shepherd);
    if (initial == NULL) {
        return TROUPE_ERR_INVAL;
    }
    *(struct shepherd *)state = *initial;
    shepherd_choose(ctx, state);
    return TROUPE_OK;
}

static void shepherd_receive(troupe_context_t *ctx, void *state, const troupe_message_t *message)
{
    struct shepherd *self = state;
    const struct place *centre = TROUPE_BODY(message, struct place);
    if (troupe_message_type(message) == CENTRE && centre != NULL &&
        hypotf(centre->at.x - self->goal.at.x, centre->at.y - self->goal.at.y) < FIELD / 10.0F) {
        shepherd_choose(ctx, self); /* They have arrived. */
    } else if (troupe_message_type(message) == TROUPE_MESSAGE_ROOM) {
        shepherd_send(ctx, self);
    }
}

static const struct troupe_behaviour shepherd = {
    .name = "shepherd",
    .state_bytes = sizeof(struct shepherd),
    .init = shepherd_init,
    .receive = shepherd_receive,
};

/* Systems. ------------------------------------------------------------------------------------- */

static struct cell *cell_of(const struct flock *self, struct vector at)
{
    const int x = (int)(at.x * CELLS / FIELD) % CELLS;
    const int y = (int)(at.y * CELLS / FIELD) % CELLS;
    return &self->cells[y * CELLS + x];
}

static void clear(struct troupe_ecs_iter *it)
{
    const struct flock *self = it->data;
    memset(self->cells, 0, (size_t)CELLS * CELLS * sizeof(*self->cells));
}

static void gather(struct troupe_ecs_iter *it)
{
    const struct vector *at = TROUPE_ECS_FIELD(it, struct vector, 0);
    const struct vector *speed = TROUPE_ECS_FIELD(it, struct vector, 1);
    for (unsigned i = 0; i < it->count; i++) {
        struct cell *cell = cell_of(it->data, at[i]);
        cell->at.x += at[i].x;
        cell->at.y += at[i].y;
        cell->speed.x += speed[i].x;
        cell->speed.y += speed[i].y;
        cell->count += 1;
    }
}

/* Match the speed of the cell, keep a distance from its middle, and go towards the goal. */
static void steer(struct troupe_ecs_iter *it)
{
    const struct flock *self = it->data;
    const struct vector *at = TROUPE_ECS_FIELD(it, struct vector, 0);
    struct vector *speed = TROUPE_ECS_FIELD(it, struct vector, 1);
    const unsigned *member = TROUPE_ECS_FIELD(it, unsigned, 2);
    for (unsigned i = 0; i < it->count; i++) {
        const struct cell *cell = cell_of(self, at[i]);
        const struct vector goal = self->goals[member[i]];
        const float near = cell->count > 12 ? -1.5F : 0.8F;
        struct vector to = {
            0.9F * (cell->speed.x / cell->count - speed[i].x) +
                near * (cell->at.x / cell->count - at[i].x) + 0.04F * (goal.x - at[i].x),
            0.9F * (cell->speed.y / cell->count - speed[i].y) +
                near * (cell->at.y / cell->count - at[i].y) + 0.04F * (goal.y - at[i].y),
        };
        speed[i].x += to.x * it->delta_time;
        speed[i].y += to.y * it->delta_time;
        const float pace = hypotf(speed[i].x, speed[i].y) + 0.001F;
        const float wanted = pace < 30 ? 30 : pace > 80 ? 80 : pace;
        speed[i].x *= wanted / pace;
        speed[i].y *= wanted / pace;
    }
}

static float wrapped(float x)
{
    x = fmodf(x, FIELD);
    return x < 0 ? x + FIELD - 0.001F : x;
}

static void move(struct troupe_ecs_iter *it)
{
    struct vector *at = TROUPE_ECS_FIELD(it, struct vector, 0);
    const struct vector *speed = TROUPE_ECS_FIELD(it, struct vector, 1);
    for (unsigned i = 0; i < it->count; i++) {
        at[i].x = wrapped(at[i].x + speed[i].x * it->delta_time);
        at[i].y = wrapped(at[i].y + speed[i].y * it->delta_time);
    }
}

/* Tell each shepherd where its flock is. All boids are in one table, so this is called once. */
static void centre(struct troupe_ecs_iter *it)
{
    struct flock *self = it->data;
    const struct vector *at = TROUPE_ECS_FIELD(it, struct vector, 0);
    const unsigned *member = TROUPE_ECS_FIELD(it, unsigned, 1);
    double x[FLOCKS] = {0}, y[FLOCKS] = {0}, count[FLOCKS] = {0};
    for (unsigned i = 0; i < it->count; i++) {
        x[member[i]] += (double)at[i].x;
        y[member[i]] += (double)at[i].y;
        count[member[i]] += 1;
    }
    for (unsigned f = 0; f < FLOCKS; f++) {
        if (count[f] > 0) {
            const struct place place = {f, {(float)(x[f] / count[f]), (float)(y[f] / count[f])}};
            if (TROUPE_SEND(it->ctx, self->shepherds[f], CENTRE, &place) != TROUPE_OK) {
                self->unsent++; /* Its mailbox is full; the next one will say. */
            }
        }
    }
}

static void draw_all(FILE *file, const struct troupe_ecs_iter *it)
{
    static const char *const colours[FLOCKS] = {"#1b4965", "#c1121f", "#2d6a4f", "#7b2cbf"};
    const struct vector *at = TROUPE_ECS_FIELD(it, struct vector, 0);
    const struct vector *speed = TROUPE_ECS_FIELD(it, struct vector, 1);
    const unsigned *member = TROUPE_ECS_FIELD(it, unsigned, 2);
    for (unsigned f = 0; f < FLOCKS; f++) {
        (void)fprintf(file, "<path stroke=\"%s\" d=\"", colours[f]);
        for (unsigned i = 0; i < it->count; i++) {
            if (member[i] == f) {
                (void)fprintf(
                    file,
                    "M%.1f %.1fl%.1f %.1f",
                    (double)at[i].x,
                    (double)at[i].y,
                    (double)speed[i].x / 20,
                    (double)speed[i].y / 20);
            }
        }
        (void)fputs("\"/>\n", file);
    }
}

/* Draw a frame, and report the last one and any failure to the flock: a system itself cannot fail. */
static void draw(struct troupe_ecs_iter *it)
{
    struct flock *self = it->data;
    char path[4096];
    if (self->drawn == self->frames) {
        return;
    }
    (void)snprintf(path, sizeof(path), "%s/frame-%04lu.svg", self->directory, self->drawn);
    FILE *file = fopen(path, "w");
    bool good = file != NULL;
    if (good) {
        (void)fprintf(
            file,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" fill=\"none\">\n",
            FIELD,
            FIELD);
        draw_all(file, it);
        (void)fputs("</svg>\n", file);
        good = ferror(file) == 0;
        good = fclose(file) == 0 && good;
    }
    self->drawn++;
    const unsigned type = good ? DRAWN : FAILED;
    if ((!good || self->drawn == self->frames) &&
        troupe_send(it->ctx, self->self, type, path, strlen(path) + 1) != TROUPE_OK) {
        troupe_shutdown(it->ctx);
    }
}

/* The flock. ----------------------------------------------------------------------------------- */

static enum troupe_err flock_register(troupe_ecs_t *ecs, struct flock *self)
{
    const struct {
        const char *name;
        size_t bytes;
        troupe_ecs_component_t *component;
    } all[] = {
        {"position", sizeof(struct vector), &self->position},
        {"velocity", sizeof(struct vector), &self->velocity},
        {"member", sizeof(unsigned), &self->member},
    };
    enum troupe_err err = TROUPE_OK;
    for (unsigned i = 0; i < 3 && err == TROUPE_OK; i++) {
        const struct troupe_ecs_component_options options = {all[i].name, all[i].bytes};
        err = troupe_ecs_component_new(ecs, &options, all[i].component);
    }
    return err;
}

static enum troupe_err flock_add_boids(troupe_context_t *ctx, troupe_ecs_t *ecs, struct flock *self)
{
    enum troupe_err err = TROUPE_OK;
    for (unsigned long i = 0; i < self->boids && err == TROUPE_OK; i++) {
        const unsigned member = (unsigned)(i % FLOCKS);
        const struct vector at = {random_below(ctx, FIELD), random_below(ctx, FIELD)};
        const struct vector speed = {random_below(ctx, 80) - 40, random_below(ctx, 80) - 40};
        troupe_ecs_entity_t boid;
        err = troupe_ecs_new(ecs, &boid);
        err = err == TROUPE_OK ? TROUPE_ECS_SET(ecs, boid, self->position, &at) : err;
        err = err == TROUPE_OK ? TROUPE_ECS_SET(ecs, boid, self->velocity, &speed) : err;
        err = err == TROUPE_OK ? TROUPE_ECS_SET(ecs, boid, self->member, &member) : err;
    }
    return err;
}

static enum troupe_err flock_add_systems(troupe_ecs_t *ecs, struct flock *self)
{
    const struct troupe_ecs_term at = {.component = self->position};
    const struct troupe_ecs_term speed = {.component = self->velocity};
    const struct troupe_ecs_term member = {.component = self->member};
    const struct troupe_ecs_system_options systems[] = {
        {.name = "clear", .phase = TROUPE_ECS_POST_LOAD, .callback = clear},
        {.name = "gather",
         .phase = TROUPE_ECS_PRE_UPDATE,
         .terms = {at, speed},
         .callback = gather},
        {.name = "steer", .terms = {at, speed, member}, .callback = steer},
        {.name = "move", .terms = {at, speed}, .callback = move},
        {.name = "centre",
         .phase = TROUPE_ECS_POST_UPDATE,
         .terms = {at, member},
         .callback = centre,
         .interval_ns = 250000000},
        {.name = "draw",
         .phase = TROUPE_ECS_ON_STORE,
         .terms = {at, speed, member},
         .callback = draw},
    };
    enum troupe_err err = TROUPE_OK;
    for (unsigned i = 0; i < sizeof(systems) / sizeof(systems[0]) && err == TROUPE_OK; i++) {
        struct troupe_ecs_system_options options = systems[i];
        options.data = self;
        err = troupe_ecs_system_new(ecs, &options, NULL);
    }
    return err;
}

static enum troupe_err flock_spawn_shepherds(troupe_context_t *ctx, struct flock *self)
{
    enum troupe_err err = TROUPE_OK;
    for (unsigned f = 0; f < FLOCKS && err == TROUPE_OK; f++) {
        const struct shepherd args = {.flock = self->self, .goal = {.flock = f}};
        self->goals[f] = (struct vector){FIELD / 2.0F, FIELD / 2.0F}; /* Until it sends one. */
        err = TROUPE_SPAWN(
            ctx,
            &self->shepherds[f],
            .behaviour = &shepherd,
            .args = &args,
            .args_bytes = sizeof(args));
    }
    return err;
}

/* The arguments are valid during init only, and the directory is needed for longer: it is copied. */
static bool flock_read(struct flock *self, const void *args, size_t args_bytes)
{
    const char *directory = troupe_args_next(args, args_bytes, NULL);
    const char *boids = directory != NULL ? troupe_args_next(args, args_bytes, directory) : NULL;
    const char *frames = boids != NULL ? troupe_args_next(args, args_bytes, boids) : NULL;
    char *end = NULL;
    self->boids = boids != NULL ? strtoul(boids, &end, 10) : 100000;
    const bool good = end == NULL || *end == '\0';
    self->frames = frames != NULL ? strtoul(frames, &end, 10) : 24;
    self->directory = directory != NULL ? strdup(directory) : NULL;
    return self->directory != NULL && good && (end == NULL || *end == '\0') && self->boids >= 1 &&
           self->boids <= BOIDS_MAX && self->frames >= 1 && self->frames <= FRAMES_MAX;
}

static enum troupe_err flock_init(
    troupe_context_t *ctx, void *state, const void *args, size_t args_bytes)
{
    struct flock *self = state;
    self->self = troupe_self(ctx);
    if (!flock_read(self, args, args_bytes)) {
        troupe_fail(
            ctx, 2, "DIRECTORY [BOIDS [FRAMES]] is wanted, as in: boids /tmp/flock 100000 24");
        return TROUPE_OK;
    }
    troupe_ecs_t *ecs = troupe_ecs_world(ctx);
    self->cells = calloc((size_t)CELLS * CELLS, sizeof(*self->cells));
    if (ecs == NULL || self->cells == NULL) {
        troupe_fail(ctx, 1, "the flock needs a world: place 'flock' on ecs");
        return TROUPE_OK;
    }
    enum troupe_err err = flock_register(ecs, self);
    err = err == TROUPE_OK ? flock_add_boids(ctx, ecs, self) : err;
    err = err == TROUPE_OK ? flock_spawn_shepherds(ctx, self) : err;
    err = err == TROUPE_OK ? flock_add_systems(ecs, self) : err;
    err = err == TROUPE_OK ? troupe_ecs_set_delta(ecs, 1000000000 / 24)
                           : err;                                  /* A frame as it is shown, */
    return err == TROUPE_OK ? troupe_ecs_set_period(ecs, 1) : err; /* drawn as fast as possible. */
}

static void flock_receive(troupe_context_t *ctx, void *state, const troupe_message_t *message)
{
    struct flock *self = state;
    const struct place *goal = TROUPE_BODY(message, struct place);
    switch (troupe_message_type(message)) {
    case GOAL:
        if (goal != NULL && goal->flock < FLOCKS) {
            self->goals[goal->flock] = goal->at;
        }
        break;
    case DRAWN:
        printf("%lu boids in %lu frames\n", self->boids, self->frames);
        troupe_stop(ctx);
        break;
    case FAILED:
        (void)fprintf(
            stderr, "boids: cannot write %s\n", (const char *)troupe_message_body(message));
        troupe_fail(ctx, 1, "a frame could not be written");
        break;
    }
}

static void flock_fini(troupe_context_t *ctx, void *state, const struct troupe_exit *exit)
{
    struct flock *self = state;
    troupe_ecs_t *ecs = troupe_ecs_world(ctx);
    troupe_ecs_system_t system; /* They use what is freed here. */
    while ((system = troupe_ecs_system_next(ecs, 0)) != 0) {
        (void)troupe_ecs_system_delete(ecs, system);
    }
    free(self->cells);
    free(self->directory);
}

static const struct troupe_behaviour flock = {
    .name = "flock",
    .usage = "DIRECTORY [BOIDS [FRAMES]]",
    .state_bytes = sizeof(struct flock),
    .init = flock_init,
    .receive = flock_receive,
    .fini = flock_fini,
};

int main(int argc, char **argv)
{
    return troupe_main(argc, argv, TROUPE_BEHAVIOURS(&flock, &shepherd));
}
