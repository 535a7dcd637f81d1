# report.py ROUNDS OUT: how long a drop took, and the longest completion in six seconds without one and around one.
import json
import sys

import figures


def main(path, out):
    rounds = [json.loads(line) for line in open(path, encoding="utf-8")]
    about = figures.environment("retention")
    pairs = zip(rounds[::2], rounds[1::2])
    figures.table(["finished runs", "MB", "drop (ms)", "commit, which removes the files (ms)", "longest completion without (ms)", "… and around it (ms)"],
                  [[f"{after['runs']:,}", f"{after['bytes'] / 1e6:,.0f}", f"{after['drop_ms']:.1f}", f"{after['commit_ms']:.1f}",
                    f"{before['longest_completion_ms']:.1f}", f"{after['longest_completion_ms']:.1f}"] for before, after in pairs])
    figures.write(out, [about, *rounds])


main(*sys.argv[1:])
