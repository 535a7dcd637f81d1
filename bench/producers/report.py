# report.py ROUNDS OUT: commits per second of each state and number of clients, and their ratio to no trigger in the same round.
import json
import statistics
import sys

import figures

NAMES = {
    "none": "no trigger",
    "notify": "NOTIFY",
    "asleep": "NOTIFY, local wake, asleep",
    "awake": "NOTIFY, local wake, awake",
}


def spread(values, digits):
    return f"{statistics.median(values):,.{digits}f} ({min(values):,.{digits}f}–{max(values):,.{digits}f})"


def main(path, out):
    rounds = [json.loads(line) for line in open(path, encoding="utf-8")]
    tps = {(one["state"], one["clients"], one["round"]): one["tps"] for one in rounds}
    clients = sorted({one["clients"] for one in rounds})
    numbers = sorted({one["round"] for one in rounds})

    def ratios(state, count, to):
        return [tps[state, count, n] / tps[to, count, n] for n in numbers]

    about = figures.environment("producers")
    print(f"\nSingle-row inserts, commits/s, median of {len(numbers)} rounds (smallest–largest):")
    figures.table(["clients", *NAMES.values()],
                  [[str(count), *(spread([tps[state, count, n] for n in numbers], 0) for state in NAMES)] for count in clients])
    print("\nRatio to no trigger in the same round; in the last two columns, to NOTIFY alone:")
    figures.table(["clients", *(NAMES[state] for state in list(NAMES)[1:]), "asleep to NOTIFY", "awake to NOTIFY"],
                  [[str(count), *(spread(ratios(state, count, "none"), 2) for state in list(NAMES)[1:]),
                    *(spread(ratios(state, count, "notify"), 2) for state in ("asleep", "awake"))] for count in clients])
    figures.write(out, [about, *rounds])


main(*sys.argv[1:])
