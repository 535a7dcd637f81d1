"""history.py record DIRECTORY HISTORY | gate HISTORY: ratios over time. `record` appends those of aims.py that DIRECTORY (build/bench) holds to
HISTORY (bench/history), a JSON line for each, but not what a busy machine has measured; `gate` ends with 1 if the last one of a bench is more than
15 % worse than the median of those before it on the same machine."""
import json
import pathlib
import statistics
import subprocess
import sys

import aims

MUCH = 0.15


def git(*arguments):
    return subprocess.run(["git", "-C", str(pathlib.Path(__file__).parent), *arguments], capture_output=True, text=True, check=False).stdout.strip()


def ratios(part, lines):
    """(measure, better, ratio) of all that were seen as ratios; a measure "… more" is named with the line before."""
    begin = ""
    for what, aim, seen in part(lines):
        begin = begin if what.startswith("…") else what
        name = f"{begin} {what}" if what.startswith("…") else what
        if not isinstance(seen, str) and seen and aim[0] in "≥≤":
            yield name, "more" if aim[0] == "≥" else "less", round(statistics.median(seen), 3)


def read(path):
    found = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines() if path.exists() else [], 1):
        try:
            one = json.loads(line)
            found.append({**one, "ratio": float(one["ratio"]), "key": (one["machine"], one["bench"], one["measure"]), "less": one["better"] == "less"})
        except (ValueError, KeyError, TypeError) as error:
            sys.exit(f"{path}:{number}: not a line of history ({error!r}): take it out, or put it right")
    return found


def busy(about):
    """The load that was there before, if it was more than half of the processors."""
    load = float(about.get("load_before", "0").split()[0])
    return load if load > float(about["machine"].split()[0]) / 2 else None


def record(directory, history):
    directory, history = pathlib.Path(directory), pathlib.Path(history)
    known = {(one["date"], *one["key"]) for one in read(history)}
    commit = git("rev-parse", "--short=12", "HEAD") + ("+" if git("status", "--porcelain", "--untracked-files=no") else "")
    with open(history, "a", encoding="utf-8") as file:
        for part in aims.PARTS:
            bench = part.__name__
            lines = aims.lines_of(directory, bench) or []
            about = next((line for line in lines if "machine" in line), None)
            if about and busy(about):
                print(f"{bench}: not recorded: the load was {busy(about):g} before it; measure it on a machine that does nothing else")
                continue
            for measure, better, ratio in ratios(part, lines) if about else []:
                if (about["date"], about["machine"], bench, measure) not in known:
                    file.write(json.dumps({"date": about["date"], "commit": commit, "machine": about["machine"], "bench": bench, "measure": measure,
                                           "better": better, "ratio": ratio}, ensure_ascii=False) + "\n")


def worse(series):
    """By how much the last one is worse than the median of those before it; 0.2: by 20 %."""
    *earlier, last = series
    if not earlier:
        return 0.0
    middle = statistics.median(one["ratio"] for one in earlier)
    if middle <= 0:
        return 0.0
    return (last["ratio"] / middle - 1) * (1 if last["less"] else -1)


def gate(history):
    history = pathlib.Path(history)
    series = {}
    for one in read(history):
        series.setdefault(one["key"], []).append(one)
    bad = 0
    for (machine, bench, measure), those in series.items():
        by = worse(those)
        if by > MUCH:
            bad += 1
            earlier = statistics.median(one["ratio"] for one in those[:-1])
            print(f"{bench}: {measure}: {those[-1]['ratio']:g} at {those[-1]['commit']} ({those[-1]['date']}), {by:.0%} worse than {earlier:g}, "
                  f"the median of {len(those) - 1} before it on {machine}; measure it again on a machine that does nothing else, "
                  f"or look at what changed since {those[-2]['commit']}")
    compared = sum(len(those) > 1 for those in series.values())
    print(f"{compared} of {len(series)} ratios in {history} have some before them; {bad} worse by more than {MUCH:.0%}")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit({"record": record, "gate": gate}[sys.argv[1]](*sys.argv[2:]))
