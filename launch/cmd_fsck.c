#include "cmd_fsck.h"

#include <jansson.h>
#include <stdio.h>

#include "audit.h"
#include "ending.h"

typedef struct fsck {
    audit_subject of;
    bool          json, repair;
} fsck;

#define AT(member) .offset = offsetof(fsck, member)

static const option table[] = {
    {.help = "What to examine"},
    {"state", 0, OPTION_TEXT, "FILE", .silent = "must be given", AT(of.state),
     .help = "of a did generate or a did serve that is not running"},
    {"output", 0, OPTION_TEXT, "FILE", .silent = "the state file alone", AT(of.output),
     .help = "what did generate wrote, or did results --output"},
    {"job", 0, OPTION_TEXT, "NAME", .silent = "there is but one", AT(of.job),
     .help = "the job of a service that the output is of"},
    {"owner", 0, OPTION_TEXT, "KEY", .silent = "there is but one", AT(of.owner),
     .help = "public key of the client that the job belongs to"},

    {.help = "How"},
    {"repair", 0, OPTION_FLAG, .silent = "nothing is changed", AT(repair),
     .help = "cut a torn last line, append missing records, roll an interrupted commit back; "
             "nothing that needs a decision"},
    {"json", 0, OPTION_FLAG, .silent = "sentences", AT(json), .help = "one JSON object"},
};

const option_table cmd_fsck_table = {
    .command = "fsck",
    .summary = "is a state file sound, and does the output agree with it? Changes nothing.",
    .usage = "--state FILE [--output FILE [--job NAME] [--owner KEY]] [--repair] [--json]",
    .option = table,
    .n = sizeof table / sizeof table[0]};

static const char *const weights[] = {"sound", "mendable", "lost", "bad"};
static const char *const labels[] = {"note", "mendable", "lost", "bad"};
static const char *const verdicts[] = {
    "Sound.", "The next start puts this right, and so does --repair; nothing is lost.",
    "The next start goes on without what was lost.",
    "A start would be refused: somebody has to decide."};

static ending ending_for(audit_weight weight)
{
    static const ending endings[] = {END_DONE, END_EARLY, END_SOME_FAILED, END_INPUT};
    return endings[weight];
}

/* ---- telling ---- */

static json_t *tell_documents(const audit *a)
{
    json_t *o = json_object();
    for (int i = 0; i < STORE_STATES; i++)
        json_object_set_new(o, store_word((store_state)i), json_integer(a->documents[i]));
    json_object_set_new(o, "damaged", json_integer(a->damaged));
    return o;
}

static status tell_json(const audit *a, bool mended)
{
    json_t *findings = json_array();
    int     bad = findings == NULL;
    for (int i = 0; i < a->n_findings; i++)
        bad |= json_array_append_new(findings, json_pack("{s:s, s:s}", "weight",
                                                         weights[a->finding[i].weight], "sentence",
                                                         a->finding[i].sentence));
    json_t *o = json_pack("{s:s, s:b, s:i, s:o, s:o, s:i}", "verdict", weights[a->weight],
                          "repaired", mended, "jobs", a->jobs, "documents", tell_documents(a),
                          "findings", findings, "unsaid", a->unsaid);
    if (o && a->of.output)
        bad |= json_object_set_new(o, "output",
                                   json_pack("{s:I, s:I, s:i}", "lines", (json_int_t)a->lines,
                                             "torn_bytes", (json_int_t)a->torn, "missing",
                                             a->missing));
    bad |= !o || json_dumpf(o, stdout, 0) != 0;
    json_decref(o);
    putchar('\n');
    return bad ? status_fail(DID_ENOMEM, "no memory for the findings") : DID_OK;
}

static void tell_state(const audit *a)
{
    int all = a->damaged;
    for (int i = 0; i < STORE_STATES; i++) all += a->documents[i];
    printf("State file %s: ", a->of.state);
    if (!a->own) printf("a service, %d job%s, ", a->jobs, a->jobs == 1 ? "" : "s");
    printf("%d document%s", all, all == 1 ? "" : "s");
    for (int i = 0, n = 0; i < STORE_STATES; i++)
        if (a->documents[i] > 0)
            printf("%s%d %s", n++ ? ", " : ": ", a->documents[i], store_word((store_state)i));
    puts(".");
}

static void tell(const audit *a, bool mended)
{
    if (a->looked) tell_state(a);
    if (a->looked && a->of.output) printf("Output %s: %ld whole lines.\n", a->of.output, a->lines);
    for (int i = 0; i < a->n_findings; i++)
        printf("%-9s %s\n", labels[a->finding[i].weight], a->finding[i].sentence);
    if (a->unsaid > 0) printf("          and %d findings more\n", a->unsaid);
    if (mended) printf("Repaired. ");
    puts(verdicts[a->weight]);
}

/* ---- doing ---- */

/* Mend and look again: what is told is how things are now. Twice, because only after a commit was
 * rolled back the output can be compared. */
static status mend(audit *a, const fsck *f, bool *mended)
{
    for (int i = 0; i < 2 && f->repair && a->weight != AUDIT_BAD; i++) {
        if (!a->interrupted && a->torn == 0 && a->missing == 0) return DID_OK;
        TRY(audit_mend(a));
        audit_close(a);
        *mended = true;
        TRY(audit_open(a, &f->of));
    }
    return DID_OK;
}

static ending run(const fsck *f)
{
    audit  a;
    bool   mended = false;
    status s = audit_open(&a, &f->of);
    if (s == DID_OK) {
        s = mend(&a, f, &mended);
        ending end = ending_for(a.weight);
        if (s == DID_OK && f->json) s = tell_json(&a, mended);
        else if (s == DID_OK) tell(&a, mended);
        audit_close(&a);
        if (s == DID_OK) return end;
    }
    ending_explain();
    return ending_of(s, END_USAGE);
}

int cmd_fsck(int argc, char *const *argv)
{
    fsck     f = {0};
    options *said = NULL;
    status   good = options_read(&said, &cmd_fsck_table, &f, argc, argv);
    if (good == DID_OK && !f.of.state)
        good = status_fail(DID_EINVAL, "no state file was named: did fsck --state FILE");
    if (good != DID_OK) ending_explain();
    ending end = good == DID_OK ? run(&f) : END_USAGE;
    options_close(&said);
    return (int)end;
}
