#include "base/sigsafe.h"

#include <string.h>
#include <unistd.h>

enum { DIGITS_MAX = 20 };

static void scribble_bytes(struct trp_scribble *scribble, const char *text, size_t bytes)
{
    size_t room = sizeof(scribble->text) - 1 - scribble->used; // and the newline
    bytes = bytes < room ? bytes : room;
    memcpy(scribble->text + scribble->used, text, bytes);
    scribble->used += bytes;
}

void trp_scribble_text(struct trp_scribble *scribble, const char *text)
{
    scribble_bytes(scribble, text, strlen(text));
}

static void scribble_digits(struct trp_scribble *scribble, uint64_t number, uint64_t base)
{
    char digits[DIGITS_MAX];
    size_t at = sizeof(digits);
    do {
        digits[--at] = "0123456789abcdef"[number % base];
        number /= base;
    } while (number != 0);
    scribble_bytes(scribble, digits + at, sizeof(digits) - at);
}

void trp_scribble_number(struct trp_scribble *scribble, uint64_t number)
{
    scribble_digits(scribble, number, 10);
}

void trp_scribble_hex(struct trp_scribble *scribble, uint64_t number)
{
    scribble_digits(scribble, number, 16);
}

void trp_scribble_copy(const struct trp_scribble *scribble, char *text, size_t bytes)
{
    size_t used = scribble->used < bytes ? scribble->used : bytes - 1;
    memcpy(text, scribble->text, used);
    text[used] = '\0';
}

void trp_scribble_write(struct trp_scribble *scribble, int fd)
{
    scribble->text[scribble->used] = '\n';
    (void)!write(fd, scribble->text, scribble->used + 1);
}
