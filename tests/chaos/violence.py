"""What is done to the system: a plan made from the seed, and the hands that carry it out. Each event is noted when it happens."""
import dataclasses
import os
import pathlib
import signal
import time

from cluster import Disconnected
from host import POOL, UNIT, send

# How often in a minute (in a shorter plan: in all of it).
KINDS = {"kill worker": 2, "kill handler": 4, "kill Postgres": 1, "restart Postgres": 1, "freeze worker": 6, "cut network": 2,
         "half-open network": 1, "late network": 3, "terminate session": 2, "restart service": 1, "restart target": 1,
         "stop target": 1, "no new runs": 1}
KILLS = ("kill worker", "kill handler", "kill Postgres")  # each is done in each minute, or something is wrong with the account
LEASE = 4.0
PATIENCE_S = 5
# What a worker of a third host would do: takes back runs whose leases have ended. The one of the other host does that one lease later.
RESCUE = (pathlib.Path(__file__).resolve().parents[2] / "sql/queries/rescue.sql").read_text(encoding="utf-8")
RESCUE = "\n".join(line for line in RESCUE.splitlines() if not line.startswith("--"))
for number, value in enumerate(["'{default}'", "'{}'", "1000", "NULL::uuid", "'00000000-0000-0000-0000-000000000000'", "0", "'{}'"], 1):
    RESCUE = RESCUE.replace(f"${number}", value)
if "$" in RESCUE:
    raise AssertionError(f"rescue.sql has another parameter: {RESCUE}")
# How long it lasts, in seconds.
LASTS = {"freeze worker": (1.2 * LEASE, 3 * LEASE), "half-open network": (1.1 * LEASE, 2 * LEASE), "late network": (1.1 * LEASE, 2 * LEASE),
         "cut network": (0.3, 5), "stop target": (0.5, 4), "no new runs": (4, 10)}


@dataclasses.dataclass
class Event:
    at: float          # seconds after the beginning
    kind: str
    host: str          # "-": none
    lasts: float
    done: str = ""     # what came of it
    began: float = 0   # time.time()
    ended: float = 0

    def text(self):
        return f"{self.at:7.2f} s  {self.kind:18} {self.host}" + (f"  for {self.lasts:.1f} s" if self.lasts else "")


def plan(random, seconds, hosts):
    events = []
    start = 0.0
    while start < seconds:
        length = min(60.0, seconds - start)
        for kind, often in KINDS.items():
            for _ in range(max(1, round(often * length / 60))):
                host = "-" if kind in ("kill Postgres", "restart Postgres", "terminate session", "no new runs") else random.choice(hosts)
                lasts = random.uniform(*LASTS[kind]) if kind in LASTS else 0.0
                latest = 0.75 * length if kind in KILLS else length  # nobody may be there at first: see patience()
                events.append(Event(start + random.uniform(0, latest), kind, host, lasts))
        start += length
    return sorted(events, key=lambda event: event.at)


def patience(event):
    """Until when, in seconds after the beginning, it is tried again: whom it is meant for may not be there."""
    soon = event.at + PATIENCE_S
    return max(soon, 60 * (event.at // 60 + 1) - 1) if event.kind in (*KILLS, "freeze worker", "terminate session") else soon


def minutes_without_kills(plan, begin, seconds):
    """Of each full minute after `begin`, which is a time.time(), the kills that were not done in it."""
    for minute in range(int(seconds // 60)):
        first = begin + 60 * minute
        done = {event.kind for event in plan if event.done == "done" and first <= event.began < first + 60}
        yield from (f"minute {minute + 1}: {kind}" for kind in KILLS if kind not in done)


class Hands:
    def __init__(self, random, hosts, cluster, load):
        self.random, self.cluster, self.load = random, cluster, load
        self.hosts = {host.name: host for host in hosts}
        self.endings = []  # (time.monotonic(), function)
        self.bad_until = {}
        self.frozen = set()

    def begin(self, event):
        event.began = time.time()
        event.done = getattr(self, event.kind.replace(" ", "_").replace("-", "_").lower())(event, self.hosts.get(event.host)) or "done"

    def tick(self, now):
        for ending in [one for one in self.endings if one[0] <= now]:
            self.endings.remove(ending)
            ending[1]()

    def heal(self):
        """Whatever still lasts ends now."""
        for _, end in self.endings:
            end()
        self.endings = []

    def later(self, event, function):
        def end():
            function()
            event.ended = time.time()
        self.endings.append((time.monotonic() + event.lasts, end))

    # --- one for each kind ---------------------------------------------------------------------------------------------
    def kill_worker(self, _, host):
        pid = host.worker()
        descriptor = host.kill(pid) if pid else None
        if descriptor is None:
            return "nobody there"
        os.close(descriptor)

    def kill_handler(self, _, host):
        pids = host.handlers()
        descriptor = host.kill(self.random.choice(pids)) if pids else None
        if descriptor is None:
            return "nobody there"
        os.close(descriptor)

    def freeze_worker(self, event, host):
        """One with something in hand, which others have when it wakes up: all that it writes then is too late."""
        if host.name in self.frozen or not host.handlers():
            return "nothing at work there"
        pid = host.worker()
        descriptor = host.kill(pid, signal.SIGSTOP) if pid else None
        if descriptor is None:
            return "nobody there"

        self.frozen.add(host.name)

        def thaw():
            self.frozen.discard(host.name)
            if send(descriptor, signal.SIGCONT):
                os.close(descriptor)
        self.later(event, thaw)
        self.endings.append((time.monotonic() + 1.1 * LEASE, self.look_from_elsewhere))

    def look_from_elsewhere(self):
        try:
            self.load.ask(RESCUE)
        except Disconnected:
            pass  # the other host's worker has to do it

    def kill_postgres(self, *_):  # tick() starts it again
        return "done" if self.cluster.signal(signal.SIGKILL) else "nobody there"

    def restart_postgres(self, *_):
        return "done" if self.cluster.signal(signal.SIGINT) else "nobody there"

    def network(self, event, host, mode):
        host.network_is(mode)
        self.bad_until[host.name] = event

        def heal():
            if self.bad_until[host.name] is event:  # what came later lasts
                host.network_is("pass")
        self.later(event, heal)

    def cut_network(self, event, host):
        self.network(event, host, "cut")

    def half_open_network(self, event, host):
        self.network(event, host, "swallow")

    def late_network(self, event, host):
        self.network(event, host, "hold")

    def terminate_session(self, *_):
        try:
            pids = self.load.ask("SELECT pid FROM pg_stat_activity WHERE usename = 'pool' ORDER BY pid")
            ended = pids and self.load.ask(f"SELECT pg_terminate_backend({self.random.choice(pids)})")
        except Disconnected:
            ended = []
        return "done" if ended == ["t"] else "nobody there"

    def restart_service(self, _, host):
        host.systemctl("restart", f"{UNIT}.service")

    def restart_target(self, _, host):
        host.systemctl("restart", f"{UNIT}.target")

    def stop_target(self, event, host):
        host.systemctl("stop", f"{UNIT}.target")
        self.later(event, lambda: host.systemctl("start", f"{UNIT}.target"))

    def no_new_runs(self, event, _):
        self.load.quiet_until = time.monotonic() + event.lasts
        self.later(event, lambda: None)


def start_everything(hosts):
    for host in hosts:
        host.network_is("pass")
        host.run("systemctl", "start", f"{UNIT}.target")
        host.run("dormouse", "wake", POOL)
