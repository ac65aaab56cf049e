#include "base/wake.h"

#include <errno.h>
#include <stdint.h>
#include <unistd.h>

void trp_wake(int wake_fd)
{
    const uint64_t one = 1;
    int saved = errno;
    (void)!write(wake_fd, &one, sizeof(one)); // fails only if the eventfd is readable already
    errno = saved;
}
