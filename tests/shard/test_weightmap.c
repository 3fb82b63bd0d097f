#include "crafted.h"

#include "weightmap.h"

static status read_text(weightmap *m, const char *dir, const char *text)
{
    char *path = crafted_path(dir, "some.index.json");
    crafted_write(path, text, strlen(text));
    status all = weightmap_read(m, path);
    free(path);
    return all;
}

static void reads_a_map(void **state)
{
    weightmap m;
    assert_int_equal(read_text(&m, *state, "{\"metadata\": {\"total_size\": 1e9}, \"weight_map\": "
                               "{\"c\": \"2.safetensors\", \"_orig_mod.a\": \"2.safetensors\", "
                               "\"b\": \"1.safetensors\"}}"), DID_OK);
    assert_int_equal(m.n, 3);
    assert_string_equal(m.at[0].name, "a");
    assert_string_equal(m.at[0].file, "2.safetensors");
    assert_string_equal(m.at[1].name, "b");
    assert_string_equal(m.at[1].file, "1.safetensors");
    assert_string_equal(m.at[2].name, "c");
    assert_int_equal(m.n_files, 2);
    assert_string_equal(m.file[0], "1.safetensors");
    assert_string_equal(m.file[1], "2.safetensors");
    weightmap_clear(&m);
    assert_int_equal(m.n, 0);
}

static void reads_text_in_memory(void **state)
{
    (void)state;
    static const char text[] = "{\"weight_map\":{\"a\":\"x\"}} and more";
    weightmap m;
    assert_int_equal(weightmap_parse(&m, text, strchr(text, ' ') - text, "memory"), DID_OK);
    assert_int_equal(m.n, 1);
    assert_string_equal(m.at[0].file, "x");
    weightmap_clear(&m);
    crafted_refused(weightmap_parse(&m, text, strlen(text), "memory"), DID_EFORMAT,
                    "memory: not JSON");
    assert_int_equal(m.n, 0);
}

static void refuses(void **state)
{
    static const struct {
        const char *text, *says;
    } wrong[] = {
        {"", "not JSON"},
        {"[]", "found [], expected a JSON object"},
        {"{}", "weight_map is missing, expected {tensor: file, ...}"},
        {"{\"weight_map\": {}}", "weight_map is {}, expected"},
        {"{\"weight_map\": [\"a\"]}", "weight_map is [\"a\"], expected"},
        {"{\"weight_map\": {\"a\": 1}}", "tensor a: its file is 1, expected the name of a file"},
        {"{\"weight_map\": {\"a\": \"\"}}", "tensor a: its file is \"\", expected"},
        {"{\"weight_map\": {\"a\": \"../x\"}}", "tensor a: its file is \"../x\", expected"},
        {"{\"weight_map\": {\"a\": \"..\"}}", "tensor a: its file is \"..\", expected"},
        {"{\"weight_map\": {\"a\": \"/etc/x\"}}", "tensor a: its file is \"/etc/x\", expected"},
        {"{\"weight_map\": {\"a\": \"s/x\"}}", "tensor a: its file is \"s/x\", expected"},
        {"{\"weight_map\": {\"a\": \"x\\ny\"}}", "tensor a: its file is \"x\\ny\", expected"},
        {"{\"weight_map\": {\"a\": \"x\", \"a\": \"y\"}}", "duplicate object key"},
        {"{\"weight_map\": {\"a.b\": \"x\", \"a._orig_mod.b\": \"y\"}}", "tensor a.b: found twice"},
        {"{\"weight_map\": {\"\": \"x\"}}", "tensor \"\": this is no name"},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        weightmap m;
        crafted_refused(read_text(&m, *state, wrong[i].text), DID_EFORMAT, "/some.index.json: ");
        crafted_refused(read_text(&m, *state, wrong[i].text), DID_EFORMAT, wrong[i].says);
        assert_int_equal(m.n, 0);
    }
    weightmap m;
    crafted_refused(weightmap_read(&m, "/nowhere/index.json"), DID_EIO,
                    "/nowhere/index.json: cannot open: No such file");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_a_map),
        cmocka_unit_test(reads_text_in_memory),
        cmocka_unit_test(refuses),
    };
    return cmocka_run_group_tests(tests, crafted_begin, crafted_end);
}
