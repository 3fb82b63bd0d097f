/* check.h - a check among ranks that wait for each other: who finds it untrue says so and leaves at once,
 * so that the launcher ends the others. The program knows its own number as `rank`. */
#ifndef DID_TESTS_CHECK_H
#define DID_TESTS_CHECK_H

#include <stdio.h>
#include <unistd.h>

#include "status.h"

#define CHECK(ok)                                                                     \
    do {                                                                              \
        if (!(ok)) {                                                                  \
            fprintf(stderr, "rank %d, line %d: not so: %s (%.200s)\n", rank, __LINE__, \
                    #ok, status_message());                                           \
            _exit(1);                                                                 \
        }                                                                             \
    } while (0)

#endif
