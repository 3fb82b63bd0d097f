/* A machine out of a book: 100 GFLOP/s on f32 and twice that on bf16 whatever the size, once there are
 * a few rows; sums at 4 GB/s after 2 us. Tests of what stands on a calibration share it. */
#ifndef DID_TEST_MACHINE_H
#define DID_TEST_MACHINE_H

#include <string.h>

#include "calibration.h"

static inline void machine_precision(calibration_level *l, int p, double rate)
{
    for (int s = 0; s < CALIBRATION_SHAPES; s++)
        for (int r = 0; r < CALIBRATION_ROWS; r++) {
            double flops = 2.0 * CALIBRATION_N[s] * CALIBRATION_K[s] * CALIBRATION_ROW[r];
            double read = 2.0 * (2 - p) * CALIBRATION_N[s] * CALIBRATION_K[s] / 20e9;
            l->linear[p][0][s][r] = flops / rate + read / 2;
            l->linear[p][1][s][r] = flops / rate + read;
        }
    for (int q = 0; q < CALIBRATION_QUERIES; q++)
        for (int k = 0; k < CALIBRATION_KEYS; k++)
            l->attend[p][q][k] =
                4.0 * CALIBRATION_HEAD * CALIBRATION_QUERY[q] * CALIBRATION_KEY[k] / (rate / 4);
    for (int i = 0; i < ROWWISE_COUNT; i++) l->rowwise[p][i] = 1e-10;
    l->rowwise[p][ROWWISE_DRAW] = 5e-9;
}

/* Of two processors; with both at work each is a tenth slower. */
static inline calibration machine_made(void)
{
    calibration c = {.engine = "1.2.3", .machine = "book", .set = {"plain", "plain16"}, .cpus = 2,
                     .hosts = 1, .held = 18e6, .sums = {.ranks = 2}, .link = {false, 50e-6, 1.25e9}};
    for (int l = 0; l < CALIBRATION_LEVELS; l++) {
        c.level[l].ranks = l + 1;
        c.level[l].bandwidth[0] = 30e9;
        c.level[l].bandwidth[1] = 15e9;
        machine_precision(&c.level[l], 0, l ? 90e9 : 100e9);
        machine_precision(&c.level[l], 1, l ? 180e9 : 200e9);
    }
    for (int i = 0; i < CALIBRATION_SIZES; i++) {
        c.sums.memory[i] = 2e-6 + CALIBRATION_SIZE[i] / 4e9;
        c.sums.messages[i] = 4e-6 + CALIBRATION_SIZE[i] / 2e9;
    }
    return c;
}

#endif
