#include "laws_bf16.h"

int main(void)
{
    return laws_run_bf16("avx512bf16");
}
