# report.py ROUNDS OUT: runs per second of each way, the median of the rounds.
import json
import statistics
import sys

import figures

NAMES = {
    "floor": "COPY into a bare table (no index, no trigger)",
    "copy": "COPY into dormouse.runs",
    "from": "enqueue --from",
    "many": "enqueue_many(), 1,000 a call",
    "keyed": "enqueue --from, each line with a key",
}


def main(path, out):
    rounds = [json.loads(line) for line in open(path, encoding="utf-8")]
    about = figures.environment("enqueue")
    rates = {way: [one["runs"] / one["s"] for one in rounds if one["way"] == way] for way in NAMES}
    most = statistics.median(rates["copy"])
    figures.table(["", "runs/s (smallest–largest)", "to COPY into dormouse.runs"],
                  [[name, f"{statistics.median(rates[way]):,.0f} ({min(rates[way]):,.0f}–{max(rates[way]):,.0f})",
                    f"{statistics.median(rates[way]) / most:.2f}"] for way, name in NAMES.items()])
    figures.write(out, [about, *rounds])


main(*sys.argv[1:])
