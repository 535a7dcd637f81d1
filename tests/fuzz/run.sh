#!/bin/bash
# tests/fuzz/run.sh BUILD [SECONDS]: what handlers say, guessed by libFuzzer for so long (10 s); what was found is kept in BUILD/fuzz
# and is where the next time begins. Exits with 77, "skipped", where there is no clang with libFuzzer.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
out=$1/fuzz
seconds=${2:-10}
mkdir -p "$out/corpus"

compiler=
for candidate in clang++-19 clang++; do
    printf 'extern "C" int LLVMFuzzerTestOneInput(const unsigned char*, unsigned long) { return 0; }\n' >"$out/probe.cpp"
    if "$candidate" -fsanitize=fuzzer,address,undefined "$out/probe.cpp" -o "$out/probe" 2>/dev/null; then
        compiler=$candidate
        break
    fi
done
if [ -z "$compiler" ]; then
    echo "skipped: fuzz.message: there is no clang with libFuzzer here (./dev setup: clang-19, libclang-rt-19-dev)"
    exit 77
fi

sources=("$here/message_fuzz.cpp" "$root"/src/handlers/{message,json_text,text}.cpp "$root"/src/base/{uuid,error}.cpp)
program=$out/message_fuzz
stale=$(find "${sources[@]}" "$root"/src/handlers/{message,json_text,text,handler}.h "${BASH_SOURCE[0]}" -newer "$program" 2>/dev/null || echo yes)
if [ -n "$stale" ]; then
    "$compiler" -std=c++20 -g -O1 -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=undefined -I "$root/src" "${sources[@]}" \
        -o "$program"
fi
"$program" -max_total_time="$seconds" -max_len=2000 -dict="$here/words.dict" -artifact_prefix="$out/" -print_final_stats=1 \
    -verbosity=1 "$out/corpus" 2>&1 | grep -vE '^#[0-9]+[[:space:]]+(NEW|REDUCE|pulse)' || {
    echo "the input is in $out; repeat with $program FILE"
    exit 1
}
