#include "lineage.h"

#include <stdlib.h>

static status no_memory(void)
{
    return status_fail(DID_ENOMEM, "no memory for what lists of stages share");
}

stage lineage_stage(const lineage_list *list, int k)
{
    stage s = list->stage[k];
    if (k == 0) {
        s.remask = 0;
        s.policy = POLICY_LOWEST;
    }
    if (s.sampler != SAMPLER_QUOTA) s.order = ORDER_RANDOM;
    return s;
}

static bool alike(const stage *a, const stage *b)
{
    return a->work == b->work && a->model == b->model && a->block == b->block &&
           a->remask == b->remask && a->policy == b->policy && a->sampler == b->sampler &&
           a->steps == b->steps && a->threshold == b->threshold && a->order == b->order &&
           a->nucleus == b->nucleus && a->rule == b->rule && a->temperature == b->temperature &&
           a->confidence == b->confidence && a->cache == b->cache;
}

/* How many stages two lists have in common. */
static int common(const lineage_list *a, const lineage_list *b)
{
    int k = 0, most = a->n_stages < b->n_stages ? a->n_stages : b->n_stages;
    if (a->length != b->length || a->reject != b->reject) return 0;
    for (; k < most; k++) {
        stage x = lineage_stage(a, k), y = lineage_stage(b, k);
        if (!alike(&x, &y)) break;
    }
    return k;
}

/* The node of the first `n_stages` stages of list `which`; made where it is new. The first list that
 * has them names it. */
static status node_of(lineage *l, const lineage_list *t, int which, int n_stages, int parent,
                      int *out)
{
    int first = 0;
    while (common(&t[first], &t[which]) < n_stages) first++;
    for (*out = 0; *out < l->n; ++*out)
        if (l->node[*out].list == first && l->node[*out].n_stages == n_stages) return DID_OK;
    lineage_node *more = realloc(l->node, ((size_t)l->n + 1) * sizeof *more);
    if (!more) return no_memory();
    l->node = more;
    more[l->n++] = (lineage_node){first, n_stages, parent};
    return DID_OK;
}

/* Wherever another list leaves the way of this one there is a node. */
static status find_nodes(lineage *l, const lineage_list *t, int n, int which)
{
    bool parts[STAGES_MAX + 1] = {false};
    l->from[which] = -1;
    for (int i = 0; i < n; i++)
        if (i != which) parts[common(&t[i], &t[which])] = true;
    for (int k = 1; k <= t[which].n_stages; k++)
        if (parts[k]) TRY(node_of(l, t, which, k, l->from[which], &l->from[which]));
    return DID_OK;
}

status lineage_open(lineage *l, const lineage_list *list, int n, bool apart)
{
    *l = (lineage){.from = malloc(((size_t)n + 1) * sizeof *l->from)};
    if (!l->from) return no_memory();
    for (int i = 0; i < n; i++) {
        if (apart) l->from[i] = -1;
        else TRY(find_nodes(l, list, n, i));
    }
    return DID_OK;
}

void lineage_close(lineage *l)
{
    free(l->node);
    free(l->from);
    *l = (lineage){0};
}
