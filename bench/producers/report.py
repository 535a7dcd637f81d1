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
BUSY = {
    "busy_elsewhere": "no trigger, a worker busy elsewhere",
    "busy": "NOTIFY, a worker busy with them",
    "promised": "the same worker has promised",
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

    def rates(states):
        figures.table(["clients", *states.values()],
                      [[str(count), *(spread([tps[state, count, n] for n in numbers], 0) for state in states)] for count in clients])

    about = figures.environment("producers")
    measured = {one["state"] for one in rounds}
    if set(BUSY) <= measured:
        print(f"\nSingle-row inserts while a worker is busy, commits/s, median of {len(numbers)} rounds (smallest–largest):")
        rates(BUSY)
        print("\nRatio to no trigger in the same round, and notifications that were heard in a round while there was a promise:")
        heard = {count: [one["heard"] for one in rounds if one["state"] == "promised" and one["clients"] == count] for count in clients}
        figures.table(["clients", *(BUSY[state] for state in ("busy", "promised")), "heard"],
                      [[str(count), *(spread(ratios(state, count, "busy_elsewhere"), 2) for state in ("busy", "promised")),
                        ", ".join(str(one) for one in heard[count])] for count in clients])
    if not set(NAMES) <= measured:
        return figures.write(out, [about, *rounds])
    print(f"\nSingle-row inserts, commits/s, median of {len(numbers)} rounds (smallest–largest):")
    rates(NAMES)
    print("\nRatio to no trigger in the same round; in the last two columns, to NOTIFY alone:")
    figures.table(["clients", *(NAMES[state] for state in list(NAMES)[1:]), "asleep to NOTIFY", "awake to NOTIFY"],
                  [[str(count), *(spread(ratios(state, count, "none"), 2) for state in list(NAMES)[1:]),
                    *(spread(ratios(state, count, "notify"), 2) for state in ("asleep", "awake"))] for count in clients])
    figures.write(out, [about, *rounds])


main(*sys.argv[1:])
