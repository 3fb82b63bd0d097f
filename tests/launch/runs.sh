# What scripts that compare runs begin with. They set what holds for every run: words in ${given[@]}, the
# number of its records in $records; and end with `finish WORDS`, said when nothing was wrong. Sourced.
model=$(dirname "${BASH_SOURCE[0]}")/../models/did-tiny
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
wrong=0
complain() { echo "$*"; wrong=$((wrong + 1)); }

# generate RANKS NAME OPTIONS...: records in order to NAME.jsonl, the log to NAME.log
generate() {
    local ranks=$1 name=$2
    shift 2
    timeout 300 mpirun --oversubscribe -n "$ranks" "$DID" generate --model "$model" "${given[@]}" "$@" \
        >"$work/$name.out" 2>"$work/$name.log" ||
        complain "$name: exit code $?: $(tail -n 3 "$work/$name.log")"
    sort "$work/$name.out" >"$work/$name.jsonl"
    [ "$(wc -l <"$work/$name.jsonl")" = "$records" ] || complain "$name: not $records records"
}

same() {
    cmp -s "$work/$1.jsonl" "$work/$2.jsonl" || complain "$1 and $2 differ"
}

# held NAME...: none of these runs took more memory than it was planned to
held() {
    local name
    for name; do
        grep 'more than predicted' "$work/$name.log" && complain "$name: the plan was wrong"
    done
}

# refused WORDS RANKS OPTIONS...: exit code 2, one sentence with these words, and nothing else
refused() {
    local words=$1 ranks=$2 code
    shift 2
    timeout 60 mpirun --oversubscribe -n "$ranks" "$DID" generate --model "$model" "${given[@]}" "$@" \
        >"$work/shown" 2>"$work/said"
    code=$?
    [ $code = 2 ] || complain "$*: exit code $code, expected 2"
    grep -q -- "^did: error: .*$words" "$work/said" || complain "$*: no word of \"$words\": $(cat "$work/said")"
    [ -s "$work/shown" ] && complain "$*: something came out"
}

finish() {
    [ $wrong = 0 ] && echo "$*"
    exit $((wrong > 0))
}
