#!/usr/bin/python3
"""Includes between the folders of src/ go one way: the table is the code block in ARCHITECTURE.md that begins with the
folder base, or scripts/arrows.txt as long as there is none. Prints FILE:LINE for each include against it."""

import os
import re
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
# `sql` is generated from sql/ and includes nothing.
GENERATED = {"sql": set()}


def table_lines():
    """The lines of the table, and where it was found."""
    page = os.path.join(ROOT, "ARCHITECTURE.md")
    if os.path.exists(page):
        with open(page, encoding="utf-8") as file:
            for block in re.findall(r"^```[^\n]*\n(.*?)^```", file.read(), re.M | re.S):
                if re.search(r"^base:", block, re.M) and re.search(r"^worker:", block, re.M):
                    return block.splitlines(), "ARCHITECTURE.md"
    name = "scripts/arrows.txt"
    with open(os.path.join(ROOT, name), encoding="utf-8") as file:
        return file.read().splitlines(), name


def read_table(lines):
    table = {}
    for line in lines:
        line = line.split("#")[0].strip()
        if line:
            folder, _, allowed = line.partition(":")
            table[folder.strip()] = allowed.split()
    return table


def reach(table, folder, seen=()):
    """All folders that `folder` may include, and single headers of others."""
    if folder in GENERATED or folder in seen:
        return {folder}
    folders = {folder}
    taken = set()
    for item in table.get(folder, []):
        if item.startswith("-"):
            taken.add(item[1:])
        elif "/" in item:
            folders.add(item)
        else:
            # what a folder may include from one header on only is no way for those above it
            folders |= {one for one in reach(table, item, (*seen, folder)) if "/" not in one}
    return folders - taken


def check_file(path, folder, allowed, where):
    found = 0
    with open(os.path.join(ROOT, path), encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            match = re.match(r'\s*#\s*include\s+"(([a-z_]+)/[^"]+)"', line)
            if match and match[2] not in allowed and match[1] not in allowed:
                found += 1
                may = ", ".join(sorted(allowed - {folder})) or "nothing of ours"
                print(f"{path}:{number}: {folder} may not include {match[1]}; it may include {may} (table in {where})")
    return found


def main():
    lines, where = table_lines()
    table = read_table(lines)
    found = 0
    source = os.path.join(ROOT, "src")
    for folder in sorted(os.listdir(source)):
        directory = os.path.join(source, folder)
        files = sorted(
            os.path.join(at, name)
            for at, _, names in os.walk(directory) for name in names if name.endswith((".h", ".cpp")))
        if files and folder not in table:
            print(f"src/{folder}:1: the folder has no line in the table of includes; add one in {where}")
            found += 1
            continue
        allowed = reach(table, folder) if files else set()
        for path in files:
            found += check_file(os.path.relpath(path, ROOT), folder, allowed, where)
    sys.exit(1 if found else 0)


main()
