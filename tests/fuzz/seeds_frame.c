// Writes the seeds of the frame target into a folder, with the runtime's own writer: valid frames,
// and some that are damaged in one place each. Run it again when the format changes.
#include "fuzz.h"
#include "wire/frame_write.h"

static const char *seeds_folder;
static _Alignas(8) uint8_t seeds_bytes[TRP_FRAME_BYTES_MAX];

static struct trp_outframe seeds_begin(void)
{
    return (struct trp_outframe){
        .bytes = seeds_bytes,
        .capacity = sizeof(seeds_bytes),
        .base = sizeof(struct trp_header),
        .last = TRP_LAST_NONE,
    };
}

static void seeds_put(struct trp_outframe *frame, enum trp_kind kind, uint32_t flags, uint32_t size)
{
    static _Alignas(8) uint8_t body[TRP_INLINE_BYTES_MAX];
    const struct trp_given given = {.data = NULL, .bytes = 3}; // the first part
    memset(body, (int)(frame->messages + 1), size);
    const struct trp_outgoing outgoing = {
        .to = {.index = 1, .generation = 2},
        .from_index = 3,
        .from_generation = 4,
        .type = 5,
        .kind = kind,
        .flags = flags,
        .body = body,
        .body_bytes = size,
        .ask = 6,
        .expires_ns = 10,
        .handle = (flags & TRP_FLAG_GIVEN) != 0 ? &given : NULL,
    };
    FUZZ_CHECK(trp_outframe_put(frame, &outgoing));
}

/** Write the header. @return the size */
static size_t seeds_end(const struct trp_outframe *frame)
{
    const struct trp_header header = {
        .version = TRP_FRAME_VERSION,
        .count = trp_outframe_counted(frame),
        .cookie = 7,
        .node = 8,
        .executor = 9,
    };
    memcpy(seeds_bytes, &header, sizeof(header));
    return frame->used == 0 ? sizeof(header) : frame->used;
}

static void seeds_save(const char *name, size_t size)
{
    char path[4096];
    (void)snprintf(path, sizeof(path), "%s/%s", seeds_folder, name);
    FILE *file = fopen(path, "wb");
    FUZZ_CHECK(file != NULL);
    FUZZ_CHECK(fwrite(seeds_bytes, 1, size, file) == size);
    FUZZ_CHECK(fclose(file) == 0);
}

/** Write one message, or a run. @return the size of the frame */
static size_t seeds_save_some(
    const char *name, enum trp_kind kind, uint32_t flags, uint32_t size, uint32_t count)
{
    struct trp_outframe frame = seeds_begin();
    for (uint32_t i = 0; i < count; i++) {
        seeds_put(&frame, kind, flags, size);
    }
    size_t bytes = seeds_end(&frame);
    seeds_save(name, bytes);
    return bytes;
}

static void seeds_save_sound(void)
{
    seeds_save_some("empty", TRP_KIND_USER, 0, 0, 0);
    seeds_save_some("no-body", TRP_KIND_USER, 0, 0, 1);
    seeds_save_some("body-of-13", TRP_KIND_USER, 0, 13, 1);
    seeds_save_some("body-of-300", TRP_KIND_USER, 0, 300, 1);
    seeds_save_some("run-of-3", TRP_KIND_USER, 0, 8, 3);
    seeds_save_some("run-without-bodies", TRP_KIND_USER, 0, 0, 1000);
    seeds_save_some("ask", TRP_KIND_USER, TRP_FLAG_ASK, 5, 1);
    seeds_save_some("reply", TRP_KIND_REPLY, TRP_FLAG_ASK | TRP_FLAG_UNMETERED, 24, 1);
    seeds_save_some("reply-failed", TRP_KIND_REPLY, TRP_FLAG_ASK | TRP_FLAG_FAILED, 0, 1);
    seeds_save_some("provisional", TRP_KIND_USER, TRP_FLAG_PROVISIONAL, 16, 2);
    seeds_save_some("given", TRP_KIND_USER, TRP_FLAG_GIVEN, 0, 1);
    seeds_save_some("given-ask", TRP_KIND_USER, TRP_FLAG_GIVEN | TRP_FLAG_ASK, 0, 2);
    seeds_save_some("expires", TRP_KIND_USER, TRP_FLAG_EXPIRES, 8, 2);
    seeds_save_some("expires-ask", TRP_KIND_USER, TRP_FLAG_EXPIRES | TRP_FLAG_ASK, 5, 1);
    seeds_save_some("expires-given", TRP_KIND_USER, TRP_FLAG_EXPIRES | TRP_FLAG_GIVEN, 0, 1);
    seeds_save_some("expires-notice", TRP_KIND_NOTICE, TRP_FLAG_EXPIRES, 8, 1);
    seeds_save_some("notice", TRP_KIND_NOTICE, TRP_FLAG_UNMETERED, 16, 1);
    seeds_save_some("last-kind", (enum trp_kind)(TRP_KIND_COUNT - 1), 0, 0, 1);
    struct trp_outframe frame = seeds_begin();
    seeds_put(&frame, TRP_KIND_USER, 0, 8);
    seeds_put(&frame, TRP_KIND_USER, 0, 8);
    seeds_put(&frame, TRP_KIND_REPLY, TRP_FLAG_ASK, 1);
    seeds_put(&frame, TRP_KIND_USER, TRP_FLAG_GIVEN, 0);
    seeds_put(&frame, TRP_KIND_USER, 0, 9);
    seeds_put(&frame, TRP_KIND_CREDIT_GRANT, 0, 16);
    seeds_save("mixed", seeds_end(&frame));
}

static void seeds_save_spoilt(void)
{
    struct trp_header *header = (void *)seeds_bytes;
    struct trp_envelope *envelope = (void *)(header + 1);
    uint64_t *word = (void *)(envelope + 1);
    size_t size = seeds_save_some("no-body", TRP_KIND_USER, 0, 0, 1);
    seeds_save("cut-in-header", 40);
    seeds_save("cut-in-envelope", size - 8);
    seeds_save("no-multiple-of-8", size - 1);
    header->version++;
    seeds_save("other-version", size);
    header->version--;
    header->lane = TRP_LANE_COMMAND;
    seeds_save("command-lane", size);
    header->lane++;
    seeds_save("no-lane", size);
    header->lane = 0;
    envelope->tag = trp_tag(TRP_KIND_USER, 0, TRP_BODY_BYTES_MAX);
    seeds_save("body-beyond-end", size);
    envelope->tag++;
    seeds_save("body-too-big", size);
    envelope->tag = trp_tag(TRP_KIND_COUNT, 0, 0);
    seeds_save("no-kind", size);
    envelope->tag = trp_tag(TRP_KIND_USER, TRP_FLAG_EXPIRES, 0);
    seeds_save("expires-without-time", size);

    size = seeds_save_some("run-of-3", TRP_KIND_USER, 0, 8, 3);
    *word = 0;
    seeds_save("run-of-0", size);
    *word = TRP_RUN_COUNT_MAX + 1;
    seeds_save("run-too-long", size);
    *word = TRP_RUN_COUNT_MAX;
    seeds_save("run-beyond-end", size);
    envelope->tag = trp_tag(TRP_KIND_USER, TRP_FLAG_RUN | TRP_FLAG_EXPIRES, 0);
    seeds_save("run-expires", size);
    envelope->tag = trp_tag(TRP_KIND_USER, TRP_FLAG_RUN, 0);
    seeds_save("run-longest", size - 24);
    envelope->tag = trp_tag(TRP_KIND_USER, TRP_FLAG_SENDER, 24);
    seeds_save("sender", size);
    envelope->tag = trp_tag(TRP_KIND_USER, TRP_FLAG_SENDER | TRP_FLAG_RUN, 8);
    word[1] = 2;
    seeds_save("sender-run", size);
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        (void)fprintf(stderr, "usage: %s FOLDER\n", argv[0]);
        return 2;
    }
    seeds_folder = argv[1];
    seeds_save_sound();
    seeds_save_spoilt();
    return 0;
}
