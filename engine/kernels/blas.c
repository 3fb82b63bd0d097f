#include "sets.h"

#include <cblas.h>
#include <stdio.h>

/* The bias is added afterwards, element by element, so it cannot disturb the order of the sum. */
static void linear(float *c, const float *a, const float *w, const float *bias, int rows, int n,
                   int k)
{
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, rows, n, k, 1, a, k, w, k, 0, c, n);
    if (!bias) return;
    for (int r = 0; r < rows; r++, c += n)
        for (int j = 0; j < n; j++)
            c[j] += bias[j];
}

void blas_fill(kernels *k)
{
    openblas_set_num_threads(1);  /* threads are ours: one owner per rank */
    k->linear     = linear;
    k->any_height = false;
}

/* The configuration begins with name and version; the core has a question of its own. */
void blas_describe(char *text, size_t size)
{
    char name[32] = "", version[32] = "";
    sscanf(openblas_get_config(), "%31s %31s", name, version);
    snprintf(text, size, "%s %s %s", name, version, openblas_get_corename());
}
