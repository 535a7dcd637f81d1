# report.py period PERIOD.json LOG: a period and what the log says of its claims, as one line of JSON. report.py all ROUNDS OUT: the table.
import json
import re
import sys

import figures

CLAIM = re.compile(r"duration: ([0-9.]+) ms  execute [^:]*: -- Claims up to")


def period(path, log):
    one = json.load(open(path, encoding="utf-8"))
    delays = one.pop("delays_ms")
    claims = [float(found) for found in CLAIM.findall(open(log, encoding="utf-8", errors="replace").read())]
    if not claims or not delays:
        sys.exit(f"report.py: {len(claims)} claims in the log, {len(delays)} runs: that is no measurement")
    for name, values in (("claim_ms", claims), ("delay_ms", delays)):
        one[name] = {"n": len(values), "p50": figures.percentile(values, 0.5), "p99": figures.percentile(values, 0.99), "max": max(values)}
    print(json.dumps(one))


def everything(path, out):
    rounds = [json.loads(line) for line in open(path, encoding="utf-8")]
    about = figures.environment("snapshot")
    quiet = rounds[0]
    rows = []
    for one in rounds:
        third = max(1, len(one["backlog"]) // 3)
        thirds = [one["backlog"][i * third:(i + 1) * third] for i in range(3)]
        rows.append([one["period"], f"{one['enqueued'] / one['seconds']:.0f}", " ".join(f"{max(part, default=0)}" for part in thirds),
                     *(f"{one['claim_ms'][key]:.2f}" for key in ("p50", "p99", "max")),
                     f"{one['claim_ms']['p99'] / quiet['claim_ms']['p99']:.2f}",
                     *(f"{one['delay_ms'][key]:.1f}" for key in ("p50", "p99", "max"))])
    print("\nAim: no growing backlog, and the p99 of a claim at most 2 times the quiet one.")
    figures.table(["period", "runs/s", "largest backlog, by thirds", "claim ms: p50", "p99", "max", "p99 to quiet", "enqueue → start ms: p50", "p99", "max"], rows)
    figures.write(out, [about, *rounds])


{"period": period, "all": everything}[sys.argv[1]](*sys.argv[2:])
