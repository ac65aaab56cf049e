#include "base/message.h"

#include "base/check.h"
#include "base/error.h"

#include <stdlib.h>
#include <string.h>

uint32_t troupe_message_type(const troupe_message_t *message)
{
    return message->type;
}

const void *troupe_message_body(const troupe_message_t *message)
{
    return message->body->data;
}

size_t troupe_message_body_bytes(const troupe_message_t *message)
{
    return message->body->bytes;
}

troupe_ref_t troupe_message_sender(const troupe_message_t *message)
{
    return message->sender;
}

const void *troupe_message_body_sized(const troupe_message_t *message, size_t body_bytes)
{
    return troupe_message_body_bytes(message) == body_bytes ? troupe_message_body(message) : NULL;
}

struct troupe_reply_to troupe_message_reply_to(const troupe_message_t *message)
{
    return (struct troupe_reply_to){.ref = message->sender, .ask = message->ask};
}

static void message_free_body(void *data, void *free_data)
{
    (void)free_data;
    free(data);
}

enum troupe_err troupe_body_new(size_t bytes, struct troupe_body *out_body)
{
    void *data = calloc(1, bytes == 0 ? 1 : bytes);
    if (data == NULL) {
        return TRP_EXPLAIN(TROUPE_ERR_NOMEM, "no memory for a body of %zu bytes", bytes);
    }
    *out_body = (struct troupe_body){.data = data, .bytes = bytes, .free = message_free_body};
    return TROUPE_OK;
}

void troupe_body_free(struct troupe_body *body)
{
    if (body->free != NULL) {
        body->free(body->data, body->free_data);
    }
    *body = (struct troupe_body){0};
}

enum troupe_err troupe_message_take_body(
    const troupe_message_t *message, struct troupe_body *out_body)
{
    if (message->given) {
        *out_body = *message->body;
    } else {
        struct troupe_body copy;
        enum troupe_err err = troupe_body_new(message->body->bytes, &copy);
        if (err != TROUPE_OK) {
            return err;
        }
        if (copy.bytes != 0) {
            memcpy(copy.data, message->body->data, copy.bytes);
        }
        *out_body = copy;
    }
    *message->body = (struct troupe_body){0};
    return TROUPE_OK;
}

void troupe_message_destroy(troupe_message_t **message_p)
{
    troupe_message_t *message = *message_p;
    if (message == NULL) {
        return;
    }
    TRP_CHECK(message->owned);
    if (message->given) {
        troupe_body_free(message->body);
    }
    free(message);
    *message_p = NULL;
}
