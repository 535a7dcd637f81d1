#!/usr/bin/python3
"""Writes docs/schema.md to stdout: types, defaults and signatures from sql/schema.sql, what they mean from here or from a COMMENT there.
A column or a granted function that is explained in neither is an error, and so is a name here that the schema no longer has."""
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
SCHEMA = (ROOT / "sql/schema.sql").read_text(encoding="utf-8")

COLUMNS = {
    "id": "The run's id. Ids sort by time.",
    "queue": "A pool executes only runs of its own queues.",
    "task": "The task, which determines the handler.",
    "attempts": "The attempts so far. Not counted: handed back, canceled, not started, postponed by the handler.",
    "max_attempts": "Null: the task's setting.",
    "timeout_ms": "Timeout of each attempt. Null: the task's setting.",
    "created_at": "",
    "key": "Unique per task, finished runs included, until retention removes the run.",
    "traceparent": "W3C trace context, for the handler.",
    "status": "`queued`, `running`, `retry` (waits for another attempt), `completed`, `failed`, `canceled`.",
    "started_at": "Start of the last attempt.",
    "finished_at": "Set if and only if the status is `completed`, `failed` or `canceled`. From 1970 to 9999.",
    "archived_at": "Set by `archive`, which hides the run from `dormouse runs`.",
    "worker": "The worker that executes it, or executed it last.",
    "fence": "The fencing token of the current claim. Null unless the run is running.",
    "lease_until": "When the lease expires. Null unless the run is running.",
    "result": "What the handler returned.",
    "error": 'An object with `class` and `message`.',
    "progress": "From 0 to 1, of the current or last attempt.",
    "progress_text": "",
    "exit_code": "Exit code of the last attempt, if it had a process.",
    "signal": "The signal that killed it.",
    "cpu_ms": "CPU time of the last attempt, if known.",
    "peak_memory_bytes": "Peak memory of the last attempt, if known.",
    "watched": "Whether a client waits for this run: its end is notified.",
    "lost": "How often the run was lost with a worker that died while its host kept running. After the second time the run is isolated from other such runs.",
    "cut_off": "Attempts that a worker stopped because it could not extend the lease. The first 3 do not count as attempts.",
}
PRODUCER, OPERATOR, LISTENER = "producers", "operators", "roles that may use the schema"
FUNCTIONS = {
    "enqueue": (PRODUCER, "Enqueues one run in your transaction and returns its id. `run_at` or `delay` postpones it. If the task "
                "already has a run with this key, finished or not, its id is returned and no run is added. `watched`: the run's end is notified."),
    "enqueue_many": (PRODUCER, "Enqueues one run per payload and returns the ids in the same order. `keys` has a key or null for each payload."),
    "result": (PRODUCER + ", " + OPERATOR, "Returns the status and result of a run. No row: there is no such run, or it has been removed."),
    "cancel": (PRODUCER + ", " + OPERATOR, "Cancels an unfinished run; the handler of a running one is stopped, on whatever host. Returns `canceled`, "
               "`unchanged`, `locked` or `unknown`, usually followed by `: ` and a reason."),
    "retry": (PRODUCER + ", " + OPERATOR, "Starts a finished run again, with all its attempts; a run in `retry` becomes due now. Returns `queued`, `due`, "
              "`unchanged`, `refused`, `locked` or `unknown`, usually followed by `: ` and a reason."),
    "archive": (OPERATOR, "Hides a run from `dormouse runs`; an unfinished one is canceled first."),
    "cancel_runs": (OPERATOR, "`cancel()` for all runs that match the filter, at most `max_runs` per call; pass `next` as `after` to continue. `locked` runs were skipped."),
    "retry_runs": (OPERATOR, "`retry()` for all that match; without a status, runs that failed or wait for another attempt. The first is due at `first_at`, each "
                   "further one `spacing` later."),
    "archive_runs": (OPERATOR, "`archive()` for all that match; without a status, all finished runs."),
    "scale": (OPERATOR, "Sets how many runs the workers of a pool execute at once for a while; null: the setting of the pool's file."),
    "listens": (LISTENER, "LISTENs to a queue in your session and returns the channel. Runs that were enqueued before may not be notified. Fails (55P03) while a foreign session holds the queue's advisory lock."),
    "notify_queue": (LISTENER, "Makes the workers of a queue look, as after COMMIT PREPARED."),
    "channel": (LISTENER, "The name of a topic's channel: `queue:NAME`, `worker:ID`, `pool:NAME`, `done`, `news`."),
    "make_default": ("the owner of the schema", "Recreates missing default partitions and returns their names."),
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

The part of the schema `dormouse` that your own SQL may use. Everything else in `sql/schema.sql` belongs to the workers and may change in any release.
[Security](security.md) describes the roles. This page is generated by `scripts/schema_page.py`.

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
