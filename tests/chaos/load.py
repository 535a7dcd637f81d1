"""Runs, enqueued in bursts through every door, and the driver's own book of them: what must be there at the end."""
import json
import uuid

from cluster import Disconnected, Psql

WEIGHTS = {"quick": 60, "slow": 14, "flaky": 8, "doomed": 4, "snooze": 6, "stubborn": 4, "forker": 4}
MOST_WAITING = 120  # more than this are not put on top: what is to be seen is the end of runs


class Load:
    def __init__(self, random, cluster, hosts, rate, weights=None, most_waiting=MOST_WAITING, insists=False):
        """insists: what could not be enqueued for want of a database is enqueued when there is one."""
        self.random, self.cluster, self.hosts, self.rate = random, cluster, hosts, rate
        self.weights, self.most_waiting, self.insists, self.again = weights or WEIGHTS, most_waiting, insists, []
        self.psql = None
        self.certain = {}    # id → task: the enqueue was answered
        self.doubtful = {}   # the session was lost meanwhile
        self.spooled = 0
        self.waiting = 0
        self.quiet_until = 0.0
        self.next_count = self.next_wake = 0.0

    def payload(self, task):
        if task == "slow":  # now and then beyond a lease, so that a zombie's handler meets another's
            return {"tenths": self.random.choice([3, 3, 5, 5, 10, 10, 20, 100])}
        if task == "flaky":
            return {"tenths": 0, "fails": self.random.randint(1, 3)}
        if task in ("stubborn", "forker"):
            return {"tenths": self.random.randint(1, 20)}
        return {"tenths": 0}

    def tick(self, now, seconds):
        """`seconds` have passed since the last one."""
        if now >= self.next_count:
            self.next_count = now + 0.5
            self.count()
        if now >= self.next_wake:
            self.next_wake = now + 2
            self.random.choice(self.hosts).begin("dormouse", "wake", "chaos")
        if now < self.quiet_until or self.waiting > self.most_waiting:
            return
        exact = self.rate * seconds * self.random.uniform(0, 2)
        number = int(exact) + (self.random.random() < exact % 1)
        tasks = self.random.choices(list(self.weights), self.weights.values(), k=number)
        runs = [(str(uuid.UUID(int=self.random.getrandbits(128), version=4)), task, self.payload(task)) for task in tasks]
        door = self.random.random()
        if not runs:
            return
        if door < 0.15:
            self.spool(runs)
        else:
            self.insert(runs)
            if door < 0.7:
                self.random.choice(self.hosts).ring()

    def spool(self, runs):
        host = self.random.choice(self.hosts)
        for run, task, payload in runs:
            if host.spool(run, task, payload):
                self.certain[run] = task
                self.spooled += 1

    def insert(self, runs):
        runs = self.again + runs
        rows = ", ".join(f"('{run}'::uuid, '{task}', '{json.dumps(payload)}'::jsonb)" for run, task, payload in runs)
        new = "WHERE NOT EXISTS (SELECT FROM dormouse.runs WHERE runs.id = v.id)" if self.again else ""
        try:
            self.ask(f"INSERT INTO dormouse.runs (id, task, payload) SELECT * FROM (VALUES {rows}) AS v (id, task, payload) {new}")
            self.certain.update((run, task) for run, task, _ in runs)
            for run, _, _ in self.again:
                self.doubtful.pop(run)
            self.again = []
        except Disconnected:
            self.doubtful.update((run, task) for run, task, _ in runs)
            self.again = runs if self.insists else []

    def count(self):
        try:
            self.waiting = int(self.ask("SELECT count(*) FROM dormouse.runs_live")[0])
        except Disconnected:
            pass

    def ask(self, statement):
        if self.psql is None:
            self.psql = Psql(self.cluster, "chaos")
        try:
            return self.psql.ask(statement)
        except Disconnected:
            self.psql.close()
            self.psql = None
            raise
