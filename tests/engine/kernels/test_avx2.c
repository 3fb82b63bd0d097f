#include "laws_attend.h"

int main(void)
{
    return laws_run("avx2");
}
