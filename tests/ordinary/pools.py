"""Pools as most people have them: handlers that take seconds to a minute. Each function is one of them, by its name: it makes the pool and
gives the plan of what happens to it. A run is to be completed at its first attempt if it is not said otherwise."""
import json
import os
import random
import time

from pool import SOURCE, Pool

KINDS = {}
FAST = 'backoff = { base = "1s", max = "2s" }'


def kind(function):
    KINDS[function.__name__] = function
    return function


def settings(**worker):
    return {"worker": {key: f'"{value}"' if isinstance(value, str) else value for key, value in worker.items()}}


def wait(seconds):
    time.sleep(seconds)  # the rhythm of who enqueues


def around(low, high):
    return lambda: round(random.uniform(low, high), 1)


@kind
def busy(base):
    """All slots, and more behind."""
    return Pool("busy", base), lambda watch: watch.enqueue(around(12, 16), 12)


@kind
def full(base):
    """All slots, and nothing else."""
    return Pool("full", base), lambda watch: watch.enqueue(around(20, 24), 4)


@kind
def one(base):
    return Pool("one", base, settings(concurrency=1)), lambda watch: watch.enqueue(around(13, 16), 3)


@kind
def capped(base):
    def plan(watch):
        watch.enqueue(around(13, 16), 5)
        watch.enqueue(around(13, 16), 4, task="other")
    return Pool("capped", base, settings(concurrency=5), {"nap": "concurrency = 2", "other": ""}), plan


@kind
def trickle(base):
    def plan(watch):
        for _ in range(12):
            watch.enqueue(around(4, 20))
            wait(around(1, 4)())
    return Pool("trickle", base), plan


@kind
def retries(base):
    """Some that take too long, twice."""
    def plan(watch):
        watch.enqueue(around(2, 3), 6)
        watch.enqueue(60, 4, want="failed", attempts=2)
    return Pool("retries", base, settings(concurrency=3), {"nap": f'timeout = "8s"\nmax_attempts = 2\n{FAST}'}), plan


@kind
def leases(base):
    """Longer than the lease, all slots."""
    return Pool("leases", base, settings(lease="6s")), lambda watch: watch.enqueue(around(20, 26), 6)


@kind
def dozing(base):
    """A database that is let sleep."""
    def plan(watch):
        watch.enqueue(around(18, 24), 4)
        wait(8)
        watch.enqueue(around(10, 14), 3)
        wait(2)
        watch.enqueue(3)
    return Pool("dozing", base, {**settings(), "database": {"close_after": '"3s"'}}), plan


@kind
def napping(base):
    """A database that is let sleep, and runs that are longer than the lease: it is opened to extend them."""
    return (Pool("napping", base, {**settings(concurrency=3, lease="9s"), "database": {"close_after": '"1s"'}}),
            lambda watch: watch.enqueue(around(20, 24), 6))


@kind
def bursts(base):
    """It sleeps between, and is rung for."""
    def plan(watch):
        for _ in range(3):
            runs = watch.enqueue(around(4, 12), 6)
            watch.until(lambda burst=runs: watch.ended(burst) and not watch.pool.workers)
        if watch.pool.started != 3:
            watch.say(f"{watch.pool.started} workers for 3 bursts")
    return Pool("bursts", base, settings(idle_exit="2s", look_exit="2s")), plan


@kind
def two(base):
    """Two workers in the foreground."""
    return Pool("two", base, settings(concurrency=3), bell=False, workers=2), lambda watch: watch.enqueue(around(12, 16), 14)


@kind
def warm(base):
    pool = Pool("warm", base, handler="")
    with open(os.path.join(pool.directory, "environment"), "w", encoding="utf-8") as file:
        file.write(f"PYTHONPATH={SOURCE}/clients/python\nPYTHONDONTWRITEBYTECODE=1\nMARKS={pool.marks}\n")
    program = os.path.join(SOURCE, "tests/ordinary/tasks.py")
    pool.handler = f'handler = "warm"\ncommand = ["/usr/bin/python3", "{program}"]\nenvironment_file = "{pool.directory}/environment"'
    pool.write_file()
    return pool, lambda watch: watch.enqueue(around(12, 16), 10)


@kind
def delayed(base):
    def plan(watch):
        for number in range(12):
            watch.enqueue(13, delay=f"{3 * number} s")
    return Pool("delayed", base), plan


@kind
def urgent(base):
    """They go first as soon as a slot is free."""
    def plan(watch):
        ordinary = watch.enqueue(around(11, 14), 6)
        watch.running(2)
        urgent_ones = watch.enqueue(around(2, 3), 3, priority=-5)
        watch.until(watch.all_ended)
        (before,) = watch.pool.ask("SELECT count(*) FROM dormouse.runs o WHERE o.id = ANY (%s::uuid[]) AND EXISTS (SELECT FROM dormouse.runs u WHERE"
                                   " u.id = ANY (%s::uuid[]) AND o.started_at BETWEEN u.created_at + %s * interval '1 s' AND u.started_at)",
                                   ordinary, urgent_ones, 1 + watch.slack())[0]
        if before:
            watch.say(f"{before} ordinary runs were started before urgent ones that waited")
    return Pool("urgent", base, settings(concurrency=2)), plan


@kind
def forever(base):
    """Nothing is ever removed."""
    return Pool("forever", base, {**settings(), "retention": {"finished": '"never"'}}), lambda watch: watch.enqueue(around(12, 15), 8)


@kind
def canceled(base):
    """All slots busy, and one is wanted no more; another one when the first retention step is due."""
    def plan(watch):
        runs = watch.enqueue(60, 3)
        watch.running(3)
        watch.cancel(runs[0])
        watch.enqueue(around(3, 5), 2)
        wait(14)
        watch.cancel(runs[1])
        wait(6)
        watch.cancel(runs[2])
    return Pool("canceled", base, settings(concurrency=3)), plan


@kind
def stopped(base):
    """SIGTERM with all slots busy, soon and late; what was at work is handed back and uses up no attempt."""
    def plan(watch):
        watch.enqueue(around(14, 16), 5)
        for pause in (3, 13, 6):
            wait(pause)
            watch.terminate()
            watch.pool.go_on()
            watch.pool.ring()
    return Pool("stopped", base, settings(concurrency=3, shutdown_grace="1s")), plan


@kind
def spooled(base):
    """Files while all slots are busy."""
    def plan(watch):
        watch.enqueue(around(13, 16), 3)
        for pause in (2, 9, 4):
            wait(pause)
            run = watch.pool.ask("SELECT dormouse.new_id()::text")[0][0]
            watch.expect(run)
            place = os.path.join(watch.pool.spool, f"{run}.json")
            with open(place + ".new", "w", encoding="utf-8") as file:
                json.dump({"task": "nap", "payload": "2", "queue": "spooled"}, file)
            os.rename(place + ".new", place)
            watch.pool.ring()
    return Pool("spooled", base, settings(concurrency=3)), plan


@kind
def stranger(base):
    """Runs of a task that this pool does not know just wait; the others go on."""
    def plan(watch):
        watch.enqueue(1, 2, task="unheard_of", want="queued", attempts=0)
        watch.enqueue(around(12, 15), 4)
        wait(5)
        watch.enqueue(1, 4, task="unheard_of", priority=-9, want="queued", attempts=0)
        watch.enqueue(around(6, 8), 3)
    return Pool("stranger", base, settings(concurrency=3)), plan
