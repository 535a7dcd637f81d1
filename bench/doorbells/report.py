# report.py DELAYS OUT: the delay of each doorbell.
import json
import statistics
import sys

import figures


def main(path, out):
    samples = [json.loads(line) for line in open(path, encoding="utf-8")]
    about = figures.environment("doorbells")
    doors = list(dict.fromkeys(one["door"] for one in samples))
    rows = []
    for door in doors:
        delays = sorted(one["ms"] for one in samples if one["door"] == door)
        rows.append([door, str(len(delays)), f"{statistics.median(delays):.0f}", f"{delays[0]:.0f}", f"{delays[-1]:.0f}"])
    print("\nFrom what the producer does to its run's start, ms; the programs a producer runs for it (psql, dormouse wake) included:")
    figures.table(["doorbell", "samples", "median", "smallest", "largest"], rows)
    figures.write(out, [about, *samples])


main(*sys.argv[1:])
