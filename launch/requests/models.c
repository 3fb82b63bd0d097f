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

static int find(const models *m, const char *dir)
{
    int i = 0;
    while (i < m->n && strcmp(m->dir[i], dir)) i++;
    return i;
}

static status room_for(const models *m, const char *dir)
{
    if (m->closed)
        return status_fail(DID_EINVAL, "%.200s: is not one of the models that are loaded", dir);
    if (strlen(dir) >= MODEL_DIR_MAX)
        return status_fail(DID_EINVAL, "model directory name of %zu bytes, at most %d allowed",
                           strlen(dir), MODEL_DIR_MAX - 1);
    if (m->n == ENGINE_MODELS_MAX)
        return status_fail(DID_EINVAL, "%s: a run can use %d models, this would be one more", dir,
                           ENGINE_MODELS_MAX);
    return DID_OK;
}

static void append(models *m, const geometry *g, const char *dir)
{
    strcpy(m->dir[m->n], dir);
    m->shape[m->n++] = *g;
}

status models_add(models *m, const char *dir, int *handle)
{
    geometry g;
    *handle = find(m, dir);
    if (*handle < m->n) return DID_OK;
    TRY(room_for(m, dir));
    TRY(geometry_read(&g, dir));
    TRY(drafts(&g, dir));
    if (m->n > 0) TRY(same_language(m, &g, dir));
    append(m, &g, dir);
    return DID_OK;
}

/* The tokens of the first model without its mask. */
static status same_words(const models *m, const geometry *g, const char *dir)
{
    const geometry *first = &m->shape[0];
    int             words = first->vocab - (first->mask_id == first->vocab - 1);
    if (g->vocab == words && g->end_id == first->end_id) return DID_OK;
    return status_fail(DID_EINVAL,
                       "%s: vocabulary %d, end id %d; to score what %s writes it needs %d and %d",
                       dir, g->vocab, g->end_id, m->dir[0], words, first->end_id);
}

status models_add_scorer(models *m, const char *dir, int *handle)
{
    geometry g;
    *handle = find(m, dir);
    if (*handle < m->n) return scores(&m->shape[*handle], dir);
    TRY(room_for(m, dir));
    TRY(models_scorer(&g, dir));
    TRY(same_words(m, &g, dir));
    append(m, &g, dir);
    return DID_OK;
}

int models_heads(const models *m)
{
    int heads = m->shape[0].n_heads;
    for (int i = 1; i < m->n; i++)
        if (m->shape[i].n_heads < heads) heads = m->shape[i].n_heads;
    return heads;
}
