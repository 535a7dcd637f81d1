# report.py DIRECTORY OUT: the tables and the JSON lines of the smaps and status files in DIRECTORY.
import collections
import glob
import os
import re
import statistics
import subprocess
import sys

import figures

AIM_KB = 12 * 1024
COLUMNS = ["Rss", "Pss", "Private_Dirty"]


def mappings(path):
    """Sums of kB by mapped file; what has no file is the heap, a stack or other memory of its own."""
    sums = collections.defaultdict(collections.Counter)
    name = ""
    for line in open(path, encoding="utf-8"):
        head = re.match(r"[0-9a-f]+-[0-9a-f]+ \S+ \S+ \S+ \S+\s*(.*)", line)
        if head:
            name = os.path.basename(head[1]) or "anonymous (mmap, .bss, arenas)"
            continue
        key, value = line.split(":", 1)
        if key in COLUMNS:
            sums[name][key] += int(value.split()[0])
    return sums


def peak(path):
    return next(int(line.split()[1]) for line in open(path, encoding="utf-8") if line.startswith("VmHWM"))


def sections(path):
    """Sizes of the parts of a program that matter for its memory, from `size -A`."""
    return subprocess.run(["size", path], capture_output=True, text=True, check=True).stdout.splitlines()[1].split()[:3]


def main(directory, out):
    about = figures.environment("memory")
    objects = []
    last = {}
    rows = []
    for kind in sorted({os.path.basename(path).split(".")[0] for path in glob.glob(directory + "/*.smaps")}):
        paths = sorted(glob.glob(f"{directory}/{kind}.*.smaps"))
        sums = [mappings(path) for path in paths]
        last[kind] = sums[-1]
        one = {"what": kind, "unit": "kB", "n": len(paths)}
        for column in COLUMNS:
            values = [sum(each[column] for each in of.values()) for of in sums]
            one[column] = {"median": statistics.median(values), "min": min(values), "max": max(values)}
        one["peak"] = statistics.median(peak(path.replace(".smaps", ".status")) for path in paths)
        objects.append(one)
        rows.append([kind] + ["{median:.0f} ({min}–{max})".format(**one[column]) for column in COLUMNS] + [f"{one['peak']:.0f}"])
    figures.table(["kB, median (min–max)", "RSS", "PSS", "private dirty", "peak RSS"], rows)
    ours = next(one for one in objects if one["what"] == "worker")["Rss"]["median"]
    print(f"\nRSS of the idle worker: {ours / 1024:.1f} MB (aim: ≤ {AIM_KB // 1024} MB). PSS shares pages of libraries with the Postgres beside it.")

    print("\nWhere it is, the largest first:")
    listener = last["bare listener"]
    where = sorted(last["worker"].items(), key=lambda item: -item[1]["Rss"])
    figures.table(["kB", "RSS", "PSS", "private dirty", "RSS in the bare listener"],
                  [[name, *(str(sums[column]) for column in COLUMNS), str(listener[name]["Rss"])] for name, sums in where[:24]])
    objects += [{"what": "mapping of worker", "name": name, "unit": "kB", **sums} for name, sums in where]

    rows = []
    for name in ("dormouse", "dormouse-due"):
        path = f"{directory}/bin/{name}"
        text, data, bss = sections(path)
        rows.append([name, str(os.path.getsize(path)), text, data, bss])
        objects.append({"what": "stripped program", "name": name, "unit": "bytes", "file": os.path.getsize(path), "text": int(text)})
    print("\nStripped programs:")
    figures.table(["bytes", "file", "text", "data", "bss"], rows)
    figures.write(out, [about, *objects])


main(*sys.argv[1:])
