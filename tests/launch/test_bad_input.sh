#!/usr/bin/env bash
# Whatever is wrong with what `did generate` is given: one sentence, the agreed exit code, nothing
# on stdout and no hang, on any number of ranks. $DID is the program, $DID_TEST_MODELS the models.
set -u
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
did=${DID:?DID must name the program}
model=${DID_TEST_MODELS:-$here/../models}/did-tiny
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
: >"$work/cases" >"$work/failures"

# Leaks are looked for on one rank: the search is slow, and the ranks all walk the same road.
sanitizer=${ASAN_OPTIONS:-}

# expect CODE SENTENCE RANKS WORD...   SENTENCE is a part of the one line that tells what is wrong
expect() {
    local code=$1 sentence=$2 ranks=$3 got said out err
    shift 3
    out=$(mktemp "$work/stdout.XXXXXX") err=$(mktemp "$work/stderr.XXXXXX")
    (
        ASAN_OPTIONS=$sanitizer
        ((ranks > 1)) && ASAN_OPTIONS=$sanitizer:detect_leaks=0
        export ASAN_OPTIONS
        exec timeout -k 5 120 mpirun --oversubscribe -n "$ranks" "$did" "$@" </dev/null
    ) >"$out" 2>"$err"
    got=$?
    said=$(grep -c '^did: error: ' "$err")
    echo "$*" >>"$work/cases"
    if ((got == code && said == 1)) && grep -qF -- "$sentence" "$err" && [ ! -s "$out" ]; then
        return
    fi
    echo "$*" >>"$work/failures"
    echo "FAILED on $ranks ranks: did $*"
    echo "  exit code $got, expected $code; $said error sentences, expected 1, with: $sentence"
    head -20 "$err" "$out" | sed 's/^/  | /'
}

# Cases go on side by side: the launcher spends most of its time waiting for ranks to be gone.
beside() {
    while (($(jobs -rp | wc -l) >= 9)); do wait -n; done
    expect "$@" &
}

# on_ranks CODE SENTENCE WORD...   the same on 1, 2 and 3 ranks, or on 1 and 2 for the sanitizers
several=(1 2 3)
[ "${DID_TEST_SANITIZED:-0}" = 1 ] && several=(1 2)
on_ranks() {
    local code=$1 sentence=$2 n
    shift 2
    for n in "${several[@]}"; do beside "$code" "$sentence" "$n" "$@"; done
}

generate() {
    local code=$1 sentence=$2
    shift 2
    on_ranks "$code" "$sentence" generate --model "$model" --quiet "$@"
}

# lines TEXT CODE SENTENCE   an input file of that text
inputs=0
lines() {
    inputs=$((inputs + 1))
    printf '%b' "$1" >"$work/input.$inputs"
    generate "$2" "$work/input.$inputs$3" --input "$work/input.$inputs"
}

# broken FILE   a checkpoint of its own, $broken, that has all of the bundled one but FILE
models=0
broken() {
    models=$((models + 1))
    broken=$work/model.$models
    mkdir "$broken"
    ln -s "$model"/* "$broken/"
    rm -f "$broken/$1"
}

# ---- the command line
on_ranks 2 'no command was given: see did --help'
on_ranks 2 'unknown command genrate: did you mean generate?' genrate
on_ranks 2 '--model is missing: name a checkpoint directory' generate
generate 2 'unknown option --lenght: did you mean --length?' --lenght 5
generate 2 '--length: found "five", expected a whole number from 2 to 131072' --length five
generate 2 '--nucleus: found "0", expected a number above 0 and at most 1' --nucleus 0
generate 2 'found 2 of --input, --prompt and -n, expected one' --prompt x -n 1
generate 2 '--precision: found "f16", expected one of f32|bf16' --precision f16
generate 2 "--watch and --quiet exclude each other" --watch
on_ranks 2 '--watch: stderr is no terminal' generate --model "$model" --watch
generate 2 'kernels abacus: in f32 this CPU can run' --kernels abacus --length 8
generate 2 'kernels blas: in bf16 this CPU can run' --kernels blas --precision bf16 --length 8
DID_KERNELS=abacus generate 2 'kernels abacus: in f32 this CPU can run' --length 8
printf 'length 8\n\nlenght 9\n' >"$work/set"
generate 2 "$work/set:3: unknown option lenght: did you mean length?" --options "$work/set"

# ---- stages and ranks
generate 2 'block 3 does not divide the length 256; 2 or 4 would' --stages 3
generate 2 'stage 2: block 4 is smaller than the 8 of the stage before' --stages 8,4:0.5
generate 2 'remask share: found "1.5", expected a number from 0 to 1' --stages 4,L:1.5
generate 2 '--refine-window: a stage with cache=2 keeps at most the model'"'"'s length 256' \
    --stages 4,L:0.5:cache=2 --refine-window full --length 512
generate 2 'block 512 is larger than the model'"'"'s length 256' --stages 512 --length 1024
beside 2 '--tp 2 does not divide the 1 rank of this run; 1 would' 1 generate --model "$model" --tp 2
beside 2 '--tp 4 does not divide the 2 ranks of this run; 1 or 2 would' 2 \
    generate --model "$model" --tp 4
beside 2 '--tp 2 does not divide the 3 ranks of this run; 1 or 3 would' 3 \
    generate --model "$model" --tp 2
beside 2 "--tp 5 is more than the model's 4 heads; 1 would work" 5 \
    generate --model "$model" --tp 5
generate 2 'not enough memory: with --tp 1 --documents 65536 a rank needs' \
    --tp 1 --documents 65536 --length 131072

# ---- the output
printf '{}\n' >"$work/old"
generate 2 "--output $work/old exists already: name another file" --output "$work/old"
generate 2 "--output $work is a directory, expected a file" --output "$work"
generate 2 "--output $work/none/out cannot be written: No such file" --output "$work/none/out"
printf '{"custom_id":"a"}\n' >"$work/in"
generate 2 "--output and --input are the same file $work/in" --input "$work/in" --output "$work/in"
printf 'this is no database\n' >"$work/state"
generate 2 "$work/state" --state "$work/state" --output "$work/out" --length 8
# What was begun in one precision is not gone on with in another.
job=(generate --model "$model" --quiet -n 1 --length 8 --stages 4 --state "$work/f32"
     --output "$work/f32.jsonl")
mpirun -n 1 "$did" "${job[@]}" </dev/null >/dev/null 2>&1 || echo "a job in f32" >>"$work/failures"
beside 2 'belongs to another job: its signature is "did/' 1 "${job[@]}" --precision bf16

# ---- the input
generate 3 "cannot read $work/nothing: No such file or directory" --input "$work/nothing"
lines '' 3 ': the file holds no lines to work on'
lines '{"custom_id":"a"}\n{"custom_id":"b",}\n' 3 ':2:18: not JSON'
lines '{"custom_id":"a"}\n{"custom_id":"a"}\n' 3 ':2:2: custom_id: "a" was used on line 1 already'
lines '{"custom_id":"a","lenght":8}\n' 3 ':1:18: unknown key "lenght": did you mean "length"?'
lines '{"custom_id":"a","length":"8"}\n' 3 ':1:18: length: found the string "8", expected a whole'
lines '{"custom_id":"a","n":1000000}\n' 3 ':1:18: n: found 1000000, expected a whole number from 1'
lines '{"custom_id":"a","prompt_ids":[4096]}\n' 3 ':1: prompt_ids[0]: found the mask id 4096'
lines '{"custom_id":"a","stages":"3"}\n' 3 ':1: stage 1: block 3 does not divide the length 256'
lines '{"custom_id":"a","prompt_ids":[1,2,3,4],"length":4}\n' 3 \
    ':1: the prompt takes 5 positions (the first is <|endoftext|>) and the length is 4'
lines 'a plain line\n\xff\n' 3 ':2:1: not UTF-8: byte 0xff'
lines '{"custom_id":"a"\n{"custom_id":"b"\n' 3 ': 2 lines are wrong; nothing was generated'

# ---- the model
on_ranks 4 '/no/such/model/config.json' generate --quiet --model /no/such/model
on_ranks 4 'a gpt2 model reads left to right and cannot draft' \
    generate --quiet --model "$(dirname "$model")/gpt2-tiny-scorer"
broken config.json
printf '{"model_type": "bd3lm",' >"$broken/config.json"
on_ranks 4 "$broken/config.json" generate --quiet --model "$broken"
broken config.json
sed 's/"hidden_dim": 256/"hidden_dim": 512/' "$model/config.json" >"$broken/config.json"
on_ranks 4 'backbone.' generate --quiet --model "$broken"
broken model.safetensors
on_ranks 4 "$broken" generate --quiet --model "$broken"
broken model.safetensors
head -c 1000000 "$model/model.safetensors" >"$broken/model.safetensors"
on_ranks 4 "$broken/model.safetensors" generate --quiet --model "$broken"
broken model.safetensors
{
    printf '\xff\xff\xff\xff\xff\xff\xff\x7f'
    tail -c +9 "$model/model.safetensors"
} >"$broken/model.safetensors"
on_ranks 4 "$broken/model.safetensors" generate --quiet --model "$broken"
broken tokenizer.json
printf '{"model":{}}' >"$broken/tokenizer.json"
on_ranks 4 "$broken/tokenizer.json" generate --quiet --model "$broken"
generate 4 '/no/such/words' --tokenizer /no/such/words

wait
echo "$(wc -l <"$work/cases") cases, $(wc -l <"$work/failures") failures"
[ -s "$work/cases" ] && [ ! -s "$work/failures" ]
