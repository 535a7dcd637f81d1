#!/usr/bin/python3
"""Each block of commands or SQL in README.md and docs/ is executed by a test: a line <!-- KIND: NAME --> above it says so, or a line of
scripts/blocks_allowed.txt, which also names those that no test types, with the reason. Prints FILE:LINE: what; remedy."""
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
ALLOWED = ROOT / "scripts/blocks_allowed.txt"
COMMANDS = ("", "sh", "bash", "console", "psql", "sql")
KINDS = ("file", "typed", "incident", "step")  # each is read by a test, see page.sh, docs.five_minutes.sh and moving.py


def blocks(page):
    """(line number, language, marker or None, first line) of each fenced block."""
    lines = page.read_text(encoding="utf-8").splitlines()
    at = 0
    while at < len(lines):
        if fence := re.match(r"\s*```(\w*)$", lines[at]):
            marker = re.match(r"<!-- (\w+): .+ -->$", lines[at - 1]) if at else None
            yield at + 1, fence[1], marker and marker[1], lines[at + 1].strip()
            at = next(end for end in range(at + 1, len(lines)) if lines[end].strip() == "```")
        at += 1


def allowed():
    """{(page, begin of the first line): line number}, and what is wrong with the list."""
    found, faults = {}, []
    for number, line in enumerate(ALLOWED.read_text(encoding="utf-8").splitlines(), 1):
        if not line or line.startswith("#"):
            continue
        parts = [part.strip() for part in line.split(" | ")]
        if len(parts) != 3 or not re.match(r"(tested|no|shown): \S", parts[2]):
            faults.append(f"{number}: not PAGE | BEGIN OF ITS FIRST LINE | tested: FILE, no: WHY, or shown: WHAT")
            continue
        found[(parts[0], parts[1])] = number
        if parts[2].startswith("tested: ") and not (ROOT / parts[2].split()[1].rstrip(",")).exists():
            faults.append(f"{number}: there is no {parts[2].split()[1]}")
    return found, faults


listed = subprocess.check_output(["git", "ls-files", "--cached", "--others", "--exclude-standard", "README.md", "docs/*.md"], cwd=ROOT, text=True)
entries, faults = allowed()
found = [f"scripts/blocks_allowed.txt:{fault}" for fault in faults]
used = set()
for name in filter(lambda name: (ROOT / name).exists(), listed.splitlines()):
    for number, language, marker, first in blocks(ROOT / name):
        if language not in COMMANDS or marker in KINDS:
            continue
        mine = {entry for entry in entries if entry[0] == name and first.startswith(entry[1])}
        used |= mine
        if not mine:
            found.append(f"{name}:{number}: no test types this block ({first[:60]}); mark it for one, or a line in scripts/blocks_allowed.txt with the reason")
found += [f"scripts/blocks_allowed.txt:{entries[entry]}: {entry[0]} has no such block; take the line out" for entry in entries if entry not in used]
print("\n".join(found), end="\n" if found else "")
sys.exit(1 if found else 0)
