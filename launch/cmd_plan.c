#include "cmd_plan.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "binding.h"
#include "candidates.h"
#include "curve.h"
#include "ending.h"

enum { NAME = 64, SENTENCE = 320 };

/* "4 rows of 2, span 2", as people call it. */
static void name_of(char *text, const cost_layout *l)
{
    if (l->mesh) snprintf(text, NAME, "2-D grid of %d x %d", l->rows, l->cols);
    else if (l->span > 1)
        snprintf(text, NAME, "%d rows of %d, %d span", l->rows, l->cols, l->span);
    else snprintf(text, NAME, "%d row%s of %d", l->rows, l->rows == 1 ? "" : "s", l->cols);
}

static double held(const candidates *c, const candidate *x)
{
    return (double)(c->budget.held + x->need.total);
}

/* How much longer than the best, in percent. */
static double slower(const candidates *c, const candidate *x)
{
    return 100 * (x->forecast.seconds / c->at[c->best].forecast.seconds - 1);
}

/* ---- sentences ---- */

static void say_best(char *text, const candidates *c)
{
    char name[NAME], words[NAME] = "";
    if (c->best < 0) {
        snprintf(text, SENTENCE, "Nothing fits: a rank may hold %.0f MB (%s). Fewer ranks per host, "
                 "shorter documents or more hosts would help.", 1e-6 * (double)c->budget.limit,
                 c->budget.source);
        return;
    }
    const cost_layout *l = &c->at[c->best].layout;
    name_of(name, l);
    if (l->mesh) snprintf(words, NAME, "--layout 2d --tp %d", l->cols);
    else snprintf(words, NAME, "--tp %d --refine-span %d", l->cols, l->span);
    snprintf(text, SENTENCE, "Recommended: %s (%s --documents %d).", name, words,
             c->at[c->best].in_flight);
}

/* The soonest of another width that fits. */
static void say_next(char *text, const candidates *c)
{
    char name[NAME], best[NAME];
    int  next = -1;
    *text = '\0';
    for (int i = 0; i < c->n && c->best >= 0; i++)
        if (i != c->best && c->at[i].fits && !c->at[i].layout.mesh &&
            c->at[i].layout.cols != c->at[c->best].layout.cols &&
            (next < 0 || c->at[i].forecast.seconds < c->at[next].forecast.seconds))
            next = i;
    if (next < 0 || !c->foresight.found) return;
    name_of(name, &c->at[next].layout);
    name_of(best, &c->at[c->best].layout);
    snprintf(text, SENTENCE, "Q = %d (%s) will be %.0f %% slower than %s.",
             c->at[next].layout.cols, name, slower(c, &c->at[next]), best);
}

static void say_mesh(char *text, const candidates *c)
{
    const candidate *mesh = NULL;
    bool             others = false;
    *text = '\0';
    for (int i = 0; i < c->n; i++) {
        if (c->at[i].layout.mesh) mesh = &c->at[i];
        else others |= c->at[i].fits;
    }
    if (!mesh) return;
    if (others && c->foresight.found)
        snprintf(text, SENTENCE, "2-D weights pay where no other grid fits; here they would be %.0f "
                 "%% slower.", slower(c, mesh));
    else if (others)
        snprintf(text, SENTENCE, "2-D weights pay where no other grid fits; here one does.");
    else if (mesh->fits)
        snprintf(text, SENTENCE, "2-D weights pay here: no other grid fits.");
}

/* Ranks that cannot share a model. */
static void say_ranks(char *text, const candidates *c, const plan_settings *s)
{
    int heads = c->model.n_heads, widest = 1, near = s->ranks;
    *text = '\0';
    for (int i = 0; i < c->n; i++)
        if (!c->at[i].layout.mesh && c->at[i].layout.cols > widest) widest = c->at[i].layout.cols;
    if (s->ranks <= 1 || widest == s->ranks) return;
    if (widest == 1) {
        bool found = false;
        while (!found && --near > 1)
            for (int q = 2; q <= heads && q <= near; q++) found |= near % q == 0;
        snprintf(text, SENTENCE, "No width from 2 to the %d heads divides %d ranks: every rank is a "
                 "row of its own; with %d ranks some could share a model.", heads, s->ranks, near);
    } else if (s->ranks > heads)
        snprintf(text, SENTENCE, "%d ranks are more than %d heads: at most %d share a model, the "
                 "others are further rows.", s->ranks, heads, widest);
}

static void say_times(char *text, const candidates *c, const plan_settings *s)
{
    const foresight *f = &c->foresight;
    if (!f->found) {
        snprintf(text, SENTENCE, "No times: there is no calibration of this machine and these "
                 "kernels (did bench calibrate makes one).");
        return;
    }
    snprintf(text, SENTENCE, "Times are predictions for hosts like this one (%d processors)%s; "
             "loading is not in them.%s", f->machine.cpus,
             s->per_host < s->ranks
                 ? c->link.measured ? "" : ", over a link nobody measured (10 Gbit/s, 50 us)" : "",
             s->per_host > f->machine.cpus ? " Ranks share processors, which is worse than predicted."
                                           : "");
}

/* ---- tables ---- */

static void print_table(const candidates *c)
{
    printf("%-24s %6s %10s %5s %8s %9s %10s %9s %11s %11s\n", "grid", "docs", "MB/rank", "fits",
           "passes", "ms/pass", "seconds", "slower", "wire MB", "crossing MB");
    for (int i = 0; i < c->n; i++) {
        const candidate *x = &c->at[i];
        char             name[NAME];
        name_of(name, &x->layout);
        printf("%-24s %6d %10.1f %5s %8.0f", name, x->in_flight, 1e-6 * held(c, x),
               x->fits ? "yes" : "no", x->forecast.passes);
        if (c->foresight.found)
            printf(" %9.2f %10.1f", 1e3 * x->forecast.pass_seconds, x->forecast.seconds);
        else printf(" %9s %10s", "-", "-");
        if (c->foresight.found && c->best >= 0) printf(" %7.0f %%", slower(c, x));
        else printf(" %9s", "-");
        printf(" %11.1f %11.1f%s\n", 1e-6 * x->forecast.bytes, 1e-6 * x->forecast.crossing,
               i == c->best ? "  <" : "");
    }
}

static void print_memory(const candidates *c, const candidate *x)
{
    printf("\nMemory per rank, MB: held %.1f, weights %.1f, embedding %.1f, cache %.1f, workspace "
           "%.1f, wire %.1f; together %.1f of %.0f (%s)\n", 1e-6 * (double)c->budget.held,
           1e-6 * (double)x->need.weights, 1e-6 * (double)x->need.embedding,
           1e-6 * (double)x->need.cache, 1e-6 * (double)x->need.workspace,
           1e-6 * (double)x->need.wire, 1e-6 * held(c, x), 1e-6 * (double)c->budget.limit,
           c->budget.source);
}

static void print_imbalance(const candidates *c, const candidate *x)
{
    imbalance u = candidates_imbalance(c, x);
    printf("Uneven: %d of %d heads on one rank at most (%+.0f %% of the mean), MLP columns %+.0f %%, "
           "vocabulary %+.1f %%; %d of %.0f documents on one team at most (%+.0f %%)\n",
           u.heads_most, c->model.n_heads, 100 * u.heads, 100 * u.mlp, 100 * u.vocab,
           u.documents_most, c->job.documents, 100 * u.documents);
}

static void print_all(const candidates *c, const plan_settings *s)
{
    char text[SENTENCE];
    printf("%d rank%s, %d a host; %.0f documents of %d positions; %s, %d layers of %d heads\n\n",
           s->ranks, s->ranks == 1 ? "" : "s", s->per_host, c->job.documents, c->job.length,
           s->precision ? "bf16" : "f32", c->model.n_layers, c->model.n_heads);
    print_table(c);
    if (c->best >= 0) {
        print_memory(c, &c->at[c->best]);
        print_imbalance(c, &c->at[c->best]);
        binding_advice(text, sizeof text, s->per_host, c->at[c->best].layout.cols);
        printf("Binding: mpirun %s\n", text);
    }
    putchar('\n');
    say_best(text, c);
    puts(text);
    say_next(text, c);
    if (*text) puts(text);
    say_mesh(text, c);
    if (*text) puts(text);
    say_ranks(text, c, s);
    if (*text) puts(text);
    say_times(text, c, s);
    puts(text);
}

/* ---- JSON ---- */

static json_t *json_of(const candidates *c, const candidate *x)
{
    imbalance u = candidates_imbalance(c, x);
    json_t   *o = json_pack(
        "{s:i, s:i, s:i, s:b, s:i, s:b, s:f, s:f, s:f, s:f}", "rows", x->layout.rows, "tp",
        x->layout.cols, "span", x->layout.span, "mesh", x->layout.mesh, "documents", x->in_flight,
        "fits", x->fits, "bytes_per_rank", held(c, x), "passes", x->forecast.passes, "wire_bytes",
        x->forecast.bytes, "crossing_bytes", x->forecast.crossing);
    json_object_set_new(o, "uneven", json_pack("{s:f, s:f, s:f, s:f}", "heads", u.heads, "mlp", u.mlp,
                                               "vocabulary", u.vocab, "documents", u.documents));
    if (!c->foresight.found) return o;
    json_object_set_new(o, "pass_seconds", json_real(x->forecast.pass_seconds));
    json_object_set_new(o, "seconds", json_real(x->forecast.seconds));
    return o;
}

static void say_json(json_t *list, const char *text)
{
    if (*text) json_array_append_new(list, json_string(text));
}

static status print_json(const candidates *c, const plan_settings *s)
{
    char    text[SENTENCE];
    json_t *grids = json_array(), *said = json_array();
    for (int i = 0; i < c->n; i++) json_array_append_new(grids, json_of(c, &c->at[i]));
    say_best(text, c);
    say_json(said, text);
    say_next(text, c);
    say_json(said, text);
    say_mesh(text, c);
    say_json(said, text);
    say_ranks(text, c, s);
    say_json(said, text);
    say_times(text, c, s);
    say_json(said, text);
    binding_advice(text, sizeof text, s->per_host, c->best < 0 ? 1 : c->at[c->best].layout.cols);
    json_t *o = json_pack("{s:i, s:i, s:b, s:i, s:s, s:o, s:o}", "ranks", s->ranks, "ranks_per_node",
                          s->per_host, "calibrated", c->foresight.found, "best", c->best, "binding",
                          text, "sentences", said, "grids", grids);
    bool lost = !o || json_dumpf(o, stdout, JSON_INDENT(1) | JSON_REAL_PRECISION(9)) != 0;
    json_decref(o);
    putchar('\n');
    return lost ? status_fail(DID_ENOMEM, "no memory for a plan") : DID_OK;
}

static ending run_curve(const plan_settings *s)
{
    status good = curve_print(s);
    if (good == DID_OK && (fflush(stdout) != 0 || ferror(stdout)))
        good = status_fail(DID_EIO, "the curve could not be written");
    if (good == DID_OK) return END_DONE;
    ending_explain();
    return ending_of(good, good == DID_EINVAL ? END_USAGE : END_MODEL);
}

static ending run(const plan_settings *s)
{
    if (s->curve) return run_curve(s);
    ending      end = END_DONE;
    candidates *c = malloc(sizeof *c);
    status      good = c ? candidates_find(c, s) : status_fail(DID_ENOMEM, "no memory for a plan");
    if (good != DID_OK) end = ending_of(good, good == DID_EINVAL ? END_USAGE : END_MODEL);
    if (good == DID_OK && s->json) good = print_json(c, s);
    else if (good == DID_OK) print_all(c, s);
    if (good == DID_OK && (fflush(stdout) != 0 || ferror(stdout)))
        good = status_fail(DID_EIO, "the plan could not be written");
    if (good != DID_OK && end == END_DONE) end = END_INTERNAL;
    if (good != DID_OK) ending_explain();
    else if (c->best < 0) end = END_USAGE;
    free(c);
    return end;
}

int cmd_plan(int argc, char *const *argv)
{
    plan_settings s;
    options      *said = NULL;
    status        good = plan_settings_read(&s, &said, argc, argv);
    if (good != DID_OK) ending_explain();
    ending end = good == DID_OK ? run(&s) : END_USAGE;
    options_close(&said);
    return (int)end;
}
