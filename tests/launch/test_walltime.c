#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "clock.h"
#include "walltime.h"

static void end_in(double seconds)
{
    char text[32];
    snprintf(text, sizeof text, "%.0f", (double)time(NULL) + seconds);
    setenv("SLURM_JOB_END_TIME", text, 1);
}

static void near(double found, double expected)
{
    if (found < expected - 2 || found > expected + 2)
        fail_msg("found %g, expected about %g", found, expected);
}

static void deadlines(void **state)
{
    (void)state;
    unsetenv("SLURM_JOB_END_TIME");
    assert_true(walltime_deadline(0) == 0);
    near(walltime_deadline(2), 7128);
    end_in(3600);
    near(walltime_deadline(0) - clock_seconds(), 3540);
    near(walltime_deadline(2) - clock_seconds(), 3540);
    near(walltime_deadline(0.5), 1782);
    end_in(100); /* a tenth of it */
    near(walltime_deadline(0) - clock_seconds(), 90);
    end_in(-100000); /* over: at once, and not never */
    assert_true(walltime_deadline(0) > 0 && walltime_deadline(0) <= clock_seconds());
    static const char *const nonsense[] = {"", "soon", "12x", "-5", "nan", "inf"};
    for (size_t i = 0; i < sizeof nonsense / sizeof nonsense[0]; i++) {
        setenv("SLURM_JOB_END_TIME", nonsense[i], 1);
        assert_true(walltime_deadline(0) == 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(deadlines)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
