#!/usr/bin/env python3
"""compare.py FILES.txt KIND <SEEN: says what is missing and what nobody expects, exit 1 then. KIND is tree, deb or rpm; SEEN has
lines like packaging/files.txt has: MODE PATH, or link PATH -> TARGET."""

import fnmatch
import sys

expected = []  # (optional, pattern)
with open(sys.argv[1], encoding="utf-8") as file:
    for line in file:
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        optional = words[0] == "maybe"
        if optional:
            words = words[1:]
        if words[0] in ("deb", "rpm"):
            if words[0] != sys.argv[2]:
                continue
            words = words[1:]
        expected.append((optional, " ".join(words)))

seen = [" ".join(line.split()) for line in sys.stdin if line.strip()]
used = set()
faults = 0
for line in seen:
    matching = [pattern for _, pattern in expected if fnmatch.fnmatchcase(line, pattern)]
    used.update(matching)
    if not matching:
        print(f"not expected: {line}")
        faults += 1
for optional, pattern in expected:
    if not optional and pattern not in used:
        print(f"missing: {pattern}")
        faults += 1
print(f"{len(seen)} files, {faults} of them wrong" if faults else f"ok: {len(seen)} files as in packaging/files.txt")
sys.exit(1 if faults or not seen else 0)
