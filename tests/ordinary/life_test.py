#!/usr/bin/python3
"""life_test.py [POOL…]: ordinary life, watched. Each pool of pools.py for a minute or two, all side by side; with DORMOUSE_FULL=1 then random
mixes for an hour (DORMOUSE_SECONDS is another time), by a seed that is printed; DORMOUSE_SEED repeats one. Run by tests/clients/run.sh."""
import os
import random
import sys
import tempfile
import threading
import time

from mixes import mix
from pools import KINDS
from watch import Watch

MOST_S = 110  # for one pool


def side_by_side(makers, seconds):
    """How many were in trouble. `makers` give a pool and its plan."""
    with tempfile.TemporaryDirectory(prefix="dormouse-ordinary.") as base:
        os.chmod(base, 0o755)
        watches = [(Watch(pool, seconds), plan) for pool, plan in (make(base) for make in makers)]
        threads = [threading.Thread(target=watch.run, args=(plan,)) for watch, plan in watches]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for watch, _ in watches:
            print(("TROUBLE " if watch.trouble else "ok      ") + watch.summary(), flush=True)
            for text in watch.trouble[:20]:
                print("        " + text)
            if watch.trouble:
                print("        its worker said last:\n" + "".join("        " + line + "\n" for line in watch.pool.log_text().splitlines()[-15:]))
            watch.pool.close()
        return sum(bool(watch.trouble) for watch, _ in watches)


def main():
    seed = int(os.environ.get("DORMOUSE_SEED", random.SystemRandom().randrange(1 << 31) if os.environ.get("DORMOUSE_FULL") else 1236422245))
    print(f"seed {seed} (DORMOUSE_SEED={seed} repeats it)", flush=True)
    random.seed(seed)
    troubled = side_by_side([KINDS[name] for name in sys.argv[1:] or KINDS], MOST_S)
    if os.environ.get("DORMOUSE_FULL") == "1" and not sys.argv[1:]:
        end = time.monotonic() + float(os.environ.get("DORMOUSE_SECONDS", 3600))
        number = 0
        while time.monotonic() < end:
            troubled += side_by_side([mix(random.Random(f"{seed} {number + one}"), f"mix_{number + one}") for one in range(8)], 400)
            number += 8
    report(troubled)


def report(troubled):
    print(f"{troubled} pools in trouble")
    sys.exit(troubled > 0)


if __name__ == "__main__":
    main()
