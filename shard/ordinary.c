#include "ordinary.h"

/* Operations a second of a product and of attention, in f32 and bf16; weights that are read a second,
 * near and far; numbers that are gone through, and logits that are drawn from. */
static const double PRODUCT[CALIBRATION_PRECISIONS] = {150e9, 600e9};
static const double ATTEND[CALIBRATION_PRECISIONS] = {80e9, 200e9};
static const double READ[CALIBRATION_PLACES] = {25e9, 15e9};
static const double NUMBER_S = 2e-10, LOGIT_S = 2e-9;

/* Of few rows the weights have to be read, of many they have to be multiplied with. */
static double product(int p, int place, int rows, double size)
{
    double compute = 2 * size * rows / PRODUCT[p], read = size * (p ? 2 : 4) / READ[place];
    return compute > read ? compute : read;
}

static void fill(calibration_level *l, int p)
{
    for (int place = 0; place < CALIBRATION_PLACES; place++)
        for (int s = 0; s < CALIBRATION_SHAPES; s++)
            for (int r = 0; r < CALIBRATION_ROWS; r++)
                l->linear[p][place][s][r] = product(
                    p, place, CALIBRATION_ROW[r], (double)CALIBRATION_N[s] * CALIBRATION_K[s]);
    for (int q = 0; q < CALIBRATION_QUERIES; q++)
        for (int k = 0; k < CALIBRATION_KEYS; k++)
            l->attend[p][q][k] =
                4.0 * CALIBRATION_HEAD * CALIBRATION_KEY[k] * CALIBRATION_QUERY[q] / ATTEND[p];
    for (int i = 0; i < ROWWISE_COUNT; i++) l->rowwise[p][i] = i == ROWWISE_DRAW ? LOGIT_S : NUMBER_S;
}

void ordinary_machine(calibration *c)
{
    *c = (calibration){.engine = "any", .machine = "ordinary", .cpus = 1 << 16, .hosts = 1,
                       .link = {false, 0, 1e12}};
    for (int l = 0; l < CALIBRATION_LEVELS; l++) {
        c->level[l].ranks = 1;
        for (int place = 0; place < CALIBRATION_PLACES; place++) c->level[l].bandwidth[place] = READ[place];
        for (int p = 0; p < CALIBRATION_PRECISIONS; p++) fill(&c->level[l], p);
    }
}
