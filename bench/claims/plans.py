# plans.py SHAPE ROWS PLANS SKIP: what EXPLAIN (FORMAT JSON) has printed, one plan after the other, as one line of JSON: medians without the first SKIP.
import json
import statistics
import sys


def main(shape, rows, path, skip):
    decoder = json.JSONDecoder()
    text = open(path, encoding="utf-8").read()
    plans, at = [], text.find("[")
    while at >= 0:
        plan, end = decoder.raw_decode(text, at)
        plans.append(plan[0])
        at = text.find("[", end)
    plans = plans[int(skip):]
    buffers = [plan["Plan"]["Shared Hit Blocks"] + plan["Plan"]["Shared Read Blocks"] for plan in plans]
    print(json.dumps({"shape": shape, "rows": rows, "claimed": min(plan["Plan"]["Actual Rows"] for plan in plans),
                      "buffers": statistics.median(buffers), "ms": statistics.median(plan["Execution Time"] for plan in plans)}))


main(*sys.argv[1:])
