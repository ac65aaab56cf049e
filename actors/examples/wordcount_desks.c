/* Where readers sit. */
#include "wordcount_desks.h"

#include <string.h>

/** Seat a reader for the next run of files. */
static enum troupe_err seat(
    troupe_context_t *ctx,
    struct wordcount_desks *desks,
    uint64_t number,
    const struct wordcount_files *files,
    struct wordcount_crew crew)
{
    struct wordcount_desk *desk = &desks->desks[number];
    crew.number = number;
    const struct troupe_spawn_options options = {
        .behaviour = &wordcount_reader, .args = &crew, .args_bytes = sizeof(crew)};
    const enum troupe_err err = troupe_spawn(ctx, &options, &desk->reader);
    if (err == TROUPE_OK) {
        desk->next = desks->started;
        desk->end = desks->started = wordcount_files_run_end(files, desk->next);
    }
    return err;
}

bool wordcount_desks_fill(
    troupe_context_t *ctx,
    struct wordcount_desks *desks,
    const struct wordcount_files *files,
    const struct wordcount_crew *crew,
    troupe_reply_fn *on_reply)
{
    bool reading = false;
    for (uint64_t i = 0; i < WORDCOUNT_READERS; i++) {
        struct wordcount_desk *desk = &desks->desks[i];
        if (desk->next == desk->end && desks->started < files->count) {
            const enum troupe_err err = seat(ctx, desks, i, files, *crew);
            if (err != TROUPE_OK) {
                troupe_fail(ctx, 1, troupe_strerror(err));
                return true;
            }
        }
        if (desk->next < desk->end && !desk->asked) {
            const char *path = files->paths[desk->next];
            const struct troupe_outgoing letter = {
                .to = desk->reader,
                .type = desk->next + 1 < desk->end ? WORDCOUNT_READ : WORDCOUNT_READ_LAST,
                .body = path,
                .body_bytes = strlen(path) + 1,
            };
            desk->asked = wordcount_ask(ctx, &letter, on_reply, i);
        }
        reading = reading || desk->next < desk->end;
    }
    return reading;
}

void wordcount_desks_meet(
    struct wordcount_desks *desks,
    struct wordcount_files *files,
    uint64_t number,
    enum troupe_err err,
    int error)
{
    struct wordcount_desk *desk = &desks->desks[number];
    desk->asked = false;
    if (error != 0) {
        wordcount_files_tell(files, files->paths[desk->next], strerrordesc_np(error));
    }
    desk->next += err == TROUPE_OK;
    for (; err != TROUPE_OK && desk->next < desk->end; desk->next++) {
        wordcount_files_tell(files, files->paths[desk->next], "its reader ended too early");
    }
}
