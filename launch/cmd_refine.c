#include "cmd_refine.h"

#include "cmd_generate.h"
#include "refine_settings.h"

static status read_words(void *context, settings *out, options **said, int argc, char *const *argv)
{
    (void)context;
    return refine_settings_read(out, said, argc, argv);
}

static status open_job(void *context, job *j, const settings *s, ending *usual)
{
    (void)context;
    return job_open(j, s, usual);
}

int cmd_refine(int argc, char *const *argv)
{
    const cmd_generate_task task = {.read = read_words, .open = open_job};
    return cmd_generate_with(&task, argc, argv);
}
