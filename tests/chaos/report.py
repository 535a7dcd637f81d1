"""The account as a table for people and as JSON lines for machines."""
import collections
import json

# Said, and no failure: on a machine that stands still for half a second a worker cannot end its handlers before their lease.
# What such a handler writes is refused, and that is looked at.
FORGIVEN = ("overlap", "late start")
LEAST_STALE = 50


def sound(findings):
    return not any(lines for what, lines in findings.items() if what not in FORGIVEN)


def refused(events):
    """Writes with an old fence that workers tried and the database refused, by the event that tells. Who only asks whether he still has
    a run, and is told that he has not, has written nothing."""
    names = {"result_refused": "endings refused", "extension_refused": "extensions refused"}
    return dict(collections.Counter(names[event["event"]] for event in events if event["event"] in names))


def too_few(stale, seconds):
    """That none was accepted says little when few were tried; a short run can do no better."""
    tried = sum(stale.values())
    return [f"{tried} in {seconds:.0f} s, {LEAST_STALE} were wanted"] if seconds >= 600 and tried < LEAST_STALE else []


def rows_of(figures):
    for name, value in figures.items():
        if isinstance(value, dict):
            for part, number in sorted(value.items()):
                yield f"{name}: {part}", number
            if not value:
                yield name, 0
        else:
            yield name, value


def write(directory, header, figures, findings, plan, events):
    with open(f"{directory}/chaos.jsonl", "w", encoding="utf-8") as file:
        file.write(json.dumps({"kind": "run", **header}) + "\n")
        file.write(json.dumps({"kind": "figures", **figures}) + "\n")
        for event in plan:
            file.write(json.dumps({"kind": "event", **vars(event)}) + "\n")
        for what, lines in findings.items():
            for line in lines:
                file.write(json.dumps({"kind": "finding", "what": what, "text": line}) + "\n")
    with open(f"{directory}/journal.jsonl", "w", encoding="utf-8") as file:
        for event in sorted(events, key=lambda one: one["time"]):
            file.write(json.dumps(event) + "\n")
    table = ["| | " + ", ".join(f"{name} {value}" for name, value in header.items()) + " |", "|---|---:|"]
    table += [f"| {name} | {value} |" for name, value in rows_of(figures)]
    table += [f"| **{what}** | {len(lines)} |" for what, lines in findings.items() if lines]
    with open(f"{directory}/chaos.md", "w", encoding="utf-8") as file:
        file.write("\n".join(table) + "\n")
    print("\n".join(table))
    for what, lines in findings.items():
        for line in lines[:10]:
            print(f"FOUND {what}: {line}")
        if len(lines) > 10:
            print(f"FOUND {what}: … {len(lines) - 10} more in {directory}/chaos.jsonl")
