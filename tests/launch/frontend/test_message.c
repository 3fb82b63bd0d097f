#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

#include <stdlib.h>

#include "message.h"
#include "sample.h"

static frame of(const char *text)
{
    return (frame){text, strlen(text)};
}

static void understands(void **state)
{
    (void)state;
    message m;
    frame   frames[] = {of("did1"), of("work"), of("{\"serial\": 4}"), of("slip"), of("parcel")};
    assert_int_equal(message_read(&m, frames, 5), DID_OK);
    assert_int_equal(m.type, MESSAGE_WORK);
    assert_int_equal(json_integer_value(json_object_get(m.body, "serial")), 4);
    assert_int_equal(m.n_parts, 2);
    assert_ptr_equal(m.part[1].data, frames[4].data);
    message_clear(&m);
    assert_int_equal(message_read(&m, frames, 4), DID_OK);
    assert_int_equal(m.n_parts, 1);
    message_clear(&m);
    for (int type = 0; type < MESSAGE_TYPES; type++) {
        frame one[] = {of(message_version()), of(message_name((message_type)type)), of("{}"),
                       of("part")};
        bool  carries = type == MESSAGE_CHECKPOINT || type == MESSAGE_RESULT ||
                       type == MESSAGE_PUT_DOWN || type == MESSAGE_WORK ||
                       type == MESSAGE_SUBMIT || type == MESSAGE_RECORDS;
        assert_int_equal(message_read(&m, one, carries ? 4 : 3), DID_OK);
        assert_int_equal(m.type, type);
        message_clear(&m);
        assert_int_equal(message_read(&m, one, carries ? 3 : 4), DID_EFORMAT);
        message_clear(&m);
    }
}

static void refuses(const frame *frames, int n, const char *says)
{
    message m;
    assert_int_equal(message_read(&m, frames, n), DID_EFORMAT);
    if (!strstr(status_message(), says)) fail_msg("\"%s\" lacks \"%s\"", status_message(), says);
    message_clear(&m);
}

static void refusals(void **state)
{
    (void)state;
    refuses(NULL, 0, "found 0 frames");
    refuses((frame[]){of("did1"), of("bye")}, 2, "found 2 frames");
    refuses((frame[]){of("did2"), of("bye"), of("{}")}, 3, "version \"did1\"");
    refuses((frame[]){of("did"), of("bye"), of("{}")}, 3, "version \"did1\"");
    refuses((frame[]){of("did1"), of("byebye"), of("{}")}, 3, "type of 6 bytes");
    refuses((frame[]){of("did1"), of(""), of("{}")}, 3, "type of 0 bytes");
    refuses((frame[]){of("did1"), of("bye"), of("")}, 3, "bye: not JSON");
    refuses((frame[]){of("did1"), of("bye"), of("[]")}, 3, "expected a JSON object");
    refuses((frame[]){of("did1"), of("bye"), of("{\"a\":1,\"a\":1}")}, 3, "not JSON");
    refuses((frame[]){of("did1"), of("work"), of("{}"), of("a"), of("b"), of("c")}, 6,
            "found 3 texts after the body, expected 1 to 2");
}

/* Frames of anything: refused or understood, never a crash. */
static void noise(void **state)
{
    (void)state;
    uint64_t seed = 8;
    for (int i = 0; i < 3000; i++) {
        char    bytes[5][12];
        frame   frames[5] = {of("did1"), of("ready"), of("{\"room\":1}")};
        message m;
        for (int k = 0; k < 5; k++) {
            size_t size = (size_t)sample_below(&seed, 12);
            for (size_t b = 0; b < size; b++) bytes[k][b] = (char)sample_next(&seed);
            if (sample_below(&seed, 2) || k > 2) frames[k] = (frame){bytes[k], size};
        }
        (void)message_read(&m, frames, sample_below(&seed, 6));
        message_clear(&m);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(understands), cmocka_unit_test(refusals),
                                       cmocka_unit_test(noise)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
