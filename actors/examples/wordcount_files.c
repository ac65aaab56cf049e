/* The files to count. */
#include "wordcount_files.h"

#include <errno.h>
#include <fts.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

void wordcount_files_tell(struct wordcount_files *files, const char *path, const char *why)
{
    (void)fprintf(stderr, "wordcount: %s: %s\n", path, why);
    files->failed++;
}

static bool add(struct wordcount_files *files, const char *path)
{
    char **paths = reallocarray(files->paths, files->count + 1, sizeof(*paths));
    if (paths == NULL) {
        return false;
    }
    files->paths = paths;
    paths[files->count] = strdup(path);
    return paths[files->count++] != NULL;
}

/** Take what a walk met, or tell why not. Below a directory only regular files are read. */
static bool meet(struct wordcount_files *files, const FTSENT *entry)
{
    struct stat target;
    const int info = entry->fts_info;
    if (info == FTS_D || info == FTS_DP) {
        return true;
    }
    if (info == FTS_DNR || info == FTS_ERR || info == FTS_NS) {
        wordcount_files_tell(files, entry->fts_path, strerrordesc_np(entry->fts_errno));
    } else if (stat(entry->fts_path, &target) != 0) {
        wordcount_files_tell(files, entry->fts_path, strerrordesc_np(errno));
    } else if (S_ISREG(target.st_mode) || entry->fts_level == FTS_ROOTLEVEL) {
        return add(files, entry->fts_path);
    } else if (!S_ISDIR(target.st_mode)) { // a link to a directory could lead in circles
        wordcount_files_tell(files, entry->fts_path, "not a regular file");
    }
    return true;
}

static int by_name(const FTSENT **a, const FTSENT **b)
{
    return strcmp((*a)->fts_name, (*b)->fts_name);
}

bool wordcount_files_add(struct wordcount_files *files, const char *path)
{
    char *roots[] = {strdup(path), NULL};
    if (roots[0] == NULL) {
        return false;
    }
    FTS *walk = fts_open(roots, FTS_COMFOLLOW | FTS_PHYSICAL | FTS_NOCHDIR, by_name);
    bool added = true;
    const FTSENT *entry = NULL;
    while (walk != NULL && added && (entry = fts_read(walk)) != NULL) {
        added = meet(files, entry);
    }
    if (walk == NULL || (added && errno != 0)) { // fts_read() clears errno at the end of a walk
        wordcount_files_tell(files, path, strerrordesc_np(errno));
    }
    if (walk != NULL) {
        fts_close(walk);
    }
    free(roots[0]);
    return added;
}

void wordcount_files_free(struct wordcount_files *files)
{
    for (size_t i = 0; i < files->count; i++) {
        free(files->paths[i]);
    }
    free(files->paths);
    *files = (struct wordcount_files){0};
}
