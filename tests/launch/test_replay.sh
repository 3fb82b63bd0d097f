#!/usr/bin/env bash
# What `did generate --trace` wrote, recomputed draw by draw by an independent program: drafts,
# intermediate and global stages, with and without prompts, on the bundled model and on a made-up
# checkpoint of odd shape. $DID is the program, $DID_TEST_MODELS the models.
set -u
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
did=${DID:?DID must name the program}
model=${DID_TEST_MODELS:-$here/../models}/${DID_TEST_MODEL:-did-tiny}
reference=$here/../reference
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0

# replayed RANKS MODEL WORD...   generate with these words, then replay every record
replayed() {
    local ranks=$1 dir=$2
    shift 2
    rm -f "$work/out.jsonl"
    if ! timeout 300 mpirun --oversubscribe -n "$ranks" "$did" generate --model "$dir" --trace \
        --quiet --output "$work/out.jsonl" "$@" 2>"$work/said" ||
        ! /usr/bin/python3 "$reference/replay.py" "$dir" "$work/out.jsonl" >"$work/replay" 2>&1; then
        echo "FAILED on $ranks ranks: did generate --model $dir $*"
        tail -n 20 "$work/said" "$work/replay" | sed 's/^/  | /'
        failed=1
    fi
}

cat >"$work/tiny.jsonl" <<'END'
{"custom_id": "plain", "length": 64}
{"custom_id": "prompt", "prompt": "Once upon a time, there was a", "length": 96}
{"custom_id": "three", "prompt": "The king", "length": 64, "stages": "4,16:0.5:fhs,L:0.25:quota/8"}
{"custom_id": "confident", "length": 48, "stages": "4,L:0.5:quota/6:order=confident:p=1:T=0.8"}
{"custom_id": "drawn", "length": 48, "stages": "4,L:0.5:quota/6:order=drawn"}
{"custom_id": "random", "length": 48, "stages": "8,L:0.5:policy=random:ancestral/6"}
{"custom_id": "posthoc", "length": 48, "stages": "4,L:0.4:policy=posthoc:confidence=nucleus"}
{"custom_id": "greedy", "length": 48, "stages": "4:quota/4:order=left:T=0,L:0.5:quota/4:order=left:T=0"}
{"custom_id": "whole", "length": 40, "stages": "L:quota/10,L:0.3:rule=inclusive"}
{"custom_id": "sure", "length": 48, "stages": "8:threshold/0.4,L:0.5:threshold/0.8:confidence=nucleus"}
{"custom_id": "surest", "length": 48, "stages": "4:threshold/0.9:T=0,L:0.5:threshold/1:T=0"}
{"custom_id": "twice", "length": 32, "stages": "4,L:0.25,L:0.25"}
{"custom_id": "infill", "prompt_ids": [-1, 300, 301, -1, -1, -1, 17, -1, 900, 901], "length": 32}
END
replayed 2 "$model" --input "$work/tiny.jsonl"
[ "${DID_TEST_SANITIZED:-0}" = 1 ] || replayed 3 "$model" --tp 3 --input "$work/tiny.jsonl" --seed 2

# Longer than the model's window: the cache slides, and refinement goes window by window.
replayed 2 "$model" -n 2 --length 300 --stages 4,L:0.1:quota/4
replayed 2 "$model" -n 2 --length 288 --variable-length --stages 4,L:0.1:quota/2

/usr/bin/python3 "$reference/make_checkpoint.py" "$work/odd" --shards 2 >/dev/null || failed=1
cat >"$work/odd.jsonl" <<'END'
{"custom_id": "plain", "length": 64}
{"custom_id": "prompt", "prompt_ids": [5, 6, 7, 8, 9], "length": 48, "stages": "4,8:0.5,L:0.3:quota/5"}
{"custom_id": "sure", "length": 64, "stages": "8:threshold/0.05,L:0.5:threshold/0.02"}
{"custom_id": "cached", "length": 64, "stages": "4,L:0.5:quota/8:cache=1"}
{"custom_id": "long", "length": 160, "stages": "8,L:0.1:quota/4"}
END
replayed 2 "$work/odd" --input "$work/odd.jsonl"
replayed 5 "$work/odd" --tp 5 --input "$work/odd.jsonl"

# An approximation is refused, a cache that is refreshed in every pass is none.
"$did" generate --model "$work/odd" --trace --quiet --length 64 --stages 4,L:0.5:quota/8:cache=3 \
    --output "$work/approximate" 2>"$work/said" || failed=1
/usr/bin/python3 "$reference/replay.py" "$work/odd" "$work/approximate" >"$work/replay" 2>&1 &&
    { echo "FAILED: an approximation was replayed"; failed=1; }
grep -q 'stage 1: keys and values are reused for 3 passes: an approximation' "$work/replay" ||
    { echo "FAILED: an approximation is not refused"; cat "$work/replay"; failed=1; }

((failed)) || echo "every draw was found again"
exit "$failed"
