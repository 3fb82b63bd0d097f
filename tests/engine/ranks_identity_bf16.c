/* The bytes of documents in bf16, by the best kernel set and by the others: see identity.h. */
#include "identity.h"

/* The other sets of bf16 that this CPU has, alone against another order and put down on the way; ref is
 * too slow for whole documents, and rank counts change nothing about a set. */
static void with_every_set(void **state)
{
    (void)state;
    const char *const *name = kernels_names(PRECISION_BF16);
    for (int i = 1; comm_size(world) == 1 && !feeder_slow() && name[i]; i++) {
        if (strcmp(name[i], "ref") == 0) continue;
        kernel_set = name[i];
        same_bytes(1, 4);
    }
    kernel_set = NULL;
}

int main(void)
{
    bf16 = true;
    if (comm_start(&world) != DID_OK) return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(on_rows),
        cmocka_unit_test(on_columns),
        cmocka_unit_test(on_both),
        cmocka_unit_test(on_a_long_document),
        cmocka_unit_test(with_every_set),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    comm_stop(&world);
    return failed;
}
