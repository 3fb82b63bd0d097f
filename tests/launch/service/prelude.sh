# What scripts that start a service begin with: the program $did, the $model, a directory $work that goes
# away in the end with every process whose number was put into ${started[@]}, and complain, which lets
# the script end with code $failed. Sourced.
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
did=${DID:?DID must name the program}
model=${DID_TEST_MODELS:-$here/../../models}/${DID_TEST_MODEL:-did-tiny}
work=$(mktemp -d)
started=()
leave() {
    for pid in "${started[@]}"; do kill -KILL $(pgrep -P "$pid") "$pid" 2>>"$work/said"; done
    rm -rf "$work"
}
trap leave EXIT
failed=0
complain() { echo "FAILED: $*"; failed=1; }
