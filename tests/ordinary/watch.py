"""Watches a pool while it works: that its worker neither spins nor leaves a slot empty beside a run that could have it, that the end of a
handler is noticed, that SIGTERM is heard; and accounts for every run at the end. On a machine that is busy the watch itself comes late: so
much later may the worker be."""
import os
import threading
import time

from pool import computing_seconds

TICK_S = 0.5
SPIN = (0.35, 4.0)  # a share of a core, for so long; where there is no core to be had,
WANTS = (0.05, 0.9)  # this share, and this one of computing or waiting to compute
EMPTY_S = 3.0       # a slot beside a run that is due
NOTICE_S = 2.0      # the end of a handler
CANCEL_S = 5.0      # from dormouse.cancel() to the end of the handler
TERM_S = 10.0       # SIGTERM, with the pool's shutdown_grace behind it
ENDED = ("completed", "failed", "canceled")


class Watch:
    def __init__(self, pool, seconds):
        self.pool, self.end = pool, time.monotonic() + seconds
        self.begin = time.monotonic()
        self.took, self.trouble = 0.0, []
        self.wanted = {}  # run: (status, most attempts)
        self.grace = float(str(pool.settings["worker"].get("shutdown_grace", '"0s"')).strip('"').rstrip("s"))
        self.planned = threading.Event()
        self._cpu, self._busy, self._empty_since, self._late, self._told, self._canceled = {}, {}, None, [], set(), {}
        self._last = time.monotonic()

    # --- what the plan does ---------------------------------------------------------------------------------------------
    def enqueue(self, seconds, count=1, want="completed", attempts=1, **options):
        runs = [self.pool.enqueue(seconds() if callable(seconds) else seconds, **options) for _ in range(count)]
        self.wanted.update({run: (want, attempts) for run in runs})
        return runs

    def expect(self, run, want="completed", attempts=1):
        self.wanted[run] = (want, attempts)

    def cancel(self, run):
        """A run that is at work; its handler has to end."""
        if self.pool.ask("SELECT dormouse.cancel(%s)", run)[0][0].startswith("unchanged"):
            return
        self.wanted[run] = ("canceled", 1)
        self._canceled[run] = time.monotonic()
        self.pool.ring()

    def terminate(self):
        deaf = self.pool.terminate(TERM_S + self.grace + self.slack())
        if deaf:
            self.say(f"{deaf} of its workers did not hear SIGTERM")

    def until(self, happened, seconds=60):
        """False: it has not, in so long."""
        end = time.monotonic() + seconds
        while not happened():
            if time.monotonic() > end:
                return False
            time.sleep(0.05)
        return True

    def running(self, count):
        return self.until(lambda: self.pool.ask("SELECT count(*) FROM dormouse.runs WHERE status = 'running'")[0][0] >= count)

    # --- what is seen -----------------------------------------------------------------------------------------------------
    def say(self, text):
        self.trouble.append(f"{time.monotonic() - self.begin:.0f} s: {text}")

    def say_once(self, key, text):
        if key not in self._told:
            self._told.add(key)
            self.say(text)

    def slack(self):
        """How much later than on a machine at rest something may be: what the watch was late in the last ten seconds, four times, and
        where all have waited for a core to compute on all the time, ten seconds. A worker that is deaf is so for minutes."""
        with open("/proc/pressure/cpu", encoding="ascii") as pressure:
            waits = float(pressure.read().split("avg10=", 1)[1].split(None, 1)[0])
        return 4 * max(self._late[-20:], default=0) + max(0.0, waits - 50) / 5

    def run(self, plan):
        def go():
            try:
                plan(self)
            except Exception as error:  # of a thread: it is to be seen in the verdict
                self.say(f"the plan broke: {error!r}")
            self.planned.set()
        threading.Thread(target=go, daemon=True).start()
        while time.monotonic() < self.end and not (self.planned.is_set() and self.all_ended()):
            self.tick()
            time.sleep(TICK_S)  # how often it is looked
        self.terminate()
        self.took = time.monotonic() - self.begin
        self.account()
        return self.trouble

    def tick(self):
        now = time.monotonic()
        self._late.append(max(0.0, now - self._last - TICK_S))
        self._last = now
        self.pool.supervise()
        for worker in list(self.pool.workers):
            self._see_cpu(worker, now)
        self._see_slots(now)
        self._see_ends()
        self._see_canceled(now)

    def _see_cpu(self, worker, now):
        used, waited = computing_seconds(worker)
        before, wait, at = self._cpu.get(worker.pid, (used, waited, now))
        self._cpu[worker.pid] = (used, waited, now)
        share, wanted = used - before, used + waited - before - wait
        busy = share > SPIN[0] * (now - at) or share > WANTS[0] * (now - at) and wanted > WANTS[1] * (now - at)
        if not busy or now == at:
            self._busy.pop(worker.pid, None)
        elif now - self._busy.setdefault(worker.pid, at) >= SPIN[1]:
            self.say_once(("spin", worker.pid), f"the worker spins: {used:.1f} s on a core since its start, {waited:.1f} s waiting for one")

    def _see_slots(self, now):
        rows = self.pool.ask("SELECT task, count(*) FILTER (WHERE status = 'running'), count(*) FILTER (WHERE status <> 'running' AND run_at <= now())"
                             " FROM dormouse.runs WHERE status IN ('queued', 'retry', 'running') GROUP BY task")
        running = sum(row[1] for row in rows)
        slots = self.pool.concurrency * self.pool.workers_wanted
        waits = [task for task, at_work, due in rows if due and task in self.pool.tasks and at_work < self._cap(task)]
        if not waits or running >= slots or self.pool.stopped:
            self._empty_since = None
            return
        self._empty_since = self._empty_since or now
        if now - self._empty_since > EMPTY_S + self.slack():
            self.say(f"{running} of {slots} slots busy for {now - self._empty_since:.1f} s beside runs of {', '.join(waits)} that are due")
            self._empty_since = now + 3600

    def _cap(self, task):
        words = self.pool.tasks[task].split()
        return int(words[words.index("concurrency") + 2]) if "concurrency" in words else 1 << 30

    def _see_ends(self):
        marks = {name: os.stat(os.path.join(self.pool.marks, name)).st_mtime for name in os.listdir(self.pool.marks) if "." not in name}
        late = [run for run, at in marks.items() if time.time() - at > NOTICE_S + self.slack() and run not in self._told]
        if not late or self.pool.stopped:
            return
        for (run,) in self.pool.ask("SELECT id::text FROM dormouse.runs WHERE status = 'running' AND id = ANY (%s::uuid[])", late):
            self.say_once(run, f"the handler of {run} ended {time.time() - marks[run]:.1f} s ago, and is not noticed")

    def _see_canceled(self, now):
        for run, at in list(self._canceled.items()):
            if not lives(os.path.join(self.pool.marks, run + ".pid")):
                del self._canceled[run]
            elif now - at > CANCEL_S + self.slack():
                del self._canceled[run]
                self.say(f"{run} was cancelled {now - at:.1f} s ago, and its handler is still at work")

    # --- the account -------------------------------------------------------------------------------------------------------
    def all_ended(self):
        return self.ended([run for run, (want, _) in self.wanted.items() if want in ENDED])

    def ended(self, runs):
        return self.pool.ask("SELECT count(*) FROM dormouse.runs WHERE finished_at IS NOT NULL AND id = ANY (%s::uuid[])", runs)[0][0] == len(runs)

    def account(self):
        for mistake in self.pool.mistakes():
            self.say_once(mistake, f"the worker said{mistake}")
        rows = {row[0]: row[1:] for row in self.pool.ask("SELECT id::text, status, attempts, lost, cut_off, error->>'class' FROM dormouse.runs")}
        for run in sorted(set(rows) - set(self.wanted)):
            self.say(f"{run} is there, and nobody enqueued it")
        for run, (want, most) in self.wanted.items():
            status, attempts, lost, cut_off, error = rows.get(run, ("not there", 0, 0, 0, None))
            mark = os.path.join(self.pool.marks, run)
            ends = len(open(mark, encoding="ascii").readlines()) if os.path.exists(mark) else 0
            if status != want:
                self.say(f"{run} is {status} ({error}), not {want}")
            if attempts > most or lost or cut_off:
                self.say(f"{run}: {attempts} attempts of {most}, {lost} lost, {cut_off} cut off")
            if status == "completed" and ends != 1:
                self.say(f"{run} is completed, and its handler came to its end {ends} times")

    def summary(self):
        rows = self.pool.ask("SELECT status, count(*), max(attempts), round(max(extract(epoch FROM started_at - run_at)), 1) FROM dormouse.runs"
                             " GROUP BY status ORDER BY status")
        runs = ", ".join(f"{count} {status} (attempts ≤ {attempts}, waited ≤ {waited or 0} s)" for status, count, attempts, waited in rows)
        return f"{self.pool.name:10} {self.took:4.0f} s  {runs}; {self.pool.started} workers"


def lives(file):
    """Whether the process whose id stands in the file is there."""
    try:
        with open(file, encoding="ascii") as text, open(f"/proc/{int(text.read())}/stat", encoding="ascii", errors="replace") as stat:
            return stat.read().rsplit(")", 1)[1].split()[0] != "Z"
    except (OSError, ValueError):
        return False
