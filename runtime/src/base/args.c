#include "troupe/main.h"

#include <string.h>

const char *troupe_args_next(const void *args, size_t args_bytes, const char *previous)
{
    const char *first = args;
    const char *next = previous == NULL ? first : previous + strlen(previous) + 1;
    return first != NULL && next < first + args_bytes ? next : NULL;
}
