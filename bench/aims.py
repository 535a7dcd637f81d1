"""aims.py DIRECTORY: what was aimed at beside what the JSON lines in DIRECTORY (build/bench) say, as one Markdown table. Ratios are of the same
round, median (smallest–largest): the machine is not the same from minute to minute. history.py keeps them."""
import json
import pathlib
import statistics
import sys

sys.path.append(str(pathlib.Path(__file__).parent / "scale"))
sys.path.append(str(pathlib.Path(__file__).parent / "common"))
import report as scale_report


def percentile(values, share):
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, round(share * (len(ordered) - 1)))]


def spread(values):
    values = list(values)
    middle = f"{statistics.median(values):.2f}"
    return middle if len(values) < 2 else f"{middle} ({min(values):.2f}–{max(values):.2f})"


def lines_of(directory, name):
    path = directory / f"{name}.jsonl"
    if not path.exists():
        return None
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


# Each of these yields [what, aim, seen]: seen is a list of ratios, one for each round, or a text. "… " goes on from the line before.
def peers(lines):
    def of(measure, subject, figure):
        return [figure(one) for one in lines if one.get("measure") == measure and one.get("subject") == subject]

    def row(what, aim, measure, ours, theirs, figure):
        pairs = list(zip(of(measure, ours, figure), of(measure, theirs, figure)))
        return [what, aim, [a / b for a, b in pairs] or "not measured"]

    def rate(one):
        return one["runs"] / one["seconds"]

    def latency(share):
        return lambda one: percentile([pair[1] for pair in one["us"]], share)

    batch = next(one["batch"] for one in lines if one["measure"] == "about")
    for what, ours in (("default", "dormouse default"), ("tuned", "dormouse tuned")):
        yield row(f"no-op runs/s, {what}, to graphile-worker tuned", "≥ 1.0", "run", ours, "graphile-worker tuned", rate)
        yield row(f"… to pg-boss tuned", "≥ 2", "run", ours, "pg-boss tuned", rate)
        for sessions in ("1 connection", "2 connections"):
            yield row(f"… to a ceiling program with our columns and statements, {sessions}, batch {batch:,}", "≥ 0.75", "run", ours,
                      f"ceiling dormouse: {sessions}, one transaction, batch {batch:,}", rate)
    yield row("… default to tuned", "≥ 0.9", "run", "dormouse default", "dormouse tuned", rate)
    yield row("insert → handler, p50, to graphile-worker tuned", "≤ 0.9", "latency", "dormouse default", "graphile-worker tuned", latency(0.5))
    yield row("… p99", "≤ 1.0", "latency", "dormouse default", "graphile-worker tuned", latency(0.99))
    yield row("start → LISTEN, p50, to a bare C program", "≤ 1.5", "start", "dormouse worker", "C and libpq", lambda one: percentile(one["ms"], 0.5))
    for call in ("dormouse.enqueue_many, libpq", "dormouse.enqueue_many, node-postgres", "dormouse enqueue --from (COPY)"):
        yield row(f"batch enqueue, {call}, to addJobs", "≥ 1.2", "enqueue", call, "graphile-worker: addJobs", rate)


def producers(lines):
    tps = {(one["state"], one["clients"], one["round"]): one for one in lines if "state" in one}
    rounds = sorted({number for _, _, number in tps})
    for clients in sorted({count for state, count, _ in tps if state == "promised"}):
        promised = [tps["promised", clients, number] for number in rounds]
        yield [f"what {clients} producer{'s' if clients > 1 else ''} keep of their rate while the worker is busy with their runs", "≥ 0.75",
               [one["tps"] / tps["busy_elsewhere", clients, one["round"]]["tps"] for one in promised]]
        yield ["… notifications heard while promised", "0", ", ".join(str(one["heard"]) for one in promised)]


def claims(lines):
    smallest = {}
    for one in lines:
        if "shape" not in one:
            continue
        base = smallest.setdefault(one["shape"], one)
        if one is not base:
            yield [f"claim: {one['shape']}, {one['rows']}: buffers, to {base['rows']}", "≤ 1.2" if "queues" in one["shape"] else "≤ 1.1",
                   [one["buffers"] / base["buffers"]]]
            yield ["… time", "≤ 1.3", [one["ms"] / base["ms"]]]


def snapshot(lines):
    quiet, *others = [one for one in lines if "period" in one]
    for one in others:
        part = max(1, len(one["backlog"]) // 3)
        yield [f"{one['enqueued'] / one['seconds']:.0f} runs/s, a snapshot is {one['period']}: p99 of a claim, to quiet", "≤ 2",
               [one["claim_ms"]["p99"] / quiet["claim_ms"]["p99"]]]
        yield ["… largest backlog in each third of the time", "does not grow", ", ".join(str(max(one["backlog"][i * part:(i + 1) * part])) for i in range(3))]


def retention(lines):
    drops = [one for one in lines if one.get("completions") == "beside"]
    yield ["a day of finished runs is dropped, ms with locks held", "the same for all sizes",
           "; ".join(f"{one['runs']:,} runs: {one['drop_ms']}" for one in drops)]
    yield ["… longest completion beside it, ms (without it)", "not longer",
           "; ".join(f"{one['longest_completion_ms']} ({next(other['longest_completion_ms'] for other in lines if other.get('runs') == one['runs'] and other['completions'] == 'alone')})"
                     for one in drops)]


def scale(lines):
    for what, aim, small, large in scale_report.paired(lines):
        for name, seen, most in scale_report.judged(aim, small, large):
            if name == "ratio":
                yield [f"scale: {what}: large to small", f"≤ {most}", [seen]]
            else:
                yield [f"scale: {what}: {name}, large", f"≤ {most:g} {name}", f"{seen:,.1f}"]


PARTS = (peers, producers, claims, snapshot, retention, scale)


def main(directory):
    directory = pathlib.Path(directory)
    print("\n| measure | aim | seen |\n|---|---|---|")
    for part in PARTS:
        lines = lines_of(directory, part.__name__)
        for what, aim, seen in part(lines) if lines else [[f"./dev bench {part.__name__}", "", "not measured"]]:
            print(f"| {what} | {aim} | {seen if isinstance(seen, str) else spread(seen)} |")


if __name__ == "__main__":
    main(*sys.argv[1:])
