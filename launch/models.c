#include "models.h"

#include <string.h>

static status same_language(const models *m, const geometry *g, const char *dir)
{
    const geometry *first = &m->shape[0];
    if (g->vocab == first->vocab && g->mask_id == first->mask_id && g->end_id == first->end_id)
        return DID_OK;
    return status_fail(
        DID_EINVAL, "%s: vocabulary %d, mask id %d, end id %d; the first model %s has %d, %d, %d",
        dir, g->vocab, g->mask_id, g->end_id, m->dir[0], first->vocab, first->mask_id,
        first->end_id);
}

/* What a model cannot do is told here, before anything is loaded. */
static status drafts(const geometry *g, const char *dir)
{
    if (!g->causal) return DID_OK;
    return status_fail(DID_EINVAL,
                       "%s: a %s model reads left to right and cannot draft or refine; it can "
                       "score (did score), and texts come from a diffusion model",
                       dir, g->family);
}

static status scores(const geometry *g, const char *dir)
{
    if (g->causal) return DID_OK;
    return status_fail(DID_EINVAL,
                       "%s: a %s model gives no probability of one token after another; the "
                       "scorer must be a model that reads left to right, like gpt2",
                       dir, g->family);
}

status models_scorer(geometry *g, const char *dir)
{
    TRY(geometry_read(g, dir));
    return scores(g, dir);
}

status models_add(models *m, const char *dir, int *handle)
{
    for (int i = 0; i < m->n; i++) {
        if (strcmp(m->dir[i], dir)) continue;
        *handle = i;
        return DID_OK;
    }
    if (strlen(dir) >= MODEL_DIR_MAX)
        return status_fail(DID_EINVAL, "model directory name of %zu bytes, at most %d allowed",
                           strlen(dir), MODEL_DIR_MAX - 1);
    if (m->n == ENGINE_MODELS_MAX)
        return status_fail(DID_EINVAL, "%s: a run can use %d models, this would be one more", dir,
                           ENGINE_MODELS_MAX);
    geometry g;
    TRY(geometry_read(&g, dir));
    TRY(drafts(&g, dir));
    if (m->n > 0) TRY(same_language(m, &g, dir));
    strcpy(m->dir[m->n], dir);
    m->shape[m->n] = g;
    *handle = m->n++;
    return DID_OK;
}
