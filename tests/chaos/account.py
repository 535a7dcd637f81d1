"""The account: what was enqueued against what the database says, and both against the marks that handlers left outside it.
Pure: lists and dictionaries in, figures and findings out. A finding is a line of text, and each is a fault of somebody."""
import collections
import re
import time

TERMINAL = ("completed", "failed", "canceled")
BY_THE_WORKER = ("completed", "failed", "retry", "put_off", "handed_back", "cut_off")  # wrote the end itself: its tree was gone
FENCE = re.compile(r"fence=([0-9]+:[0-9a-f-]+)")


class Start:
    """The marks of one handler, which are those of one (run, fence)."""

    def __init__(self):
        self.starts, self.end, self.last, self.host, self.task = [], None, 0.0, "", ""


def read_marks(lines):
    booted = time.time() - time.clock_gettime(time.CLOCK_BOOTTIME)

    def epoch(at):
        return booted + float(at) if at.startswith("+") else float(at)  # light.sh
    found = collections.defaultdict(Start)
    torn = 0
    for line in lines:
        parts = line.split()
        if len(parts) != 7:
            torn += 1
            continue
        kind, run, fence, _, host, task, at = parts
        start = found[run, fence]
        start.host, start.task, start.last = host, task, max(start.last, epoch(at))
        if kind == "start":
            start.starts.append(epoch(at))
        elif kind == "end":
            start.end = epoch(at)
    return found, torn


class Account:
    def __init__(self, book, doubtful, rows, attempts, marks, frozen):
        """rows: id, task, status, fence ("N:worker"), result, error, finished; attempts: run, fence, outcome, started, ended, error; frozen:
        (host, from, to) in which a worker did not run; all times in seconds of the epoch."""
        self.book, self.doubtful, self.rows, self.attempts, self.marks, self.frozen = book, doubtful, rows, attempts, marks, frozen
        self.figures = {}
        self.findings = collections.defaultdict(list)
        self.by_run = collections.defaultdict(list)
        for attempt in attempts:
            self.by_run[attempt["run"]].append(attempt)
        self.by_fence = {(attempt["run"], attempt["fence"]): attempt for attempt in attempts}
        self.ends()
        self.stale()
        self.starts()
        self.overlaps()
        self.survivors()

    def ends(self):
        status = collections.Counter(row["status"] for row in self.rows)
        ids = collections.Counter(row["id"] for row in self.rows)
        lost = [run for run in self.book if run not in ids]
        self.findings["lost"] = [f"run {run} ({self.book[run]}) is nowhere" for run in lost]
        self.findings["twice in the table"] = [f"run {run}" for run, number in ids.items() if number > 1]
        self.findings["stuck"] = [f"run {row['id']} ({row['task']}) is {row['status']}" for row in self.rows if row["status"] not in TERMINAL]
        self.findings["wrong end"] = [
            f"run {row['id']} ({row['task']}) is {row['status']}: {row['error']}" for row in self.rows
            if row["status"] in TERMINAL and row["status"] != ("failed" if row["task"] == "doomed" else "completed")]
        known = {**self.doubtful, **self.book}
        self.findings["nobody enqueued it"] = [f"run {run}" for run in ids if run not in known]
        self.figures.update({
            "enqueued": len(self.book) + sum(run in ids for run in self.doubtful),
            "enqueued in doubt, and there": sum(run in ids for run in self.doubtful),
            "enqueued in doubt, and not there": sum(run not in ids for run in self.doubtful), "completed": status["completed"],
            "failed by their own policy": status["failed"], "lost": len(lost), "stuck": len(self.findings["stuck"])})

    def stale(self):
        """A result, or an error, of another fence than the one that was held when it was written."""
        for row in self.rows:
            said = row["result"].get("fence") if isinstance(row["result"], dict) else None
            if row["status"] == "completed" and said != row["fence"]:
                self.findings["stale accepted"].append(f"run {row['id']} is completed under fence {row['fence']} with the result of {said}")
        for attempt in self.attempts:
            said = FENCE.search(str(attempt["error"] or ""))
            if attempt["outcome"] in ("failed", "retry", "put_off") and said and said[1] != attempt["fence"]:
                self.findings["stale accepted"].append(f"attempt {attempt['fence']} of run {attempt['run']} has the error of {said[1]}")
        self.figures["stale writes accepted"] = len(self.findings["stale accepted"])

    def starts(self):
        outcomes = collections.Counter()  # with what ended a handler that did not end by itself
        silent = collections.Counter()
        for attempt in self.attempts:
            killed = isinstance(attempt["error"], dict) and attempt["error"].get("class") == "signal"
            outcomes[attempt["outcome"] + (", its handler was killed" if killed else "")] += 1
            if not self.marks.get((attempt["run"], attempt["fence"]), Start()).starts:
                silent[attempt["outcome"]] += 1
                if attempt["outcome"] in ("completed", "retry", "put_off") and not killed:  # killed: before it could
                    self.findings["ended and never started"].append(f"attempt {attempt['fence']} of run {attempt['run']}: {attempt['outcome']}")
        for (run, fence), start in self.marks.items():
            attempt = self.by_fence.get((run, fence))
            if attempt is None:
                self.findings["start without an attempt"].append(f"run {run}, fence {fence}, host {start.host}")
            if len(start.starts) > 1:
                self.findings["one claim started twice"].append(f"run {run}, fence {fence}, host {start.host}")
        self.figures["attempts"] = dict(outcomes)
        self.figures["attempts whose handler left no mark"] = dict(silent)
        self.figures["handlers started"] = sum(len(start.starts) for start in self.marks.values())

    def overlaps(self):
        """Two handlers of one run at the same time, and handlers started after somebody else had the run."""
        counts = collections.Counter()
        for run, attempts in self.by_run.items():
            attempts = sorted(attempts, key=lambda one: int(one["fence"].split(":")[0]))
            for older, newer in zip(attempts, attempts[1:]):
                first, second = self.marks.get((run, older["fence"])), self.marks.get((run, newer["fence"]))
                if not first or not first.starts:
                    continue
                if first.starts[0] > newer["started"]:
                    counts["started after the run was somebody else's"] += 1
                    self.explain(counts, "late start", run, older, first, newer["started"], first.starts[0])
                if second and second.starts and first.last > second.starts[0]:
                    counts["two handlers at once"] += 1
                    self.explain(counts, "overlap", run, older, first, second.starts[0], first.last)
        self.figures["overlaps"] = dict(counts)

    def explain(self, counts, what, run, older, first, begin, end):
        """The worker of the older one was frozen in between, or at least from then on until its lease had ended."""
        frozen = any(host == first.host and before < begin and after > older["started"] for host, before, after in self.frozen)
        counts[f"{what}: its worker was frozen" if frozen else f"{what}: unexplained"] += 1
        if not frozen:
            self.findings[what].append(f"run {run} ({first.task}), fence {older['fence']} on {first.host} ({older['outcome']}), for "
                                       f"{1000 * (end - begin):.0f} ms, claimed {begin - older['started']:.2f} s before the other")

    def survivors(self):
        for (run, fence), start in self.marks.items():
            attempt = self.by_fence.get((run, fence))
            if attempt and attempt["outcome"] in BY_THE_WORKER and attempt["ended"] and start.last > attempt["ended"]:
                self.findings["a process outlived its attempt"].append(
                    f"run {run} ({start.task}), fence {fence} on {start.host} ({attempt['outcome']}), "
                    f"by {1000 * (start.last - attempt['ended']):.0f} ms")
