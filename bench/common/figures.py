# What the reports share: figures of a list of values, Markdown tables, and where and when it was measured.
import json
import os
import platform
import subprocess


def percentile(values, share):
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, round(share * (len(ordered) - 1)))]


def figures(values, rounds=3):
    """p50, p99, smallest, largest, and the p50 of each round, so that one can see how steady they are."""
    size = max(1, len(values) // rounds)
    parts = [values[i * size:(i + 1) * size] for i in range(min(rounds, len(values)))]
    return {"n": len(values), "p50": percentile(values, 0.5), "p99": percentile(values, 0.99), "min": min(values),
            "max": max(values), "p50_of_rounds": [percentile(part, 0.5) for part in parts]}


def table(head, rows):
    print("\n| " + " | ".join(head) + " |\n|" + "---|" * len(head))
    for row in rows:
        print("| " + " | ".join(row) + " |")


def milliseconds(rows):
    """rows: (name, list of ms). Prints the table and gives the JSON objects."""
    lines = []
    objects = []
    for name, values in rows:
        if not values:
            continue
        of = figures(values)
        objects.append({"what": name, "unit": "ms", **{key: rounded(value) for key, value in of.items()}})
        lines.append([name, f"{of['p50']:.2f}", f"{of['p99']:.2f}", f"{of['min']:.2f}", f"{of['max']:.2f}",
                      " ".join(f"{value:.2f}" for value in of["p50_of_rounds"])])
    table(["ms", "p50", "p99", "min", "max", "p50 of each round"], lines)
    return objects


def rounded(value):
    return [rounded(one) for one in value] if isinstance(value, list) else round(value, 3)


def first_line(*command):
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()[0]
    except (OSError, subprocess.CalledProcessError, IndexError):
        return "not there"


def processor():
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        return next((line.split(":")[1].strip() for line in file if line.startswith("model name")), platform.machine())


def environment(bench):
    with open("/proc/loadavg", encoding="utf-8") as file:
        load = file.read().split()
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") >> 30
    about = {
        "bench": bench,
        "date": os.environ["BENCH_BEGAN"],
        "machine": f"{os.cpu_count()} × {processor()}, {memory} GB",
        "kernel": platform.release(),
        "systemd": first_line("systemctl", "--version"),
        "postgres": first_line(os.environ["BENCH_POSTGRES"], "--version"),
        "dormouse": first_line(os.environ["BENCH_DORMOUSE"], "version"),
        "storage": os.environ.get("BENCH_STORAGE", ""),
        "load_before": " ".join(os.environ["BENCH_LOAD"].split()[:3]),
        "load_after": " ".join(load[:3]),
    }
    print(f"## dormouse bench {bench}\n")
    for key, value in about.items():
        if value and key != "bench":
            print(f"- {key.replace('_', ' ')}: {value}")
    if max(float(about["load_before"].split()[0]), float(load[0])) > os.cpu_count() / 2:
        print("- **the machine was busy with other things while this was measured**")
    return about


def write(path, objects):
    with open(path, "w", encoding="utf-8") as file:
        for one in objects:
            file.write(json.dumps(one, ensure_ascii=False) + "\n")
    print(f"\nJSON lines: {path}")
