# report.py ROUNDS OUT: each case beside the smallest one of its shape.
import json
import sys

import figures


def main(path, out):
    rounds = [json.loads(line) for line in open(path, encoding="utf-8")]
    about = figures.environment("claims")
    smallest = {}
    for one in rounds:
        smallest.setdefault(one["shape"], one)
    rows = []
    for one in sorted(rounds, key=lambda one: list(smallest).index(one["shape"])):
        base = smallest[one["shape"]]
        rows.append([one["shape"], one["rows"], str(one["claimed"]), f"{one['buffers'] / one['claimed']:.1f}",
                     f"{one['buffers'] / base['buffers']:.2f}", f"{one['ms']:.2f}", f"{one['ms'] / base['ms']:.2f}"])
    print("\nAim: buffers at most 1.1 times those of the small case (1.2 with queues), time at most 1.3 times.")
    figures.table(["shape", "runs", "claimed", "buffers a claimed run", "to the small case", "ms a claim", "to the small case"], rows)
    figures.write(out, [about, *rounds])


main(*sys.argv[1:])
