#!/bin/bash
# The house is what the plan says: what each room may include, where foreign libraries are known,
# what lies at the top level. The build refuses a wrong include; this test tries all of them.
#   test_rooms.sh BUILD_DIR
set -u
build=$1
cd "$(dirname "$0")/../.." || exit 1
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
wrong=0
complain() { echo "$*"; wrong=$((wrong + 1)); }

# --- Who may include whom: the reader's copy of the plan, not read from the build files. ----------
declare -A folder=([base]=comm/base [comm]=comm [shard]=shard [kernels]=engine/kernels
                   [net]=engine/net [engine]=engine [bench]=bench [requests]=launch/requests
                   [state]=launch/state [frontend]=launch/frontend [study]=launch/study
                   [launch]=launch [service]=launch/service)
declare -A sees=([base]="base"
                 [comm]="comm base"
                 [shard]="shard base"
                 [kernels]="kernels base"
                 [net]="net kernels shard comm base"
                 [engine]="engine net kernels shard comm base"
                 [bench]="bench engine net kernels shard comm base"
                 [study]="study engine shard base"
                 [requests]="requests engine comm shard base"
                 [state]="state requests engine comm shard base"
                 [frontend]="frontend state requests engine comm shard base"
                 [launch]="launch frontend state requests study engine comm shard base"
                 [service]="service launch frontend state requests study engine comm shard base"
                 [main]="service launch frontend state requests bench engine comm shard base")

headers() { (cd "${folder[$1]}" && ls ./*.h 2>/dev/null | sed 's|^\./||'); }

# The include directories the build gives to a room (or to launch/main.c), as compiler flags.
flags() {
    local target=did_$1
    [ "$1" = main ] && target=did
    sed -n "/\"command\".* -o CMakeFiles\/$target\.dir\//{p;q}" "$build/compile_commands.json" |
        grep -oE -- '-(I|isystem) ?[^ ]+' | tr '\n' ' '
}

# One question per header of the house, answered by the preprocessor: "other header yes".
for other in "${!folder[@]}"; do
    for header in $(headers "$other"); do
        printf '#if __has_include("%s")\n%s %s yes\n#else\n%s %s no\n#endif\n' \
            "$header" "$other" "$header" "$other" "$header"
    done
done >"$scratch/ask.c"

tried=0
for room in "${!sees[@]}"; do
    read -ra search < <(flags "$room")
    [ ${#search[@]} -gt 0 ] || { complain "$room: the build compiles nothing there"; continue; }
    while read -r other header answer; do
        allowed=no
        [[ " ${sees[$room]} " == *" $other "* ]] && allowed=yes
        [ "$answer" = $allowed ] ||
            complain "$room may include $header of $other: $answer, the plan says $allowed"
        tried=$((tried + 1))
    done < <(cc "${search[@]}" -undef -E -P "$scratch/ask.c")
    printf '#include <mpi.h>\n' >"$scratch/mpi.c"
    if [ "$room" != comm ] && cc "${search[@]}" -fsyntax-only "$scratch/mpi.c" 2>/dev/null; then
        complain "$room finds <mpi.h>, which is for comm alone"
    fi
done
[ $tried -gt 100 ] || complain "only $tried includes were tried"

# --- Every header stands alone in its own room. ---------------------------------------------------
for room in "${!folder[@]}"; do
    read -ra search < <(flags "$room")
    for header in $(headers "$room"); do
        printf '#include "%s"\n' "$header" >"$scratch/ask.c"
        cc -D_GNU_SOURCE "${search[@]}" -fsyntax-only "$scratch/ask.c" ||
            complain "${folder[$room]}/$header does not compile by itself"
    done
done

# --- The build itself stops at an arrow that runs up. ---------------------------------------------
mkdir "$scratch/tree"
cp -r CMakeLists.txt comm shard engine bench launch "$scratch/tree"
cmake -S "$scratch/tree" -B "$scratch/build" -G Ninja -DDID_TESTS=OFF >"$scratch/said" 2>&1 ||
    complain "a copy of the tree does not configure: $(cat "$scratch/said")"
# refused ROOM HEADER: the first source of the room builds, and no longer once it includes HEADER.
refused() {
    local room=$1 header=$2 source object
    source=$(find "${folder[$room]}" -maxdepth 1 -name '*.c' ! -name main.c | sort | head -n 1)
    object=CMakeFiles/did_$room.dir/$source.o
    ninja -C "$scratch/build" "$object" >"$scratch/said" 2>&1 ||
        complain "$source does not build as it is: $(cat "$scratch/said")"
    printf '#include "%s"\n' "$header" >>"$scratch/tree/$source"
    touch -d '1 minute' "$scratch/tree/$source"  # newer than the object, however coarse the clock
    if ninja -C "$scratch/build" "$object" >"$scratch/said" 2>&1; then
        complain "$source was built although it includes $header"
    elif ! grep -q "$header: No such file\|'$header' file not found" "$scratch/said"; then
        complain "$source fails, but not because of $header: $(cat "$scratch/said")"
    fi
}
refused base comm.h
refused comm geometry.h
refused shard comm.h
refused kernels comm.h
refused net engine.h
refused engine request.h
refused requests store.h
refused state door.h
refused frontend settings.h
refused study comm.h
refused launch kernels.h

# --- Foreign headers, by text: what follows #include as in `pattern` is found in `places` alone. ---
sources=(comm shard engine bench launch)
only() {
    local pattern=$1 places=$2 file
    while read -r file; do
        [[ $file =~ ^($places) ]] || complain "$file includes $pattern; only $places may"
    done < <(grep -rlE --include='*.[ch]' --include='*.inc' "^[[:space:]]*#[[:space:]]*include[[:space:]]*$pattern" \
             "${sources[@]}")
}
# Two headers are for the files of that room alone: no other finds <mpi.h>, as was seen above.
only '[<"]mpi\.h' 'comm/([a-z_]+\.c|communicator\.h|shared\.h|transit\.h)$'
only '[<"]zmq[a-z_]*\.h' 'comm/(socket|zap)\.c$'
only '[<"]([a-z0-9]*intrin|arm_neon|cpuid|cblas|openblas_config)\.h' 'engine/kernels/'
only '[<"]pcre2\.h' 'engine/[a-z_]+\.c$'
only '[<"]sqlite3\.h' 'launch/state/'
only '[<"](cmocka\.h|(\.\./)*tests/)' 'nowhere'
only '[<"][^>"]*\.\./' 'nowhere'
only '"[^"]*/' 'nowhere'

# --- Names. ---------------------------------------------------------------------------------------
twice=$(find "${sources[@]}" -name '*.[ch]' -printf '%f\n' | sort | uniq -d)
[ -z "$twice" ] || complain "file names used in two rooms:" $twice
nested=$(find "${sources[@]}" -name '*.[ch]' -printf '%h\n' | sort -u |
    grep -vE '^(comm|comm/base|shard|engine|engine/(kernels|net)|bench|launch|launch/(requests|state|frontend|study|service))$')
[ -z "$nested" ] || complain "directories that are no room:" $nested

# --- The tree: what git holds, or what lies there when it came without git. -----------------------
if git rev-parse --git-dir >/dev/null 2>&1; then
    mapfile -t files < <(git ls-files)
else
    mapfile -t files < <(find . -path ./build -prune -o -type f -printf '%P\n')
fi
top=$(printf '%s\n' "${files[@]}" | cut -d/ -f1 | grep -v '^\.' | sort -u | tr '\n' ' ')
expected="CHANGELOG.md CMakeLists.txt CMakePresets.json LICENSE README.md"
expected+=" bench comm engine hostfile.example launch shard tests "
[ "$top" = "$expected" ] || complain "the top level is   $top; expected           $expected"

elsewhere='(^|[^A-Za-z0-9_.}-])/(wor[k]|roo[t]|hom[e])/'
for file in "${files[@]}"; do
    case $file in
    tests/models/* | LICENSE) continue ;;
    esac
    [ -f "$file" ] || continue
    grep -nEH "$elsewhere" "$file" && complain "$file names a path outside the tree"
    case $file in
    *.md) continue ;;
    esac
    lines=$(wc -l <"$file")
    [ "$lines" -le 600 ] || complain "$file has $lines lines; no file has more than 600"
done

[ $wrong = 0 ] || { echo "$wrong things are not as planned"; exit 1; }
echo "$tried includes tried, ${#files[@]} files looked at"
