#!/usr/bin/python3
"""chaos.py --seconds N --seed S [--load [--every N]] --build DIRECTORY --out DIRECTORY

Two hosts, one Postgres, runs through every door, and violence by a plan that the seed decides; then everything is healed, and the
account is drawn up. Ends with 1 when a run is lost or stuck, a stale write was accepted, or anything else does not add up
(report.py says what is forgiven).
"""
import argparse
import collections
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time

import account
import outages
import report
import violence
from cluster import Cluster, Disconnected
from host import BOOT, UNIT, Host, wait_until
from load import Load

SETTLE_S = 240
ROWS = """SELECT json_build_object('id', id, 'task', task, 'status', status, 'fence', last_fence || ':' || worker, 'result', result,
              'error', error, 'finished', extract(epoch FROM finished_at)) FROM dormouse.runs"""
ATTEMPTS = """SELECT json_build_object('run', run_id, 'fence', fence || ':' || worker, 'outcome', outcome,
                  'started', extract(epoch FROM started_at), 'ended', extract(epoch FROM ended_at), 'error', error) FROM dormouse.attempts"""


def say(text):
    print(text, flush=True)


class World:
    """Everything that was started, and its end."""

    def __init__(self, build, notify):
        self.work = tempfile.mkdtemp(prefix="dormouse-chaos.")
        os.chmod(self.work, 0o755)
        os.mkdir(self.work + "/shared")
        os.chmod(self.work + "/shared", 0o777)
        here = os.path.dirname(os.path.abspath(__file__))
        for script in ("handler.sh", "light.sh"):
            shutil.copy(f"{here}/{script}", self.work + "/shared")
        self.build = build
        self.cluster = None
        # One that sleeps whenever it can, and one that stays.
        wake = f'\n[wake]\nnotify = "{notify}"'
        self.hosts = [Host("a", self.work, build, 'concurrency = 8\nidle_exit = "300ms"\nlook_exit = "300ms"' + wake),
                      Host("b", self.work, build, "concurrency = 6" + wake)]

    def begin(self):
        boots = [host.boot() for host in self.hosts]
        self.cluster = Cluster(self.work)
        self.cluster.start()
        self.cluster.wait(30)
        url = f"postgresql://postgres@/chaos?host={self.cluster.sockets}"
        subprocess.run([f"{self.cluster.bin}/createdb", f"--host={self.cluster.sockets}", "--username=postgres", "chaos"], check=True)
        for step in ([], ["--roles"]):
            subprocess.run([self.build + "/dormouse", "migrate", *step, "--database-url", url], check=True, stdout=subprocess.DEVNULL)
        subprocess.run(["psql", "--quiet", url, "--command=CREATE ROLE pool LOGIN IN ROLE dormouse_worker"], check=True)
        if any(boot.wait() for boot in boots):
            raise SystemExit("a host did not boot")
        for host in self.hosts:
            host.booted(self.cluster.socket())
            host.configure()
        open(self.work + "/shared/marks", "w", encoding="utf-8").close()
        os.chmod(self.work + "/shared/marks", 0o666)
        violence.start_everything(self.hosts)

    def keep_logs(self, directory):
        for host in self.hosts:
            if host.leader:
                with open(f"{directory}/journal-{host.name}.log", "w", encoding="utf-8") as file:
                    file.write(host.run("journalctl", "--no-pager", "--output=short-precise"))
                if host.reports:
                    shutil.copytree(host.reports, f"{directory}/sanitizer-{host.name}", dirs_exist_ok=True)
        shutil.copy(self.work + "/shared/marks", directory)
        shutil.copy(self.cluster.log, directory)

    def end(self):
        for host in self.hosts:
            host.power_off()
        if self.cluster:
            self.cluster.stop()
        shutil.rmtree(self.work, ignore_errors=True)


def rage(world, load, hands, plan, seconds):
    """When it began, as time.time()."""
    began = time.time()
    begin = last = time.monotonic()
    todo = collections.deque(plan)
    again = []  # whom they were meant for was not there
    # On a slow machine the last ones come later: each is done.
    while (now := time.monotonic()) < begin + seconds or ((todo or again) and now < begin + seconds + 60):
        while todo and begin + todo[0].at <= now:
            again.append(todo.popleft())
        for event in list(again):
            hands.begin(event)
            if event.done == "done" or now > begin + violence.patience(event):
                again.remove(event)
                say(f"{event.text()}{'' if event.done == 'done' else ': ' + event.done}")
        hands.tick(now)
        world.cluster.tick()
        load.tick(now, now - last)
        last = now
        time.sleep(0.05)  # the load's own measure of time
    return began


def settle(world, load, hands):
    """Heals, starts and rings everything once; then the runs have to end by themselves."""
    hands.heal()
    world.cluster.wait(60)
    violence.start_everything(world.hosts)
    begin = time.monotonic()

    def over():
        try:
            left = load.ask("SELECT count(*) FROM dormouse.runs WHERE status IN ('queued', 'running', 'retry', 'blocked')")
        except Disconnected:
            return False
        return left == ["0"] and not any(host.spooled() for host in world.hosts)
    settled = wait_until(SETTLE_S, over)
    wait_until(10, lambda: not any(host.handlers() for host in world.hosts))
    return settled, round(time.monotonic() - begin, 1)


def units(world):
    """What must be so again when all is healed."""
    findings = collections.defaultdict(list)
    for host in world.hosts:
        for pid in host.handlers():
            findings["a handler process is left"].append(f"host {host.name}: pid {pid}")
        if host.rejected():
            findings["spool files rejected"].append(f"host {host.name}: {host.rejected()}")
        for unit in (f"{UNIT}.path", f"{UNIT}.socket"):
            state = subprocess.run([BOOT, "exec", "systemctl", "is-active", unit], env=host.environment, stdout=subprocess.PIPE, text=True,
                                   check=False).stdout.strip()
            if state not in ("active", "running"):
                findings["a doorbell is down"].append(f"host {host.name}: {unit} is {state}")
        if not host.answers_rings(20):
            findings["a doorbell is down"].append(f"host {host.name}: a ring started nobody")
        host.run("systemctl", "stop", f"{UNIT}.target", f"{UNIT}.service", quiet=True)  # what the last worker leaks is known when it has ended
        findings["sanitizer reports"] += host.sanitizer_reports()
    return findings


def draw_up(world, load, plan, settled_s):
    rows = [json.loads(line) for line in load.ask(ROWS)]
    attempts = [json.loads(line) for line in load.ask(ATTEMPTS)]
    stuck = load.ask("SELECT id || ': ' || reason FROM dormouse.stuck_runs")
    with open(world.work + "/shared/marks", encoding="utf-8") as file:
        marks, torn = account.read_marks(file)
    frozen = [(event.host, event.began, event.ended) for event in plan if event.kind == "freeze worker" and event.ended]
    drawn = account.Account(load.certain, load.doubtful, rows, attempts, marks, frozen)
    drawn.findings["stuck"] += stuck
    done = collections.Counter(event.kind for event in plan if event.done == "done")
    drawn.findings["violence that was not done"] = sorted({event.kind for event in plan if not done[event.kind]})
    drawn.findings["torn marks"] += [str(torn)] if torn else []
    events = [event for host in world.hosts for event in host.journal()]
    stale = report.refused(events)
    drawn.figures = {**drawn.figures, "by the spool": load.spooled, "stale writes attempted": sum(stale.values()), "of these": stale,
                     "settled after s": settled_s, "violence": dict(done),
                     "events": dict(collections.Counter(event["event"] for event in events if event["event"] in (
                         "lease_lost", "runs_rescued", "runs_released", "database_lost", "database_back", "idle_exit", "worker_pool_starting")))}
    return drawn, events


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    parser.add_argument("--rate", type=float, help="runs a second, as far as they are finished as fast (60); with --load, in any case (200)")
    parser.add_argument("--load", action="store_true", help="a load that does not let up, and nothing but Postgres restarted")
    parser.add_argument("--every", type=float, default=60, help="with --load: seconds between two restarts")
    parser.add_argument("--notify", choices=["when_needed", "always"], default="when_needed", help="wake.notify of all pools")
    parser.add_argument("--build", required=True)
    parser.add_argument("--out", required=True)
    options = parser.parse_args()
    os.makedirs(options.out, exist_ok=True)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: sys.exit(1))
    chance = random.Random(options.seed)
    plan = outages.plan(options.seconds, options.every) if options.load else violence.plan(chance, options.seconds, ["a", "b"])
    say(f"chaos: {options.seconds:.0f} s, seed {options.seed}; the plan (the hosts share one clock, which is not made to jump):")
    for event in plan:
        say("  " + event.text())
    world = World(options.build, options.notify)
    passed = False
    try:
        world.begin()
        load = Load(chance, world.cluster, world.hosts, options.rate or 200, outages.WEIGHTS, float("inf"), True) if options.load else Load(
            chance, world.cluster, world.hosts, options.rate or 60)
        backlog = outages.Backlog(world.cluster)
        hands = violence.Hands(chance, world.hosts, world.cluster, load)
        say("--- begin")
        if options.load:
            backlog.start()
        began = rage(world, load, hands, plan, options.seconds)
        say("--- healed")
        settled, settled_s = settle(world, load, hands)
        if options.load:
            backlog.end()
        drawn, events = draw_up(world, load, plan, settled_s)
        if options.load:
            outages.draw_up(drawn, plan, backlog.samples, events)
        else:
            drawn.findings["a minute without a kill"] += violence.minutes_without_kills(plan, began, options.seconds)
            drawn.findings["few stale writes were attempted"] += report.too_few(drawn.figures["of these"], options.seconds)
        drawn.figures["load of the machine"] = " ".join(f"{one:.1f}" for one in os.getloadavg())
        for what, lines in units(world).items():
            drawn.findings[what] += lines
        report.write(options.out, {"seed": options.seed, "seconds": options.seconds}, drawn.figures, drawn.findings, plan, events)
        passed = settled and report.sound(drawn.findings)
    finally:
        try:
            if not passed and world.cluster:
                world.keep_logs(options.out)
                say(f"the hosts' journals, the marks and Postgres' log are in {options.out}")
        finally:
            world.end()
    say("chaos: nothing lost, nothing stuck, nothing stale accepted" if passed else f"chaos: FAILED; again with --seed {options.seed}")
    sys.exit(0 if passed else 1)


main()
