/* Where files run on into each other. */
#include "wordcount_files.h"

#include <ctype.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

/** @return whether there is text in a file; then @p ends are its first byte and its last. */
static bool read_ends(const char *path, unsigned char ends[2])
{
    struct stat file;
    if (stat(path, &file) != 0 || (S_ISREG(file.st_mode) && file.st_size == 0)) {
        return false;
    }
    ends[0] = ends[1] = '\n'; // of a pipe, which can be read but once
    if (!S_ISREG(file.st_mode)) {
        return true;
    }
    const int descriptor = open(path, O_RDONLY | O_CLOEXEC);
    if (descriptor < 0) {
        return false;
    }
    const bool read_both = pread(descriptor, &ends[0], 1, 0) == 1 &&
                           pread(descriptor, &ends[1], 1, file.st_size - 1) == 1;
    close(descriptor);
    return read_both;
}

size_t wordcount_files_run_end(const struct wordcount_files *files, size_t first)
{
    size_t end = first;
    bool in_word = false;
    do {
        unsigned char ends[2];
        if (read_ends(files->paths[end], ends)) {
            if (end > first && !isalpha(ends[0])) {
                break;
            }
            in_word = isalpha(ends[1]) != 0;
        }
        end++;
    } while (in_word && end < files->count);
    return end;
}
