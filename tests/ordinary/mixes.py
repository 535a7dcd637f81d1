"""A random pool with a random plan, from its own generator: what pools.py does one by one, together."""
from pool import Pool
from pools import FAST, wait


def mix(chance, name):
    """A function that makes the pool called `name` and its plan."""
    def make(base):
        worker = {"concurrency": chance.randint(1, 6), "shutdown_grace": '"2s"'}
        if chance.random() < 0.4:
            worker["lease"] = f'"{chance.choice((6, 15, 40))}s"'
        if chance.random() < 0.5:
            worker |= {"idle_exit": '"3s"', "look_exit": '"3s"'}
        tables = {"worker": worker}
        if chance.random() < 0.3:
            tables["database"] = {"close_after": f'"{chance.choice((1, 3, 8))}s"'}
        if chance.random() < 0.2:
            tables["retention"] = {"finished": '"never"'}
        slots = {"nap": worker["concurrency"], "other": chance.randint(1, 3)}
        tasks = {"nap": "", "other": f"concurrency = {slots['other']}", "late": f'timeout = "4s"\nmax_attempts = 2\n{FAST}'}
        return Pool(name, base, tables, tasks), lambda watch: plan(watch, chance, slots)
    return make


MOST_WORK_S = 150  # until all of it is done, if nothing else happened: the pool is to be through in time


def plan(watch, chance, slots):
    """Two minutes or so of what happens."""
    watch.slots, watch.work_s = slots, 0.0
    for _ in range(chance.randint(10, 25)):
        EVENTS[chance.choices(range(len(EVENTS)), WEIGHTS)[0]](watch, chance)
        wait(chance.choice((0, 0.2, 1, 3, 8, 15)))


def some(watch, chance):
    low = chance.choice((0.1, 2, 8, 15))
    more = {"priority": chance.randint(-5, 5)} if chance.random() < 0.3 else {}
    if chance.random() < 0.3:
        more["delay"] = f"{chance.randint(1, 20)} s"
    task, count = chance.choice(("nap", "nap", "other")), chance.randint(1, 6)
    each = 1.5 * low / min(watch.slots["nap"], watch.slots[task])
    count = max(0, min(count, int((MOST_WORK_S - watch.work_s) / each)))
    watch.work_s += count * each
    watch.enqueue(lambda: round(chance.uniform(low, 2 * low), 1), count, task=task, **more)


def too_long(watch, _):
    watch.work_s += 8 / watch.slots["nap"]
    watch.enqueue(60, want="failed", attempts=2, task="late")


def nobody_knows(watch, _):
    watch.enqueue(1, want="queued", attempts=0, task="unheard_of")


def cancel(watch, _):
    if "database" in watch.pool.settings:  # close_after: without a session nobody tells the worker
        return
    running = watch.pool.ask("SELECT id::text FROM dormouse.runs WHERE status = 'running' AND task = 'nap' AND started_at < now() - interval '1 s' LIMIT 1")
    if running:
        watch.cancel(running[0][0])


def restart(watch, _):
    watch.terminate()
    watch.pool.go_on()
    watch.pool.ring()


EVENTS = (some, too_long, nobody_knows, cancel, restart)
WEIGHTS = (12, 1, 1, 3, 2)
