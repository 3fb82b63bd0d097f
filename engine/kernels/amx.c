/* AMX, with AVX-512 and AVX512_BF16 for what is not a product. Its tiles belong to a process only
 * after it has asked the system for them. */
#ifdef __x86_64__

#include "avx512.inc"

#include "wide.inc"

#include "tile.h"

#include "amx.inc"

#include <sys/syscall.h>
#include <unistd.h>

bool amx_permitted(void)
{
    enum { REQUEST_PERMISSION = 0x1023, TILE_DATA = 18 };
    return syscall(SYS_arch_prctl, REQUEST_PERMISSION, TILE_DATA) == 0;
}

void amx_fill(kernels *k)
{
    fill_tiles(k);
}

#endif
