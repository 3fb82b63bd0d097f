#include "plan_settings.h"

#include <stdlib.h>
#include <string.h>

#include "request.h"

#define AT(member) .offset = offsetof(plan_settings, member)

static const option table[] = {
    {.help = "The machine"},
    {"ranks", 'n', OPTION_COUNT, "COUNT", "1", .min = 1, .max = 1 << 20, AT(ranks),
     .help = "ranks there will be"},
    {"ranks-per-node", 0, OPTION_COUNT, "COUNT", .silent = "all on one host", .min = 1,
     .max = 4096, AT(per_host), .help = "ranks of a host; more ranks than that are on several"},
    {"memory", 0, OPTION_REAL, "GB", .silent = "what this host has free", .max = 1e6, .open = true,
     AT(memory_gb), .help = "memory of a host, for all of its ranks"},
    {"link", 0, OPTION_TEXT, "RATE[:LATENCY]", .silent = "as calibrated, else 10Gbit/s:50us",
     AT(link), .help = "between hosts: 1Gbit/s:50us"},
    {"calibration", 0, OPTION_TEXT, "FILE",
     .silent = "DID_CALIBRATION, or ~/.config/did/calibration.json where there is one",
     AT(calibration),
     .help = "what did bench calibrate wrote here; without one no times are predicted"},

    {.help = "The work"},
    {"model", 0, OPTION_TEXT, "DIR", .silent = "must be given", AT(model),
     .help = "checkpoint; its config.json is read and nothing else"},
    {"documents", 0, OPTION_COUNT, "COUNT", "64", .min = 1, .max = 1e9, AT(documents),
     .help = "documents of the job"},
    {"in-flight", 0, OPTION_COUNT, "COUNT", .silent = "up to 32, as work and memory allow",
     .min = 1, .max = 65536, AT(in_flight), .help = "what did generate calls --documents"},
    {"length", 0, OPTION_COUNT, "TOKENS", .silent = "the model's length", .min = 2,
     .max = REQUEST_LENGTH_MAX, AT(length), .help = "positions of a document"},
    {"stages", 0, OPTION_TEXT, "LIST", .silent = "BLOCK,L:0.25 with the checkpoint's block",
     AT(stages), .help = "as did generate has them"},
    {"refine-window", 0, OPTION_TEXT, "TOKENS|full", .silent = "the model's length",
     AT(refine_window), .help = "as did generate has it"},
    {"pass-rows", 0, OPTION_COUNT, "ROWS", "1024", .min = 16, .max = 1 << 20, AT(pass_rows),
     .help = "positions of many documents that one pass takes together"},
    {"precision", 0, OPTION_CHOICE, "f32|bf16", "f32", AT(precision),
     .help = "of weights, their products and the cache"},
    {"kernels", 0, OPTION_TEXT, "NAME", .silent = "the set that was calibrated", AT(kernels),
     .help = "for a set that was not calibrated no times are predicted"},

    {.help = "What is shown"},
    {"curve", 0, OPTION_COUNT, "HOSTS", .silent = "the grids of --ranks", .min = 1, .max = 1024,
     AT(curve),
     .help = "instead, how the job would scale to so many hosts of --ranks-per-node ranks: predicted"},
    {"json", 0, OPTION_FLAG, AT(json), .help = "one JSON object"},
};

const option_table plan_settings_table = {
    .command = "plan",
    .summary = "memory, passes, time and bytes on the wire of every grid of ranks, before a run.",
    .usage = "--model DIR --ranks N [--ranks-per-node R] [--link RATE] [options]",
    .option = table,
    .n = sizeof table / sizeof table[0]};

static status bad_link(const char *text)
{
    return status_fail(DID_EINVAL, "--link: found \"%.40s\", expected a rate like 1Gbit/s, and "
                       "perhaps a latency, as in 1Gbit/s:50us", text);
}

status plan_settings_link(calibration_link *out, const char *text)
{
    char  *at;
    double rate = strtod(text, &at), latency = 50, unit = 1, time = 1e-6;
    if (at == text || !(rate > 0) || rate > 1e9) return bad_link(text);
    if (*at == 'k' || *at == 'M' || *at == 'G') {
        unit = *at == 'k' ? 1e3 : *at == 'M' ? 1e6 : 1e9;
        at++;
    }
    if (strncmp(at, "bit/s", 5) != 0) return bad_link(text);
    at += 5;
    if (*at == ':') {
        const char *from = at + 1;
        latency = strtod(from, &at);
        if (at == from || !(latency >= 0) || latency > 1e6) return bad_link(text);
        time = strcmp(at, "ms") == 0 ? 1e-3 : 1e-6;
        if (strcmp(at, "us") != 0 && strcmp(at, "ms") != 0) return bad_link(text);
        at += 2;
    }
    if (*at) return bad_link(text);
    *out = (calibration_link){true, latency * time, rate * unit / 8};
    return DID_OK;
}

status plan_settings_read(plan_settings *out, options **said, int argc, char *const *argv)
{
    memset(out, 0, sizeof *out);
    TRY(options_read(said, &plan_settings_table, out, argc, argv));
    if (out->model == NULL)
        return status_fail(DID_EINVAL, "--model is missing: name a checkpoint directory");
    if (out->link) TRY(plan_settings_link(&out->wire, out->link));
    if (out->curve && out->json)
        return status_fail(DID_EINVAL, "--curve and --json exclude each other");
    if (out->curve && (double)out->documents * out->curve > 1e9)
        return status_fail(DID_EINVAL, "--curve %d --documents %d: more than 1e9 documents in all",
                           out->curve, out->documents);
    if (out->per_host == 0 || out->per_host > out->ranks) out->per_host = out->ranks;
    return DID_OK;
}
