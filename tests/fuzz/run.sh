#!/bin/bash
# tests/fuzz/run.sh BUILD build: makes the program, BUILD/fuzz/dormouse_fuzz, unless it is newer than all it is made of.
# tests/fuzz/run.sh BUILD TARGET [SECONDS]: one target, guessed by libFuzzer for so long (2 s); with DORMOUSE_FULL=1 for five minutes. What was found is
# kept in BUILD/fuzz/TARGET and is where the next time begins. Exits with 77, "skipped", where there is no clang with libFuzzer.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
out=$1/fuzz
target=$2
seconds=${3:-2}
if [ "${DORMOUSE_FULL:-}" = 1 ]; then seconds=300; fi
program=$out/dormouse_fuzz

part() { # NAME SOURCE…
    printf '#include "%s"\n' "${@:2}" >"$out/objects/$1.cpp"
}
build() {
    mkdir -p "$out/objects"
    local compiler='' candidate source
    for candidate in clang++-19 clang++; do
        printf 'extern "C" int LLVMFuzzerTestOneInput(const unsigned char*, unsigned long) { return 0; }\n' >"$out/probe.cpp"
        if "$candidate" -fsanitize=fuzzer,address,undefined "$out/probe.cpp" -o "$out/probe" 2>/dev/null; then
            compiler=$candidate
            break
        fi
    done
    if [ -z "$compiler" ]; then
        echo "SKIPPED: needs a clang with libFuzzer (./dev setup: clang-19, libclang-rt-19-dev)"
        exit 77
    fi
    if [ -x "$program" ] && [ -z "$(find "$here" "$root"/src/{base,config,handlers,spool,systemd,cli} -type f -newer "$program" -print -quit)" ]; then return; fi
    rm -f "$program" "$out"/objects/*
    # the sources of a folder are compiled as one: their headers take longer than they do
    part handlers "$root"/src/handlers/{message,json_text,text,environment_file,handler}.cpp
    part config "$root"/src/config/*.cpp
    part others "$root"/src/base/{uuid,error,limits,clock,crash_point,utf8,text}.cpp "$root"/src/spool/entry.cpp "$root"/src/systemd/due_file.cpp \
        "$root"/src/cli/{text,run_lines,when,payload}.cpp
    for source in "$out"/objects/*.cpp "$here"/*.cpp; do
        if [ "$(jobs -rp | wc -l)" -ge 2 ]; then wait -n; fi
        "$compiler" -std=c++20 -g1 -O1 -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=undefined -DTOML_HEADER_ONLY=1 \
            -Wno-deprecated-declarations -I "$root/src" -I "$here" -c "$source" -o "$out/objects/$(basename "$source").o" &
    done
    local job
    for job in $(jobs -p); do wait "$job"; done
    "$compiler" -fsanitize=fuzzer,address,undefined "$out"/objects/*.o -o "$program"
}
if [ "$target" = build ]; then
    build
    exit
fi
if [ ! -x "$program" ]; then
    echo "SKIPPED: fuzz.build has made no program"
    exit 77
fi
mkdir -p "$out/$target"

dictionary=()
if [ -f "$here/$target.dict" ]; then dictionary=(-dict="$here/$target.dict"); fi
seeds=()
if [ -d "$here/seeds/$target" ]; then seeds=("$here/seeds/$target"); fi
DORMOUSE_FUZZ_TARGET=$target "$program" -max_total_time="$seconds" -max_len=2000 "${dictionary[@]}" -artifact_prefix="$out/$target-" -print_final_stats=1 \
    -verbosity=1 "$out/$target" "${seeds[@]}" 2>&1 | grep -vE '^#[0-9]+[[:space:]]+(NEW|REDUCE|pulse|RELOAD)' || {
    echo "the input is $out/$target-…; repeat with DORMOUSE_FUZZ_TARGET=$target $program FILE"
    exit 1
}
