#!/usr/bin/env python3
"""hardened.py KIND FILE SYMBOLS: what the release's flags (CMakePresets.json) leave behind in a file, asked of readelf; a line for each, exit 1
if one is not there. KIND is program or library (an archive of one object); SYMBOLS is the file with a program's debugging symbols, which say
with which flags each of its units was compiled; for a library "-"."""

import pathlib
import re
import subprocess
import sys

kind, file, symbols = sys.argv[1:]
faults = 0


def readelf(*options, of=file):
    return subprocess.run(["readelf", "--wide", *options, of], check=True, capture_output=True, text=True, env={"LC_ALL": "C", "PATH": "/usr/bin"}).stdout


def holds(what, true, seen=""):
    global faults
    faults += not true
    print(f"{'ok' if true else 'FAILED'}: {what}{': ' + seen if seen else ''}")


def property_of(path):
    """The x86 or AArch64 features that all code of a file is said to have."""
    found = re.search(r"(?:x86|AArch64) feature: (.*)", readelf("--notes", of=path))
    return set(re.split(r", *", found[1].strip())) if found else set()


def start_file():
    """The distribution's code at the beginning of each program."""
    crossed = pathlib.Path(__file__).resolve().parents[2] / "build/cross-arm64/usr/aarch64-linux-gnu/lib/Scrt1.o"
    if machine == "AArch64" and crossed.exists():
        return crossed
    return subprocess.run(["g++", "-print-file-name=Scrt1.o"], check=True, capture_output=True, text=True).stdout.strip()


machine = re.search(r"Machine: +(.*)", readelf("--file-header"))[1]
control_flow, features = ("-mbranch-protection=standard", {"BTI", "PAC"}) if machine == "AArch64" else ("-fcf-protection=full", {"IBT", "SHSTK"})
names = readelf("--dyn-syms" if kind == "program" else "--syms")
wanted = {match[1] for match in re.finditer(r" UND (\w+)", names)}
fortified = sorted(name for name in wanted if re.fullmatch(r"__\w+_chk", name))
holds("calls that check their buffers (_FORTIFY_SOURCE)", bool(fortified), " ".join(fortified))
holds("the stack's guard (-fstack-protector-strong)", "__stack_chk_fail" in wanted)
mine = property_of(file)

if kind == "library":
    with_stack = re.findall(r"\.note\.GNU-stack.*", readelf("--section-headers"))
    holds("no executable stack", bool(with_stack) and not any(re.search(r" W?AX? ", line) for line in with_stack))
    holds("containers check their use (_GLIBCXX_ASSERTIONS)", any("__glibcxx_assert_fail" in name or "__replacement_assert" in name for name in wanted))
    of_code = [section for section in readelf("--relocs").split("Relocation section ")[1:] if re.match(r"'\.rela\.(text|rodata|data)", section)]
    fixed = [line for section in of_code for line in section.splitlines() if re.search(r"R_X86_64_32S?\b|R_AARCH64_ABS32\b", line)]
    holds("position-independent", not fixed, f"{len(fixed)} relocations that are not" if fixed else "")
    holds(f"its property ({control_flow})", features <= mine, ", ".join(sorted(mine)))
    sys.exit(1 if faults else 0)

segments = readelf("--program-headers")
dynamic = readelf("--dynamic")
holds("position-independent (-pie)", "Type:                              DYN" in readelf("--file-header") and bool(re.search(r"FLAGS_1.* PIE", dynamic)))
holds("full RELRO (-z relro -z now)", "GNU_RELRO" in segments and "BIND_NOW" in dynamic)
stack = re.search(r"GNU_STACK +(?:0x\w+ +){5}([RWE]+)", segments)
holds("no executable stack", bool(stack) and "E" not in stack[1])
holds("no memory that is written and executed", not re.search(r"LOAD .* RWE ", segments) and "TEXTREL" not in dynamic)
holds("no path for libraries of its own", not re.search(r"\((RPATH|RUNPATH)\)", dynamic))
with open(file, "rb") as program:
    holds("containers check their use (_GLIBCXX_ASSERTIONS)", b"__n < this->size()" in program.read())
if features <= property_of(start_file()):
    holds(f"its property ({control_flow})", features <= mine, ", ".join(sorted(mine)))
else:
    print(f"   no property of {' and '.join(sorted(features))} in a program of this Debian: the C library's own Scrt1.o has none; the code below has")

# With which flags each unit was compiled, those of the optimizing linker too.
units = re.findall(r"DW_AT_producer .*: (GNU (?:C\+\+|GIMPLE).*)", readelf("--debug-dump=info", "--dwarf-depth=1", of=symbols))
holds("debugging symbols name the units", bool(units), str(len(units)))
for flag in ("-fstack-protector-strong", "-fstack-clash-protection", control_flow):
    without = [unit for unit in units if flag not in unit.split()]
    holds(f"each was compiled with {flag}", not without, f"{len(without)} were not, the first with {without[0]}" if without else "")
sys.exit(1 if faults else 0)
