/* The line a world says a document has become. */
#include "fuzz.h"
#include "record.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char  *id = NULL;
    int    sample = -1;
    status s = record_owner((const char *)data, size, &id, &sample);
    if (s == DID_OK) assert(id && sample >= 0);
    else fuzz_refused(s, DID_EFORMAT);
    free(id);
    return 0;
}
