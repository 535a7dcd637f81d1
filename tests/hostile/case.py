"""One hostile case: a pool, what is done to it, and what has to hold all the same. The innocent runs are done in time, the worker's session is
not given up for what one run is to blame for, each guilty run ends or is put back with an error that names the reason, and its id is in the
log; SIGTERM is heard, and memory stays small."""
import os
import re
import threading
import time

import psycopg2

from harms import BODIES
from pool import Pool

INNOCENT_EVERY_S = 0.2
HARM_S = 9.0        # so long innocent runs come
DUE_S = 5.0         # they are done so long after they are due, on a machine at rest
PATIENCE_S = 15.0   # for what has not been done at the end
TERM_S = 10.0
MEMORY_KB = 200 * 1024
# What a run is told for which the database or a limit has refused something; its id is in the log then.
REFUSED = {"payload_rejected", "payload_too_large", "result_rejected", "result_too_large", "message_too_large", "follow_up_rejected", "trigger_refused"}
# What becomes of runs without that.
ORDINARY = {"exit", "signal", "timeout", "lost", "attempts_used_up", "spawn", "C", "snooze"}
BAD = """#!/bin/bash
cat >/dev/null
cd "{directory}" || exit 1
[ ! -e cried ] || cat cried >&2
[ ! -e printed ] || cat printed
[ ! -e said ] || cat said >&3
[ ! -e code ] || exit "$(cat code)"
"""
TERMINATE = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"


class Case:
    def __init__(self, base, number, chance, harms):
        self.number, self.chance = number, chance
        self.guilty, self.refused, self.wrong, self.did = [], [], [], []
        self.dozes = chance.random() < 0.2
        self.losses = chance.choice((0, 0, 1, 3))
        self.loses_at_end = chance.random() < 0.2
        settings = {"worker": {"concurrency": 4, "shutdown_grace": '"2s"', "lease": '"30s"'}}
        if self.dozes:
            settings["database"] = {"close_after": '"300ms"'}
        more = 'max_attempts = 3\nbackoff = { base = "500ms", max = "1s" }'
        self.pool = Pool(f"case_{number}", base, settings, {"ok": more + '\ncommand = ["/bin/true"]', "bad": more, "bad2": more})
        path = os.path.join(self.pool.directory, "nap")  # the handler of the others
        with open(path, "w", encoding="utf-8") as file:
            file.write(BAD.format(directory=self.pool.directory))
        self.harms = list({chance.choice(harms) for _ in range(chance.choice((1, 1, 1, 2)))})
        self.harms.sort(key=harms.index)
        self.terminated, self.late, self.peak_kb = 0, 0.0, 0

    def description(self):
        more = [f"{self.terminated} sessions terminated"] * bool(self.terminated) + ["dozing"] * self.dozes
        return "; ".join(self.did + more).encode("unicode_escape").decode()

    def kinds(self):
        """Under what it is counted: each harm, and each SQLSTATE."""
        return [re.sub(r" (raises|meets) .*", "", did) if did.startswith("trigger") else did.split(":")[0] for did in self.did] + [
            "SQLSTATE " + state for did in self.did for state in re.findall(r" raises (\w{5})", did)] + [
            "meets " + name for did in self.did for name in BODIES if f" meets {name}" in did]

    # --- the case ---------------------------------------------------------------------------------------------------------
    def run(self):
        try:
            self._run()
        except Exception as error:  # in a thread: it is the case's verdict
            self.wrong.append(f"the case broke: {error!r}")
            self.pool.terminate(TERM_S)

    def _run(self):
        innocent = [self._innocent()]
        self._until(lambda: self._ended(innocent) == 1, 30)
        begin = time.monotonic()
        moments = sorted(self.chance.uniform(0.5, HARM_S) for _ in range(self.losses))
        harms = {0.4 + 2 * number: harm for number, harm in enumerate(self.harms)}
        last = begin
        while (now := time.monotonic()) - begin < HARM_S:
            self.late = max(self.late, now - last - INNOCENT_EVERY_S)
            last = now
            innocent.append(self._innocent())
            for at in [at for at in harms if now - begin >= at]:
                self.did.append(harms.pop(at)(self, self.chance))
            if moments and now - begin >= moments[0]:
                moments.pop(0)
                self.terminate_sessions()
            self._look()
            time.sleep(max(0.0, last + INNOCENT_EVERY_S - time.monotonic()))  # how often innocent runs come
        self._until(lambda: self._ended(innocent) == len(innocent), PATIENCE_S)
        self._until(lambda: not self._unsettled(), PATIENCE_S / 2)
        self._judge(innocent)
        self._leave()

    def _innocent(self):
        return self.pool.enqueue(0, task="ok")

    def _ended(self, runs):
        return self.pool.ask("SELECT count(*) FROM dormouse.runs WHERE status = 'completed' AND id = ANY (%s::uuid[])", runs)[0][0]

    def _unsettled(self):
        return self.pool.ask("SELECT count(*) FROM dormouse.runs WHERE status = 'running' AND started_at < now() - interval '5 s'"
                             " AND id = ANY (%s::uuid[])", self.guilty)[0][0]

    def _until(self, happened, seconds):
        end = time.monotonic() + seconds
        while not happened() and time.monotonic() < end:
            self._look()
            time.sleep(0.05)

    def terminate_sessions(self):
        self.terminated += self.pool.ask(TERMINATE)[0][0]

    def _look(self):
        self.pool.supervise()
        for worker in self.pool.workers:
            try:
                with open(f"/proc/{worker.pid}/status", encoding="ascii", errors="replace") as file:
                    self.peak_kb = max([self.peak_kb, *(int(kb) for kb in re.findall(r"VmHWM:\s*(\d+)", file.read()))])
            except OSError:
                pass

    # --- the verdict --------------------------------------------------------------------------------------------------------
    def _judge(self, innocent):
        # a body that opens a session (harms.py) does so in each try of the search, which takes 30 ms at rest and 300 beside others
        opens = self.pool.ask("SELECT count(*) FROM pg_extension WHERE extname = 'dblink'")[0][0]
        limit = DUE_S + 4 * self.late + 6 * opens
        never = len(innocent) - self._ended(innocent)
        late, worst = self.pool.ask("SELECT count(*) FILTER (WHERE t > %s), max(t) FROM (SELECT extract(epoch FROM finished_at - run_at) AS t FROM dormouse.runs"
                                    " WHERE id = ANY (%s::uuid[])) r", limit, innocent)[0]
        if never or late:
            self.wrong.append(f"innocent runs: {never} of {len(innocent)} not done, {late} late, the last after {float(worst or 0):.1f} s (limit {limit:.1f})")
        log = self.pool.log_text()
        opened, lost = len(re.findall(r" listening: ", log)), len(re.findall(r" database_lost: ", log))
        if not self.dozes and opened > self.pool.started + self.terminated:
            self.wrong.append(f"the session was opened {opened} times, for {self.pool.started} workers and {self.terminated} terminations")
        if lost > self.terminated:
            said = re.findall(r"database_lost: (.*)", log)[-1]
            self.wrong.append(f"database_lost {lost} times for {self.terminated} terminations: {said[:160]}")
        if any(self.pool.ended) or self.pool.started > 1:
            self.wrong.append(f"{self.pool.started} workers were needed; those that ended: {self.pool.ended}; the last said {log.splitlines()[-1][:160]}")
        self.wrong += [f"the worker said{mistake[:160]}" for mistake in self.pool.mistakes()[:1]]
        if self.peak_kb > MEMORY_KB:
            self.wrong.append(f"the worker has held {self.peak_kb // 1024} MiB")
        self._judge_guilty(log)

    def _judge_guilty(self, log):
        seen = set()
        said = "\n".join(line for line in log.splitlines() if " run_dispatched: " not in line and " run_log: " not in line)
        for run, status, attempts, error, far, long in self.pool.ask(
                "SELECT id::text, status, attempts, error, run_at > now(), started_at < now() - interval '5 s' FROM dormouse.runs"
                " WHERE id = ANY (%s::uuid[])", self.guilty):
            name, message = (error or {}).get("class"), str((error or {}).get("message"))[:100]
            if status == "running" and long:
                text = "is still running, with nothing at work"
            elif status in ("failed", "retry") and name not in REFUSED | ORDINARY:
                text = f"is {status} with the class {name}: {message}"
            elif run not in said and (status == "queued" and not far or status in ("failed", "retry") and name in REFUSED):
                text = f"is {status} after {attempts} attempts, and the log does not say which it is"
            else:
                continue
            if text not in seen:
                seen.add(text)
                self.wrong.append(f"a guilty run {text}")

    def _leave(self):
        if self.loses_at_end:
            threading.Timer(self.chance.uniform(0, 0.1), self._terminate_quietly).start()
        deaf = self.pool.terminate(TERM_S + 2 + 4 * self.late)
        if deaf:
            self.wrong.append("SIGTERM was not heard" + " (the session was lost at the same time)" * self.loses_at_end)

    def _terminate_quietly(self):
        try:
            self.pool.ask(TERMINATE)
        except psycopg2.Error:
            pass  # the case is over
