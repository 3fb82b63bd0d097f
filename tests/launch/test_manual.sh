#!/usr/bin/env bash
# Manual pages: every command has one, each names every option that --help names, troff takes them
# without a word, and they are installed. $DID is the program.
set -u
did=${DID:?DID must name the program}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failures=0
fail() { echo "FAILED: $*"; failures=$((failures + 1)); }

"$did" help --man "$work" || fail "did help --man: exit code $?"
commands=$("$did" --help | sed -n 's/^  did \([a-z][a-z]*\)  *[^- ].*/\1/p' | grep -vx help)
[ "$(wc -w <<<"$commands")" -ge 10 ] || fail "did --help names $(wc -w <<<"$commands") commands"
[ "$(ls "$work" | wc -l)" = $(($(wc -w <<<"$commands") + 1)) ] || fail "not a page for each command"
grep -q '^did \\- ' "$work/did.1" || fail "did.1 has no NAME"

for command in $commands; do
    page=$work/did-$command.1
    [ -s "$page" ] || { fail "$command has no page"; continue; }
    grep -qF "did\\-$command \\- " "$page" || fail "the NAME of $page"
    grep -q "^\.BI \"$command\"" "$work/did.1" || fail "did.1 does not name $command"
    options=$("$did" "$command" --help | grep -o -- '^  \(-[a-z], \)\?--[a-z0-9-]*' | sed 's/.*--//')
    [ -n "$options" ] || fail "did $command --help names no option"
    for option in $options; do
        grep -qF -- "\\-\\-${option//-/\\-}" "$page" || fail "$page does not name --$option"
    done
done

# troff tells on stderr what it does not understand.
if command -v groff >/dev/null; then
    for page in "$work"/*.1; do
        said=$(groff -man -ww -Tutf8 "$page" 2>&1 >/dev/null)
        [ -z "$said" ] || fail "groff about $page: $said"
    done
fi
if command -v man >/dev/null; then
    for page in "$work"/*.1; do
        said=$(man --warnings -l "$page" 2>&1 >/dev/null </dev/null)
        [ -z "$said" ] || fail "man about $page: $said"
    done
fi

# A directory that is not there is refused with a sentence.
"$did" help --man "$work/none" 2>"$work/stderr"
[ $? = 2 ] && grep -q "cannot write $work/none/did.1" "$work/stderr" || fail "a directory that is missing"

# The build wrote them beside the program, and they go where manual pages belong.
build=$(dirname "$did")
if [ -e "$build/cmake_install.cmake" ]; then
    cmake --install "$build" --prefix "$work/installed" >/dev/null || fail "cmake --install"
    for page in "$work"/*.1; do
        cmp "$page" "$(find "$work/installed" -name "${page##*/}")" || fail "${page##*/} is not installed"
    done
fi

echo "$failures failures"
((failures == 0))
