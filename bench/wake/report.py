# report.py MOMENTS OUT: the table and the JSON lines of cold.sh's moments.
import json
import sys

import figures

AIM = 25
STAGES = [
    ("systemd: ring → process forked", "began", "forked"),
    ("systemd: fork → exec (sandbox)", "forked", "executed"),
    ("exec → worker's first event (linking)", "executed", "worker_pool_starting"),
    ("configuration, own cgroup, handlers", "worker_pool_starting", "tasks_loaded"),
    ("connect (± 0.5)", "tasks_loaded", "let_in"),
    ("checks and LISTEN (± 0.5)", "let_in", "listening"),
    ("claim", "listening", "run_dispatched"),
    ("spawn → handler's first instruction", "run_dispatched", "stamped"),
]


def read(path):
    rounds = {"dormouse": [], "trivial": [], "session": []}
    events = []
    for line in open(path, encoding="utf-8"):
        one = json.loads(line)
        if "kind" in one:
            rounds[one["kind"]].append(one)
        elif "DORMOUSE_EVENT" in one:
            events.append((int(one["_SOURCE_REALTIME_TIMESTAMP"]) * 1000, one["DORMOUSE_EVENT"]))
        elif "connection authorized: user=pool" in str(one.get("MESSAGE")):
            seconds = float(one["MESSAGE"].split()[0])
            events.append((int(seconds * 1e9) + 500_000, "let_in"))  # the middle of its millisecond
    return rounds, events


def complete(one, events):
    """All moments of a cold ring in ns of CLOCK_REALTIME."""
    moments = one["moments"]
    moments["forked"] = one["forked_us"] * 1000 + moments["offset"]
    for at, name in events:
        if moments["began"] <= at <= moments["stamped"] + 500_000:
            moments.setdefault(name, at)
    return moments


def between(moments, first, last):
    return [(one[last] - one[first]) / 1e6 for one in moments if one.get(first) and one.get(last)]


def difference(ours, theirs):
    return {share: figures.rounded(ours[share] - theirs[share]) for share in ("p50", "p99")}


def main(path, out):
    rounds, events = read(path)
    ours = [complete(one, events) for one in rounds["dormouse"]]
    trivial = [complete(one, []) for one in rounds["trivial"]]
    about = figures.environment("wake")
    objects = figures.milliseconds([
        ("dormouse: cold ring → handler's first instruction", between(ours, "began", "stamped")),
        ("trivial service: cold ring → its first instruction", between(trivial, "began", "stamped")),
        ("dormouse: exec → handler's first instruction", between(ours, "executed", "stamped")),
        ("trivial service: exec → its first instruction", between(trivial, "executed", "stamped")),
    ])
    above = difference(objects[0], objects[1])
    own = difference(objects[2], objects[3])
    print(f"\nabove the trivial service: p50 {above['p50']:.1f} ms, p99 {above['p99']:.1f} ms (aim: ≤ {AIM} ms)")
    print(f"from exec on, without systemd's part: p50 {own['p50']:.1f} ms, p99 {own['p99']:.1f} ms")
    print("\nWhere dormouse's time goes:")
    stages = figures.milliseconds([(name, between(ours, first, last)) for name, first, last in STAGES])
    print("\nBeside it, the trivial service in the same sandbox, and a new session of a bare libpq program:")
    beside = figures.milliseconds(
        [("trivial, " + name, between(trivial, first, last)) for name, first, last in STAGES[:2]] +
        [("trivial, exec → first instruction", between(trivial, "executed", "stamped"))] +
        [(name, [one["moments"][key] / 1e6 for one in rounds["session"]])
         for name, key in (("bare libpq: connect", "connect"), ("bare libpq: first statement", "first"), ("bare libpq: LISTEN", "listen"))])
    figures.write(out, [about, *objects, {"what": "above the trivial service", "unit": "ms", "aim": AIM, **above},
                        {"what": "above the trivial service, from exec on", "unit": "ms", **own}, *stages, *beside])


main(*sys.argv[1:])
