#include "machine.h"

#include "kernels.h"

const char *machine_blas(void)
{
    return kernels_blas();
}

const char *machine_cpu(void)
{
    return kernels_cpu();
}
