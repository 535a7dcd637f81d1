#!/usr/bin/python3
"""spool_storm.py SPOOL FILES BAD: writes spool files as fast as it can, BAD of them bad, half of the good ones without an id in the name."""
import os
import sys
import uuid

BAD = ["{", "", "[]", '{"payload": 1}', '{"task": "work", "payload": "\\u0000"}', '{"task": "work", "queue": "elsewhere"}', "\xff",
       '{"task": "work", "payload": "' + "x" * 200_000 + '"}', '{"task": "work", "run_at": "soonish"}', '{"task": "work", "extra": 1}']


def write(spool, name, text):
    hidden = os.path.join(spool, "." + name)
    with open(hidden, "w", encoding="latin-1") as file:
        file.write(text)
        file.flush()
        if name.startswith("bad-"):
            old = 1_000_000_000  # written long ago: what is truncated is not left for its writer
            os.utime(file.fileno(), (old, old))
        os.fchmod(file.fileno(), 0o660)
    os.rename(hidden, os.path.join(spool, name))


def main():
    spool, files, bad = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    every = files // bad
    for number in range(files):
        if number % every == 0:
            write(spool, f"bad-{number:06}.json", BAD[number // every % len(BAD)])
        else:
            name = f"{number:06}.{uuid.uuid4()}.json" if number % 2 else f"{number:06}.json"
            write(spool, name, f'{{"task": "work", "payload": {{"n": {number}}}, "run_at": "2100-01-01T00:00:00Z"}}')


main()
