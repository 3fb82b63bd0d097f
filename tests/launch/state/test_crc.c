#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

#include "crc.h"

/* The check value of the polynomial, and the vectors of RFC 3720 appendix B.4. */
static void known_values(void **state)
{
    (void)state;
    unsigned char bytes[32];
    assert_int_equal(crc_32c(0, "123456789", 9), 0xe3069283u);
    assert_int_equal(crc_32c(0, "", 0), 0);
    memset(bytes, 0, sizeof bytes);
    assert_int_equal(crc_32c(0, bytes, sizeof bytes), 0x8a9136aau);
    memset(bytes, 0xff, sizeof bytes);
    assert_int_equal(crc_32c(0, bytes, sizeof bytes), 0x62a8ab43u);
    for (int i = 0; i < 32; i++) bytes[i] = (unsigned char)i;
    assert_int_equal(crc_32c(0, bytes, sizeof bytes), 0x46dd794eu);
}

static void chains(void **state)
{
    (void)state;
    assert_int_equal(crc_32c(crc_32c(0, "1234", 4), "56789", 5), 0xe3069283u);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(known_values), cmocka_unit_test(chains)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
