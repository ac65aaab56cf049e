#include "base/sigsafe.h"

#include <string.h>
#include <unistd.h>

enum { DIGITS_MAX = 20 };

static void sigsafe_bytes(struct trp_sigsafe *sigsafe, const char *text, size_t bytes)
{
    size_t room = sizeof(sigsafe->text) - 1 - sigsafe->used; // and the newline
    bytes = bytes < room ? bytes : room;
    memcpy(sigsafe->text + sigsafe->used, text, bytes);
    sigsafe->used += bytes;
}

void trp_sigsafe_text(struct trp_sigsafe *sigsafe, const char *text)
{
    sigsafe_bytes(sigsafe, text, strlen(text));
}

static void sigsafe_digits(struct trp_sigsafe *sigsafe, uint64_t number, uint64_t base)
{
    char digits[DIGITS_MAX];
    size_t at = sizeof(digits);
    do {
        digits[--at] = "0123456789abcdef"[number % base];
        number /= base;
    } while (number != 0);
    sigsafe_bytes(sigsafe, digits + at, sizeof(digits) - at);
}

void trp_sigsafe_number(struct trp_sigsafe *sigsafe, uint64_t number)
{
    sigsafe_digits(sigsafe, number, 10);
}

void trp_sigsafe_hex(struct trp_sigsafe *sigsafe, uint64_t number)
{
    sigsafe_digits(sigsafe, number, 16);
}

void trp_sigsafe_copy(const struct trp_sigsafe *sigsafe, char *text, size_t bytes)
{
    size_t used = sigsafe->used < bytes ? sigsafe->used : bytes - 1;
    memcpy(text, sigsafe->text, used);
    text[used] = '\0';
}

void trp_sigsafe_write(struct trp_sigsafe *sigsafe, int fd)
{
    sigsafe->text[sigsafe->used] = '\n';
    (void)!write(fd, sigsafe->text, sigsafe->used + 1);
}
