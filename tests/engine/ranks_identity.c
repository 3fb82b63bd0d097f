/* The bytes of documents in f32: see identity.h. */
#include "identity.h"

int main(void)
{
    if (comm_start(&world) != DID_OK) return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(on_rows),
        cmocka_unit_test(on_columns),
        cmocka_unit_test(on_both),
        cmocka_unit_test(on_a_long_document),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    comm_stop(&world);
    return failed;
}
