#!/usr/bin/python3
"""Writes docs/schema.md to stdout: types, defaults and signatures from sql/schema.sql, what they mean from here or from a COMMENT there.
A column or a granted function that is explained in neither is an error, and so is a name here that the schema no longer has."""
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
SCHEMA = (ROOT / "sql/schema.sql").read_text(encoding="utf-8")

COLUMNS = {
    "id": "The run's id: made by time, so it sorts by age.",
    "queue": "A pool executes runs of its own queues only.",
    "task": "Which handler executes it.",
    "attempts": "Attempts so far that count. Not counted: handed back, not started, retried later at the handler's wish.",
    "max_attempts": "Null: as the task says.",
    "timeout_ms": "Of each attempt. Null: as the task says.",
    "created_at": "",
    "key": "Unique for each task, also over finished runs, until retention removes the run.",
    "traceparent": "W3C trace context, for the handler.",
    "status": "`queued`, `running`, `retry` (waits for another attempt), `completed`, `failed`, `canceled`.",
    "started_at": "Of the last attempt.",
    "finished_at": "Set exactly when the status is `completed`, `failed` or `canceled`.",
    "archived_at": "Set by `archive`: `dormouse runs` leaves the run out.",
    "worker": "Which worker executes it, or executed it last.",
    "fence": "The fencing token of the present claim. Null unless it is running.",
    "lease_until": "Until when nobody else takes the run. Null unless it is running.",
    "result": "What the handler returned.",
    "error": 'An object with `class` and `message`.',
    "progress": "From 0 to 1, of the present or last attempt.",
    "progress_text": "",
    "exit_code": "Of the last attempt, where there was a process.",
    "signal": "That ended it.",
    "cpu_ms": "Of the last attempt, where it is known.",
    "peak_memory_bytes": "Of the last attempt, where it is known.",
    "watched": "Somebody waits for this run: its end is notified.",
    "lost": "Attempts that were lost with a worker that died while its host lived. From the second on the run is isolated from other such runs.",
    "cut_off": "Attempts that a worker ended because it could not extend the lease. The first 3 do not count as attempts.",
}
PRODUCER, OPERATOR, LISTENER = "producers", "operators", "whoever may use the schema"
FUNCTIONS = {
    "enqueue": (PRODUCER, "Enqueues one run in your transaction and returns its id. `run_at` or `delay` postpones it. If a run of this task and key exists, "
                "also a finished one, its id is returned and nothing is added. `watched`: the run's end is notified."),
    "enqueue_many": (PRODUCER, "Enqueues one run for each payload and returns the ids in the same order. `keys` has a key or null for each payload."),
    "result": (PRODUCER + ", " + OPERATOR, "How a run stands. No row: there is no such run, or it has been removed."),
    "cancel": (PRODUCER + ", " + OPERATOR, "Cancels a run that has not finished; the handler of a running one is ended, on whatever host. Returns `canceled`, "
               "`unchanged`, `locked` or `unknown`, mostly with `: ` and a reason."),
    "retry": (PRODUCER + ", " + OPERATOR, "Starts a finished run again, with all its attempts; a run in `retry` becomes due now. Returns `queued`, `due`, "
              "`unchanged`, `refused`, `locked` or `unknown`, mostly with `: ` and a reason."),
    "archive": (OPERATOR, "Hides a finished run from `dormouse runs`; cancels one that has not finished first."),
    "cancel_runs": (OPERATOR, "`cancel()` for all runs that match the filter, at most `max_runs` per call; pass `next` as `after` to go on. `locked` runs were left alone."),
    "retry_runs": (OPERATOR, "`retry()` for all that match; without a status, those that failed or wait for another attempt. The first is due at `first_at`, each "
                   "further one `spacing` later."),
    "archive_runs": (OPERATOR, "`archive()` for all that match; without a status, those that have finished."),
    "scale": (OPERATOR, "Has the workers of a pool execute so many runs at once for a while; null: as the pool's file says."),
    "listens": (LISTENER, "LISTENs to a queue in your session and returns the channel. Runs that were enqueued before may not be notified."),
    "notify_queue": (LISTENER, "Makes the workers of a queue look, as after COMMIT PREPARED."),
    "channel": (LISTENER, "The name of a topic's channel: `queue:NAME`, `worker:ID`, `pool:NAME`, `done`, `news`."),
    "make_default": ("the owner of the schema", "Makes missing default partitions again and returns their names."),
}


def stop(what):
    sys.exit(f"scripts/schema_page.py: {what}")


def plain(text):
    text = re.sub(r"::(timestamp with time zone|[a-z]+)(\[\])?", "", text).replace("timestamp with time zone", "timestamptz")
    return text.replace(' COLLATE pg_catalog."C"', "")


def comments(kind):
    return {name: text.replace("''", "'") for name, text in re.findall(rf"^COMMENT ON {kind} dormouse\.(\S+) IS '((?:[^']|'')*)';", SCHEMA, re.M)}


columns = re.search(r"^CREATE TABLE dormouse\.runs \(\n(.*?)\n\)", SCHEMA, re.M | re.S)[1]
columns = [re.match(r"    (\w+) (.*?),?$", line).groups() for line in columns.split("\n") if re.match(r"    [a-z]", line)]
said = {name.removeprefix("runs."): text for name, text in comments("COLUMN").items() if name.startswith("runs.")}
if unknown := COLUMNS.keys() - {name for name, _ in columns}:
    stop(f"dormouse.runs has no {', '.join(sorted(unknown))}")
print("""# The schema

What is in the schema `dormouse` for your own SQL. `scripts/schema_page.py` writes this page from `sql/schema.sql`, which has everything; what is not here
belongs to the workers and may change with any release. Which role may do what is in [security](security.md).

## dormouse.runs

""" + comments("TABLE")["runs"] + """ Plain `INSERT`, `UPDATE`, `DELETE` and `SELECT` are safe at any time. You may [add columns](configuration.md#columns-of-your-own).

| column | type | |
|---|---|---|""")
for name, kind in columns:
    text = COLUMNS.get(name, said.get(name))
    if text is None:
        stop(f"dormouse.runs.{name} has no explanation; a COMMENT, or a line in COLUMNS")
    kind = plain(kind)
    print(f"| `{name}` | {kind.replace(' NOT NULL', '').replace(' DEFAULT ', ', default ')} | {text} |")
print("\n## Functions\n")
granted = set(re.findall(r"dormouse\.(\w+)", " ".join(re.findall(r"GRANT EXECUTE ON FUNCTION ([^;]*?)\s+TO [^;]*dormouse_(?:producer|operator)",
                                                                   (ROOT / "sql/roles.sql").read_text(encoding="utf-8")))))
INTERNAL = {"release_worker", "forget_workers", "watch", "finishes_within", "finished_at", "run", "attempts_of", "logs_of", "partitions_of"}  # the command's own
if missing := granted - FUNCTIONS.keys() - INTERNAL:
    stop(f"{', '.join(sorted(missing))} of sql/roles.sql has no explanation; a line in FUNCTIONS, or in INTERNAL")
for name, (who, text) in FUNCTIONS.items():
    found = re.search(rf"^CREATE FUNCTION dormouse\.{name}\((.*)\) RETURNS (.*)$", SCHEMA, re.M) or stop(f"there is no function dormouse.{name}")
    arguments = plain(found[1]).replace(" DEFAULT NULL", " = null").replace(" DEFAULT ", " = ")
    print(f"**`dormouse.{name}({arguments})`** returns `{plain(found[2])}`. For {who}. {text}\n")
print("## Views\n\n| view | |\n|---|---|")
for name, text in sorted(comments("VIEW").items()):
    print(f"| `dormouse.{name}` | {text} |")
print("\n## Other tables\n\n| table | |\n|---|---|")
for name, text in sorted(comments("TABLE").items()):
    if name != "runs":
        print(f"| `dormouse.{name}` | {text} |")
