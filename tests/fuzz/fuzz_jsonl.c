/* The lines of a text file and the JSON on them. */
#include <stdbool.h>

#include "fuzz.h"
#include "jsonl.h"

/* The offset of column `column` of a line. */
static size_t offset_of(const char *text, size_t size, int column)
{
    size_t at = 0;
    while (at < size && jsonl_column_at(text, at + 1) <= column) at++;
    return at;
}

/* Where keys are spelt as they are, each is found on its line. */
static void find_keys(json_t *object, const char *text, size_t size)
{
    const char *key;
    json_t     *value;
    if (memchr(text, '\\', size)) return;
    json_object_foreach(object, key, value)
    {
        int column = jsonl_column(text, size, key, 1);
        assert(column > 0);
        size_t at = offset_of(text, size, column);
        assert(text[at] == '"' && !strncmp(text + at + 1, key, strlen(key)));
    }
}

static void parse(const char *text, size_t size)
{
    int     column = 0;
    json_t *object = NULL, *again = NULL;
    status  s = jsonl_parse(&object, text, size, &column);
    if (s != DID_OK) {
        fuzz_refused(s, DID_EFORMAT);
        assert(object == NULL && column >= 0 && column <= (int)size + 1);
        return;
    }
    assert(json_is_object(object));
    find_keys(object, text, size);
    char *line = json_dumps(object, JSON_COMPACT | JSON_REAL_PRECISION(17));
    assert(line && !strchr(line, '\n'));
    assert(jsonl_parse(&again, line, strlen(line), &column) == DID_OK && json_equal(object, again));
    json_decref(object);
    json_decref(again);
    free(line);
}

/* The lines are the text, cut where lines end. */
static void walk(jsonl *j, const char *data, size_t size)
{
    static const char mark[] = "\xef\xbb\xbf";
    size_t            at = 0, len = 0;
    char             *text;
    long              lines = 0;
    for (; jsonl_next(j, &text, &len) == DID_OK && text; lines++) {
        assert(jsonl_number(j) == lines + 1 && text[len] == '\0');
        if (lines == 0 && size >= 3 && !memcmp(data, mark, 3)) at = 3;
        assert(len <= size - at && !memcmp(data + at, text, len) && !memchr(text, '\n', len));
        at += len;
        if (at < size && data[at] == '\r') at++;
        assert(at == size || data[at] == '\n');
        at += at < size;
        parse(text, len);
    }
    assert(text == NULL && at == size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    jsonl *j;
    assert(jsonl_open_text(&j, (const char *)data, size) == DID_OK);
    walk(j, (const char *)data, size);
    jsonl_close(&j);
    assert(j == NULL);
    return 0;
}
