"""Generative perplexity and entropy of generated records, by a GPT-2-format scorer.

    score.py SCORER_DIR OUTPUT.jsonl... [--stages] [--json]

Scored are the raw ids of the traces.  Perplexity is exp of the mean negative log-likelihood over
all tokens but the end token, pooled over samples; entropy is that of a sample's ids, in nats,
averaged over samples.  Every row is compared with the first one over the samples they share: the
mean change of a sample's own mean NLL, its standard error, and in how many samples it fell.  With
--stages a file gives a row per stage, compared with its own draft."""

import argparse
import json
import sys

import numpy as np

from gpt2 import Scorer


def entropy(ids):
    _, counts = np.unique(ids, return_counts=True)
    share = counts / counts.sum()
    return float(-(share * np.log(share)).sum())


def measure(scorer, label, texts):
    """texts: {sample: ids}.  One row of the table."""
    total, tokens, means = 0.0, 0, {}
    for sample, ids in texts.items():
        counted = scorer.nll(ids)[np.asarray(ids[1:]) != scorer.end_id]
        total, tokens = total + counted.sum(), tokens + len(counted)
        if len(counted):
            means[sample] = counted.mean()
    return {"label": label, "samples": len(texts), "tokens": tokens,
            "perplexity": float(np.exp(total / tokens)) if tokens else float("nan"),
            "entropy": float(np.mean([entropy(ids) for ids in texts.values()])), "means": means}


def compare(first, row):
    """Paired change of the per-sample mean NLL from `first` to `row`."""
    shared = [sample for sample in first["means"] if sample in row["means"]]
    change = np.array([row["means"][s] - first["means"][s] for s in shared])
    if len(change) < 2:
        return {"pairs": len(change)}
    return {"pairs": len(change), "change": float(change.mean()),
            "error": float(change.std(ddof=1) / np.sqrt(len(change))),
            "lower": int((change < 0).sum())}


def read(path):
    """{(custom_id, sample): trace} of the records that have one."""
    with open(path) as file:
        records = [json.loads(line) for line in file]
    traces = {(record["custom_id"], record.get("sample", 0)): record["trace"]
              for record in records if "trace" in record}
    if not traces:
        raise SystemExit(f"{path}: no record has a trace")
    return traces


def rows_of(scorer, path, stages):
    traces = read(path)
    if not stages:
        return [measure(scorer, path, {key: trace["ids"] for key, trace in traces.items()})]
    n_stages = max(len(trace["left"]) for trace in traces.values())
    rows = [measure(scorer, f"{path} stage {k}",
                    {key: trace["left"][k] for key, trace in traces.items()
                     if k < len(trace["left"])}) for k in range(n_stages)]
    for row in rows[1:]:
        row.update(compare(rows[0], row))
    return rows


def print_table(rows):
    head = ["", "samples", "tokens", "perplexity", "entropy", "change of NLL", "lower in"]
    table = [head]
    for row in rows:
        paired = ["", ""]
        if "change" in row:
            paired = [f"{row['change']:+.3f} +- {row['error']:.3f}",
                      f"{row['lower']} of {row['pairs']}"]
        table.append([row["label"], str(row["samples"]), str(row["tokens"]),
                      f"{row['perplexity']:.2f}", f"{row['entropy']:.3f}", *paired])
    widths = [max(map(len, column)) for column in zip(*table)]
    for line in table:
        cells = [line[0].ljust(widths[0])] + [c.rjust(w) for c, w in zip(line[1:], widths[1:])]
        print("  ".join(cells).rstrip())


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("scorer")
    parser.add_argument("output", nargs="+")
    parser.add_argument("--stages", action="store_true", help="a row for what each stage left")
    parser.add_argument("--json", action="store_true", help="one JSON array instead of a table")
    args = parser.parse_args()
    scorer, rows = Scorer(args.scorer), []
    for path in args.output:
        rows += rows_of(scorer, path, args.stages)
    if not args.stages:
        for row in rows[1:]:
            row.update(compare(rows[0], row))
    for row in rows:
        del row["means"]
    if args.json:
        json.dump(rows, sys.stdout, indent=1)
        print()
    else:
        print_table(rows)


if __name__ == "__main__":
    main()
