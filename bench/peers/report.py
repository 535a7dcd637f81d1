"""report.py LINES.jsonl [PLOT.svg]: the tables of ./dev bench peers: medians of the rounds (smallest–largest), and the table for the README."""
import json
import statistics
import sys

from figures import percentile, table
from plot import draw

KEEPS = {"dormouse": "yes", "graphile": "no: deletes", "pg-boss": "yes", "ceiling": "yes"}


def shown(values, form=None):
    one = form.format if form else lambda value: f"{value:,.0f}" if value >= 10 else f"{value:.1f}"
    middle = one(statistics.median(values))
    return middle if len(values) < 2 else f"{middle} ({one(min(values))}–{one(max(values))})"


def rates(lines):
    return [line["runs"] / line["seconds"] for line in lines]


class Lines:
    def __init__(self, path):
        with open(path, encoding="utf-8") as file:
            self.all = [json.loads(line) for line in file]
        self.about = next(line for line in self.all if line["measure"] == "about")

    def of(self, measure, subject=None, queued=None):
        return [line for line in self.all if line["measure"] == measure and subject in (None, line["subject"]) and
                queued in (None, line.get("queued"))]

    def subjects(self, measure):  # in an order that does not depend on who went first
        place = {"dormouse": 0, "graphile": 1, "pg-boss": 2, "ceiling": 3, "C and": 4}
        names = {line["subject"] for line in self.of(measure)}
        return sorted(names, key=lambda name: (next((at for start, at in place.items() if name.startswith(start)), 9), "default" in name, name))


def per_run(lines, figure, scale=1.0):
    return shown([line[figure] * scale / line["runs"] for line in lines])


def ratio(lines, ours, theirs):
    """Of each round with the other's of the same round: the machine is not the same from minute to minute."""
    pairs = zip(rates(lines.of("run", ours)), rates(lines.of("run", theirs)))
    return shown([one / other for one, other in pairs], "{:.2f}")


def throughput(lines):
    rows = []
    for name in lines.subjects("run"):
        of = lines.of("run", name)
        rows.append([name, shown(rates(of)), ratio(lines, "dormouse tuned", name) if lines.of("run", "dormouse tuned") else "",
                     per_run(of, "cpu_s", 1e6), per_run(of, "cpu_s_postgres", 1e6), per_run(of, "wal_bytes"),
                     next(keeps for start, keeps in KEEPS.items() if name.startswith(start)),
                     shown([line["others"] for line in of], "{:.1f}"), len(of)])
    print(f"\n### No-op runs a second, {lines.about['count']:,} queued, one worker process")
    table(["", "runs/s", "dormouse tuned ÷ this", "its CPU µs a run", "Postgres' CPU µs a run", "WAL bytes a run", "keeps what is done",
           "cores busy for others", "rounds"], [[str(cell) for cell in row] for row in rows])


def latency(lines, share, place=1):
    """{subject: a value for each round}; place 1: since the send, None: since the acknowledgement."""
    value = (lambda one: one[1] / 1e3) if place else (lambda one: (one[1] - one[0]) / 1e3)
    return {name: [percentile([value(one) for one in line["us"]], share) for line in lines.of("latency", name)]
            for name in lines.subjects("latency")}


def latencies(lines):
    missing = {name: sum(line["missing"] for line in lines.of("latency", name)) for name in lines.subjects("latency")}
    parts = [latency(lines, 0.5), latency(lines, 0.99), latency(lines, 0.5, None)]
    print("\n### One insert into an idle, awake queue: the insert is sent → the handler starts, ms")
    table(["", "p50", "p99", "p50 after the acknowledgement", "not started within a minute", "load"],
          [[name, *(shown(part[name], "{:.2f}") for part in parts), str(missing[name]), f"{max(line['load'] for line in lines.of('latency', name)):.1f}"]
           for name in lines.subjects("latency")])


def starts(lines):
    rounds = {name: [percentile(line["ms"], 0.5) for line in lines.of("start", name)] for name in lines.subjects("start")}
    print("\n### Start of the program → it LISTENs, ms, p50 of each round")
    table(["", "p50", "load"], [[name, shown(values, "{:.1f}"), f"{max(line['load'] for line in lines.of('start', name)):.1f}"]
                                for name, values in rounds.items()])


def enqueues(lines):
    print(f"\n### Batch enqueue, {lines.about['batch']:,} a statement, one session")
    table(["", "runs/s", "its CPU µs a run", "Postgres' CPU µs a run", "WAL bytes a run", "cores busy for others"],
          [[name, shown(rates(of)), per_run(of, "cpu_s", 1e6), per_run(of, "cpu_s_postgres", 1e6), per_run(of, "wal_bytes"),
            shown([line["others"] for line in of], "{:.1f}")] for name in lines.subjects("enqueue") for of in [lines.of("enqueue", name)]])


def backlogs(lines):
    """{subject: [(queued, rates)]}, the ordinary runs among them."""
    return {name: [(queued, rates(of)) for queued in sorted({line["queued"] for line in lines.of("backlog")} | {lines.about["count"]})
                   if (of := lines.of("backlog", name, queued) + lines.of("run", name, queued))]
            for name in lines.subjects("backlog")}


def backlog_table(of):
    queued = sorted({count for points in of.values() for count, _ in points})
    print("\n### Runs a second with so many queued")
    table(["", *(f"{count:,}" for count in queued)],
          [[name, *(shown(dict(points).get(count, [0])) for count in queued)] for name, points in of.items()])


def curves(lines):
    """{subject: points (s, runs/s)} of the round with the median rate."""
    of = {}
    for name in lines.subjects("run"):
        if name.startswith("ceiling") and "dormouse: 1 connection, one" not in name or name.endswith("default"):
            continue
        line = sorted(lines.of("run", name), key=lambda one: one["runs"] / one["seconds"])[len(lines.of("run", name)) // 2]
        points = [[0, 0], *line["points"]]
        wide = max(1, len(points) // 25)  # of 0.1 s, so that a curve has at most some 25 of them
        points = points[::wide]
        of[name] = [((a[0] + b[0]) / 2, (b[1] - a[1]) / (b[0] - a[0])) for a, b in zip(points, points[1:]) if b[0] > a[0]]
    return of


def to_paste(lines):
    fifty, ninety_nine = latency(lines, 0.5), latency(lines, 0.99)
    calls = {"dormouse tuned": "dormouse.enqueue_many, libpq", "graphile-worker tuned": "graphile-worker: addJobs", "pg-boss tuned": "pg-boss: insert"}
    rows = []
    for name in lines.subjects("run"):
        if name.startswith("ceiling bare") or "two" in name:
            continue
        of, call = lines.of("run", name), lines.of("enqueue", calls.get(name, "-"))
        pair = " / ".join(f"{statistics.median(part[name]):.1f}" for part in (fifty, ninety_nine)) if name in fifty else ""
        cpu = " + ".join(f"{statistics.median([line[figure] * 1e6 / line['runs'] for line in of]):,.0f}" for figure in ("cpu_s", "cpu_s_postgres"))
        rows.append([name, shown(rates(of)), cpu, pair, shown(rates(call)) if call else ""])
    about = lines.about
    print("\n### For the README\n")
    print(f"Medians of {max(line['round'] for line in lines.of('run'))} interleaved rounds (smallest–largest): {about['date'][:10]}, {about['machine']}, "
          f"{about['postgres']}, {about['storage']}; " + ", ".join(f"{name} {version}" for name, version in about["versions"].items()) +
          f"; at most {max(line['others'] for line in lines.of('run')):.1f} cores busy with something else during a run.")
    table(["", f"no-op runs/s, {about['count']:,} queued", "CPU µs a run, worker + Postgres", "insert → handler, ms, p50 / p99", "batch enqueue, runs/s"], rows)


def main(path, svg=None):
    lines = Lines(path)
    of = {}
    for measure, report in (("run", throughput), ("latency", latencies), ("start", starts), ("enqueue", enqueues)):
        if lines.of(measure):
            report(lines)
    if lines.of("backlog"):
        of = backlogs(lines)
        backlog_table(of)
    if lines.of("run"):
        to_paste(lines)
        if svg and curves(lines):
            draw(svg, curves(lines), {name: [(queued, statistics.median(values)) for queued, values in points] for name, points in of.items()})
            print(f"\nPlot: {svg}\nJSON lines: {path}")


main(*sys.argv[1:])
