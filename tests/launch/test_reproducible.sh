#!/usr/bin/env bash
# --reproducible: the same records at every width, in both precisions and in spans; a job that is
# taken up again at another width; and what cannot be is refused in one sentence. $DID is the program,
# $DID_TEST_MODELS the models.
set -u
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
did=${DID:?DID must name the program}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0
complain() { echo "FAILED: $*"; tail -n 5 "$work/said" 2>/dev/null; failed=1; }

/usr/bin/python3 "$here/../reference/make_checkpoint.py" "$work/twelve" --hidden 192 --heads 12 >/dev/null ||
    complain "no checkpoint of twelve heads"

# run RANKS NAME WORD...   traced records, in order
run() {
    local ranks=$1 name=$2
    shift 2
    timeout 200 mpirun --oversubscribe -n "$ranks" "$did" generate --model "$work/twelve" -n 3 \
        --length 48 --stages 4,L:0.5:quota/6 --trace --quiet --reproducible "$@" 2>"$work/said" |
        sort >"$work/$name"
    [ "$(wc -l <"$work/$name")" = 3 ] || complain "$name: not three records"
}
same() { cmp -s "$work/$1" "$work/$2" || complain "$1 and $2 differ"; }

widths="2 4 8"
[ "${DID_TEST_SANITIZED:-0}" = 1 ] && widths="8"
for precision in f32 bf16; do
    run 1 $precision.1 --tp 1 --precision $precision
    for q in $widths; do
        run "$q" $precision.$q --tp "$q" --precision $precision
        same $precision.1 $precision.$q
    done
done
run 4 spanned --tp 2 --refine-span 2
same f32.1 spanned
cmp -s "$work/f32.1" "$work/bf16.1" && complain "both precisions give the same"
# Without it, parts are cut where ranks are: what is shown above is no accident.
plain() {
    mpirun --oversubscribe -n "$1" "$did" generate --model "$work/twelve" -n 3 --length 48 --trace \
        --stages 4,L:0.5:quota/6 --quiet --tp "$1" 2>"$work/said" | sed 's/"signature": "[^"]*"//' | sort
}
cmp -s <(plain 1) <(plain 4) && complain "widths agree without --reproducible: nothing was shown"

# A job begun at one width and ended at another.
job=(generate --model "$work/twelve" -n 6 --length 48 --quiet --reproducible --state "$work/state" --output "$work/out")
mpirun --oversubscribe -n 2 "$did" "${job[@]}" --tp 2 --maxh 0.00002 2>"$work/said"
code=$?
[ $code = 6 ] || [ $code = 0 ] || complain "a job cut short ends with $code"
mpirun --oversubscribe -n 4 "$did" "${job[@]}" --tp 4 2>"$work/said" || complain "taken up at another width"
"$did" generate --model "$work/twelve" -n 6 --length 48 --quiet --reproducible 2>"$work/said" | sort >"$work/whole"
cmp -s "$work/whole" <(sort "$work/out") || complain "begun at one width and ended at another"

# refused RANKS WORDS OPTION...
refused() {
    local ranks=$1 words=$2
    shift 2
    timeout 60 mpirun --oversubscribe -n "$ranks" "$did" generate --model "$work/twelve" --length 48 \
        --reproducible "$@" >"$work/shown" 2>"$work/said"
    local code=$?
    [ $code = 2 ] || complain "$*: exit code $code, expected 2"
    grep -q "^did: error: .*$words" "$work/said" || complain "$*: not the sentence"
}
refused 3 'the same bytes come from 1, 2, 4 or 8 ranks; 1 would work here' --tp 3
refused 2 '--reproducible with --layout 2d' --layout 2d
refused 1 '--reproducible with kernels blas' --kernels blas

((failed)) || echo "the same bytes at 1 $widths ranks, in f32 and bf16"
exit "$failed"
