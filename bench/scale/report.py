# report.py ROUNDS OUT SIZE: each operation in the small and in the large database, and what was aimed at; what misses it is bold.
import json
import statistics
import sys

import figures


def paired(lines):
    """{what: (aim, small, large)}, in the order of the lines."""
    found = {}
    for one in lines:
        if "size" not in one:
            continue
        figure = {"ms": statistics.median(one["times"]) if "times" in one else one["ms"], "cpu": one.get("cpu_ms"), "locks": one.get("locks")}
        found.setdefault(one["what"], {"aim": dict(part.split("=") for part in one["aim"].split())})[one["size"]] = figure
    return [(what, one["aim"], one["small"], one["large"]) for what, one in found.items() if "small" in one and "large" in one]


def judged(aim, small, large):
    """What was seen of each thing that was aimed at: (name, seen, most). Ratios of less than a tenth of a millisecond say nothing."""
    seen = {"ms": large["ms"], "ratio": max(large["ms"], 0.1) / max(small["ms"], 0.1), "locks": large["locks"]}
    return [(name, seen[name], float(most)) for name, most in aim.items()]


def shown(value, missed, digits):
    text = f"{value:,.{digits}f}"
    return f"**{text}**" if missed else text


def row(what, aim, small, large):
    missed = {name for name, seen, most in judged(aim, small, large) if seen > most}
    units = {"ms": "{} ms", "ratio": "{} ×", "locks": "{} locks"}
    locks = "" if small["locks"] is None else f"{small['locks']}; {shown(large['locks'], 'locks' in missed, 0)}"
    # of less the kernel's tick says nothing
    spent = "" if (large["cpu"] or 0) < 4 else f"{small['cpu']:,.2f}; {large['cpu']:,.2f}"
    return [what, f"{small['ms']:,.2f}", shown(large["ms"], "ms" in missed, 2), shown(large["ms"] / small["ms"], "ratio" in missed, 2), spent, locks,
            ", ".join("≤ " + units[name].format(most) for name, most in aim.items())]


def main(path, out, size):
    lines = [json.loads(line) for line in open(path, encoding="utf-8")]
    about = figures.environment("scale")
    print(f"\nLarge: {size}. Small: 1,000 live, one day. What misses its aim is bold.")
    figures.table(["", "small, ms", "large, ms", "ratio", "of that, the processor's", "locks", "aim"], [row(*one) for one in paired(lines)])
    figures.write(out, [about, {"large": size}, *lines])


if __name__ == "__main__":
    main(*sys.argv[1:])
