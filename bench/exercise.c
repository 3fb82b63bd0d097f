#include "exercise.h"

#include <string.h>

enum { ARRAYS_MAX = 16 };

status exercise_open(exercise *x, size_t own, size_t floats)
{
    size_t bytes = arena_round(own) + floats * sizeof(float) + (size_t)ARRAYS_MAX * ARENA_ALIGN;
    TRY(arena_open(&x->memory, bytes));
    x->own = arena_take(&x->memory, own);
    memset(x->own, 0, own);
    return DID_OK;
}

float *exercise_floats(exercise *x, size_t n)
{
    return arena_take(&x->memory, n * sizeof(float));
}

void exercise_close(exercise *x)
{
    arena_close(&x->memory);
    *x = (exercise){0};
}

static status run(void *context)
{
    exercise *x = context;
    x->run(x);
    return DID_OK;
}

static void reset(void *context)
{
    exercise *x = context;
    x->reset(x);
}

task exercise_task(exercise *x)
{
    return (task){
        .context = x, .run = run, .reset = x->reset ? reset : NULL, .calls_max = x->calls_max};
}
