# The table of ./dev bench handlers, from its JSON lines: medians of the rounds, beside floor and aim.
import json
import os
import statistics
import sys

from figures import processor, table


def main(path):
    with open(path, encoding="utf-8") as file:
        lines = [json.loads(line) for line in file]

    def of(what, figure):
        return [line["figures"][figure] for line in lines if line["what"] == what]

    def ratio(what, floor):  # of each round with its own floor: the machine is not the same from minute to minute
        return statistics.median(ours / least for ours, least in zip(of(what, "per_s"), of(floor, "per_s")))

    rows = []
    for what, floor, name, aim in (
            ("exec 2", "exec 2 floor", "exec /bin/true, 2 at once", "0.75"),
            ("exec 2 cgroup", "exec 2 floor", "the same with a cgroup for each run", "0.75"),
            ("exec 4", "exec 4 floor", "exec /bin/true, 4 at once", "0.75"),
            ("exec 4 cgroup", "exec 4 floor", "the same with a cgroup for each run", "0.75"),
            ("warm 1", "warm 1 floor", "warm, 2 Python processes (noop.py, by hand)", "10,000/s and 0.8"),
            ("warm 8", "warm 8 floor", "the same with 8 unanswered runs each", "0.8"),
            ("python", "python floor", "warm, 2 processes with the client for Python", "10,000/s and 0.8"),
            ("node", "node floor", "warm, 2 processes with the client for Node", "0.8")):
        if not of(what, "per_s"):
            rows.append([name, "not measured here"] + [""] * 6)
            continue
        middle = [statistics.median(of(one, "per_s")) for one in (what, floor)]
        cpu = [statistics.median(of(one, "cpu_us")) for one in (what, floor)]
        rows.append([name, f"{middle[0]:,.0f}", f"{middle[1]:,.0f}", f"{ratio(what, floor):.2f}", aim,
                     " ".join(f"{value:,.0f}" for value in of(what, "per_s")), f"{cpu[0]:,.1f}", f"{cpu[1]:,.1f}"])
    table(["", "runs/s", "floor", "share of it", "aim", "each round", "CPU for a run, µs", "of the floor"], rows)
    print("\nThe floor of exec is posix_spawn and wait, without a cgroup; that of warm the same processes on bare sockets. CPU is that of the"
          " driving process\nand of children that have ended: /bin/true counts, warm processes do not.")

    rows = []
    least = of("in-process alone", "p50_us")
    for what, name, aim in (("in-process alone", "in-process", ""), ("warm alone floor", "bare socket, noop.py", ""),
                            ("warm alone", "warm, noop.py", "0.3"), ("python alone", "warm, the client for Python", "0.3"),
                            ("node alone", "warm, the client for Node", "0.3")):
        if of(what, "p50_us"):
            added = statistics.median(ours - base for ours, base in zip(of(what, "p50_us"), least))
            rows.append([name, *(f"{statistics.median(of(what, figure)) / 1e3:.3f}" for figure in ("p50_us", "p99_us")),
                         f"{added / 1e3:.3f}" if what != "in-process alone" else "", aim])
    table(["one run at a time, ms", "p50", "p99", "p50 more than in-process", "aim"], rows)
    with open("/proc/loadavg", encoding="utf-8") as file:
        after = file.read().split()[0]
    print(f"\n{os.cpu_count()} cores {processor().strip()}, begun {os.environ['BENCH_BEGAN']}, load before"
          f" {os.environ['BENCH_LOAD'].split()[0]}, after {after} (with the benchmark itself)")


main(sys.argv[1])
