/* The wire protocol: frames, here one on each line. */
#include <jansson.h>
#include <stdbool.h>

#include "fuzz.h"
#include "message.h"

static int split(frame frames[SOCKET_FRAMES_MAX], const uint8_t *data, size_t size)
{
    int n = 0;
    for (const uint8_t *end = data + size; data < end && n < SOCKET_FRAMES_MAX; n++) {
        const uint8_t *stop = memchr(data, '\n', (size_t)(end - data));
        frames[n] = (frame){data, (size_t)((stop ? stop : end) - data)};
        data = stop ? stop + 1 : end;
    }
    return n;
}

static frame of_text(const char *text)
{
    return (frame){text, strlen(text)};
}

/* What was understood is said again, and understood as the same. */
static void say_again(const message *m)
{
    char *body = json_dumps(m->body, JSON_COMPACT | JSON_REAL_PRECISION(17));
    assert(body);
    frame   frames[3 + MESSAGE_PARTS_MAX] = {of_text(message_version()),
                                             of_text(message_name(m->type)), of_text(body)};
    message again;
    for (int i = 0; i < m->n_parts; i++) frames[3 + i] = m->part[i];
    assert(message_read(&again, frames, 3 + m->n_parts) == DID_OK);
    assert(again.type == m->type && again.n_parts == m->n_parts);
    assert(json_equal(again.body, m->body));
    message_clear(&again);
    free(body);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    frame   frames[SOCKET_FRAMES_MAX];
    int     n = split(frames, data, size);
    message m;
    status  s = message_read(&m, frames, n);
    if (s == DID_OK) {
        assert(m.type < MESSAGE_TYPES && json_is_object(m.body));
        assert(m.n_parts == n - 3 && m.n_parts <= MESSAGE_PARTS_MAX);
        for (int i = 0; i < m.n_parts; i++)
            assert(m.part[i].data == frames[3 + i].data && m.part[i].size == frames[3 + i].size);
        say_again(&m);
    } else {
        fuzz_refused(s, DID_EFORMAT);
        assert(m.body == NULL);
    }
    message_clear(&m);
    message_clear(&m);
    return 0;
}
