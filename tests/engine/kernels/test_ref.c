#include "laws_bf16.h"

int main(void)
{
    int failed = laws_run("ref");
    return failed + laws_run_bf16("ref");
}
