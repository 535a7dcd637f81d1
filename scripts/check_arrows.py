#!/usr/bin/python3
"""Includes between the folders of src/ go one way: the code block `arrows` in ARCHITECTURE.md has a line for each folder,
FOLDER: ALLOWED…, where ALLOWED is a folder or a single FOLDER/FILE.h. Prints FILE:LINE for each include against it."""

import os
import re
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
PAGE = "ARCHITECTURE.md"


def read_table():
    with open(os.path.join(ROOT, PAGE), encoding="utf-8") as file:
        block = re.search(r"^```arrows\n(.*?)^```", file.read(), re.M | re.S)
    if not block:
        sys.exit(f"{PAGE}:1: no code block `arrows`; it is the table of what each folder may include")
    table = {}
    for line in block[1].splitlines():
        line = line.split("#")[0].strip()
        if line:
            folder, _, allowed = line.partition(":")
            table[folder.strip()] = {folder.strip(), *allowed.split()}
    for allowed in table.values():
        if "postgres" in allowed:
            allowed.add("sql")  # generated from sql/: text for whoever may send it
    return table


def check_file(path, folder, allowed):
    found = 0
    with open(os.path.join(ROOT, path), encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            match = re.match(r'\s*#\s*include\s+"(([a-z_]+)/[^"]+)"', line)
            if match and match[2] not in allowed and match[1] not in allowed:
                found += 1
                may = ", ".join(sorted(allowed - {folder})) or "nothing of ours"
                print(f"{path}:{number}: {folder} may not include {match[1]}; it may include {may} (table in {PAGE})")
    return found


def main():
    table = read_table()
    found = 0
    source = os.path.join(ROOT, "src")
    for folder in sorted(os.listdir(source)):
        files = sorted(
            os.path.join(at, name)
            for at, _, names in os.walk(os.path.join(source, folder))
            for name in names if name.endswith((".h", ".cpp")))
        if files and folder not in table:
            print(f"src/{folder}:1: the folder has no line in the table of includes; add one in {PAGE}")
            found += 1
            continue
        for path in files:
            found += check_file(os.path.relpath(path, ROOT), folder, table[folder])
    sys.exit(1 if found else 0)


main()
