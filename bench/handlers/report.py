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

    def ratio(what, figure):  # of each round with its own floor: the machine is not the same from minute to minute
        return statistics.median(ours / floor for ours, floor in zip(of(what, figure), of(what + " floor", figure)))

    rows = []
    for what, name, aim in (
            ("exec 2", "exec /bin/true, 2 at once", "0.75"), ("exec 4", "exec /bin/true, 4 at once", "0.75"),
            ("warm 1", "warm, 2 Python processes", "10,000/s and 0.8"),
            ("warm 8", "warm, 2 Python processes with 8 unanswered runs", "0.8")):
        rows.append([name, f"{statistics.median(of(what, 'per_s')):,.0f}", f"{statistics.median(of(what + ' floor', 'per_s')):,.0f}",
                     f"{ratio(what, 'per_s'):.2f}", aim, " ".join(f"{value:,.0f}" for value in of(what, "per_s"))])
    table(["", "runs/s", "floor", "share of it", "aim", "each round"], rows)

    ours, floor = (statistics.median(of(what, "p50_us")) for what in ("warm alone", "warm alone floor"))
    tail, floor_tail = (statistics.median(of(what, "p99_us")) for what in ("warm alone", "warm alone floor"))
    table(["one warm run at a time, ms", "warm", "bare socket", "added", "aim"],
          [["p50", f"{ours / 1e3:.3f}", f"{floor / 1e3:.3f}", f"{(ours - floor) / 1e3:.3f}", "0.3"],
           ["p99", f"{tail / 1e3:.3f}", f"{floor_tail / 1e3:.3f}", f"{(tail - floor_tail) / 1e3:.3f}", ""]])
    with open("/proc/loadavg", encoding="utf-8") as file:
        after = file.read().split()[0]
    print(f"\n{os.cpu_count()} cores {processor().strip()}, begun {os.environ['BENCH_BEGAN']}, load before"
          f" {os.environ['BENCH_LOAD'].split()[0]}, after {after} (with the benchmark itself)")


main(sys.argv[1])
