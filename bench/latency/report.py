# report.py MOMENTS OUT: the table and the JSON lines of insert's moments.
import json
import sys

import figures

NAMES = {
    "worker": "dormouse worker",
    "floor": "floor: LISTEN and posix_spawn",
    "claim": "floor: LISTEN, claim one run, posix_spawn",
}


def main(path, out):
    moments = {kind: [] for kind in NAMES}
    for line in open(path, encoding="utf-8"):
        one = json.loads(line)
        moments[one["kind"]].append(one)

    def row(kind, what, of):
        return (f"{NAMES[kind]}: {what}", [of(one) / 1000 for one in moments[kind]])

    about = figures.environment("latency")
    print("\nFrom the moment before the insert is sent to the handler's first instruction:")
    objects = figures.milliseconds([row(kind, "insert → start", lambda one: one["started"]) for kind in NAMES])
    print("\nOf that, after the application has its acknowledgement:")
    objects += figures.milliseconds([row(kind, "acknowledged → start", lambda one: one["started"] - one["acknowledged"])
                                     for kind in NAMES])
    print("\nParts:")
    objects += figures.milliseconds(
        [row(kind, "insert → acknowledged", lambda one: one["acknowledged"]) for kind in NAMES] +
        [row(kind, "acknowledged → the claim's transaction begins", lambda one: one["claimed"] - one["acknowledged"])
         for kind in ("worker", "claim")] +
        [row(kind, "the claim's transaction begins → start", lambda one: one["started"] - one["claimed"])
         for kind in ("worker", "claim")])
    figures.write(out, [about, *objects])


main(*sys.argv[1:])
