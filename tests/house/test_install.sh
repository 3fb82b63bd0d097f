#!/bin/bash
# What `cmake --install` leaves behind works by itself and says which did it is.
#   test_install.sh BUILD_DIR
set -eu
build=$1
root=$(cd "$(dirname "$0")/../.." && pwd)
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

cmake --install "$build" --prefix "$scratch" >"$scratch/said"
for file in bin/did share/doc/did/README.md share/doc/did/hostfile.example share/doc/did/LICENSE; do
    [ -f "$scratch/$file" ] || { echo "$file was not installed"; exit 1; }
done

# The version names the commit the tree is at, or says that it is not known.
id=$(git -C "$root" describe --always --abbrev=12 --exclude='*' 2>/dev/null || echo unknown)
"$scratch/bin/did" --version >"$scratch/version"
grep -q "$id" "$scratch/version" || { echo "not $id:"; cat "$scratch/version"; exit 1; }
"$scratch/bin/did" --help >/dev/null
