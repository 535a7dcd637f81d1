#!/usr/bin/python3
"""day_test.py CLOCK: a day in two minutes (with DORMOUSE_FULL=1 a week), by a Postgres whose clock jumps four hours at a time while all slots are
busy: delays and backoffs pass, and the partitions of a new day have to be made. Leases are a day long, as the worker's clock does not jump. CLOCK is the file that its clock follows. Run by day.sh."""
import os
import sys

from life_test import report, side_by_side
from pool import Pool
from pools import around, settings

HOURS = 4
JUMPS = 42 if os.environ.get("DORMOUSE_FULL") == "1" else 7  # past a midnight, whenever it begins


class Clock:
    def __init__(self, file):
        self.file, self.jumps = file, 0

    def forward(self):
        self.jumps += 1
        with open(self.file + ".new", "w", encoding="ascii") as file:
            file.write(f"+{self.jumps * HOURS * 3600}\n")
        os.chmod(self.file + ".new", 0o644)
        os.replace(self.file + ".new", self.file)

    def each(self, watch):
        """Gives the number of each jump, soon after it."""
        for jump in range(1, JUMPS + 1):
            watch.until(lambda number=jump: self.jumps >= number)
            yield jump


CLOCK = Clock(sys.argv[1])

def sleeper(base):
    """Rung for after each jump, and all slots busy at its next one: it drives the clock."""
    def plan(watch):
        for _ in range(JUMPS):
            runs = watch.enqueue(around(12, 13), 4)
            watch.running(4)
            CLOCK.forward()
            watch.until(lambda day=runs: watch.ended(day) and not watch.pool.workers)
        (ahead,) = watch.pool.ask("SELECT to_regclass('dormouse.runs_finished_' || to_char((now() + interval '7 days') AT TIME ZONE 'UTC', 'YYYYMMDD'))")[0]
        if not ahead:
            watch.say("the partitions of the days to come are not there")
    return Pool("sleeper", base, settings(idle_exit="1s", look_exit="1s", lease="1d")), plan


def awake(base):
    """One worker for the whole day, never without work."""
    def plan(watch):
        for _ in CLOCK.each(watch):
            watch.enqueue(around(8, 16), 5)
    return Pool("awake", base, settings(lease="1d")), plan


def delayed(base):
    def plan(watch):
        runs = [watch.enqueue(1, delay=f"{HOURS * jump - 1} h")[0] for jump in range(1, JUMPS + 1)]
        for jump in CLOCK.each(watch):
            watch.pool.ring()
            if not watch.until(lambda number=jump: watch.ended(runs[:number]), 10 + watch.slack()):
                watch.say(f"what was due {HOURS * jump - 1} hours after the beginning is not done {HOURS * jump} hours after it")
    return Pool("delayed", base, settings(idle_exit="3s", look_exit="3s", lease="1d")), plan


def backoffs(base):
    """Two attempts that take too long, hours apart."""
    def plan(watch):
        watch.enqueue(60, 4, want="failed", attempts=3)
        for _ in CLOCK.each(watch):
            watch.pool.ring()
    return Pool("backoffs", base, settings(lease="1d"), {"nap": 'timeout = "2s"\nmax_attempts = 3\nbackoff = { base = "2h", max = "3h" }'}), plan


if __name__ == "__main__":
    report(side_by_side([sleeper, awake, delayed, backoffs], 60 + 30 * JUMPS))
