"""Load while things fail (chaos.py --load): nothing but a Postgres that is restarted again and again, under a load that does not let
up; how long it takes each time until the backlog is gone."""
import threading
import time

from cluster import Disconnected, Psql
from violence import Event

WEIGHTS = {"light": 1}
# The backlog: who waits for longer than it takes to be claimed. Beside it everybody who waits.
WAITING = """SELECT count(*) FILTER (WHERE run_at <= now() - interval '0.5 s') || ' ' || count(*) FROM dormouse.runs_live
             WHERE status IN ('queued', 'retry') AND run_at <= now()"""


def plan(seconds, every):
    """In the middle of each period, so that there is time before and after it."""
    times = [every * (number + 0.5) for number in range(max(1, int(seconds // every)))]
    return [Event(at, "restart Postgres", "-", 0.0) for at in times]


class Backlog(threading.Thread):
    """Asks every 100 ms, in a session of its own."""

    def __init__(self, cluster):
        super().__init__(daemon=True)
        self.cluster, self.samples, self.over = cluster, [], threading.Event()  # (time.time(), backlog, all who wait); None: no answer

    def run(self):
        psql = None
        while not self.over.wait(0.1):
            try:
                psql = psql or Psql(self.cluster, "chaos")
                self.samples.append((time.time(), *map(int, psql.ask(WAITING)[0].split())))
            except Disconnected:
                self.samples.append((time.time(), None, None))
                psql.close()
                psql = None
        if psql:
            psql.close()

    def end(self):
        self.over.set()
        self.join()
        self.samples.append((time.time(), 0, 0))  # by now all of them have ended: settle()


def recoveries(plan, samples):
    """For each restart: seconds until Postgres answered, until the backlog was gone, and how many waited at most; None: not before the next."""
    begins = [event.began for event in plan if event.began] + [float("inf")]
    for begin, following in zip(begins, begins[1:]):
        after = [(at - begin, old, waiting) for at, old, waiting in samples if begin < at < following]
        silent = [index for index, sample in enumerate(after) if sample[1] is None]
        rest = after[silent[-1] + 1:] if silent else []
        empty = next((at for at, old, _ in rest if old == 0), None)
        most = max((waiting for at, _, waiting in rest if empty is None or at <= empty), default=0)
        yield (rest[0][0] if rest else None), empty, most


def not_recovered(plan, samples):
    return [f"restart {number}: not before the next" for number, (_, empty, _) in enumerate(recoveries(plan, samples), 1) if empty is None]


def draw_up(drawn, plan, samples, events):
    for number, (answered, empty, most) in enumerate(recoveries(plan, samples), 1):
        drawn.figures[f"restart {number}"] = {
            "Postgres answers after s": "not before the next" if answered is None else round(answered, 2),
            "no backlog after s": "not before the next" if empty is None else round(empty, 2), "waited at most": most}
    drawn.findings["the backlog did not return to zero"] += not_recovered(plan, samples)
    drawn.figures["waited at most, ever"] = max((waiting or 0 for _, _, waiting in samples), default=0)
    restarts = sum(event.done == "done" for event in plan)
    for name in ("database_lost", "database_back"):  # the worker of b is there all the time
        said = sum(event["host"] == "b" and event["event"] == name for event in events)
        if said != restarts:
            drawn.findings["an outage is not said once"].append(f"{said} times {name} for {restarts} restarts on host b")
