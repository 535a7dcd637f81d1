#!/usr/bin/python3
"""rows_test.py [HARM…]: hostile rows, triggers, files and handlers against a worker at work, by a seed that is printed. Each case is a pool with
one or two kinds of harm (harms.py) to the runs of one task, and perhaps a lost session, while innocent runs of another task come every
200 ms. With DORMOUSE_FULL=1 for 20 minutes; DORMOUSE_SECONDS is another time, DORMOUSE_SEED repeats a seed. Run by tests/clients/run.sh."""
import collections
import os
import random
import sys
import tempfile
import threading
import time

from case import Case
from harms import HARMS

AT_ONCE = 6


def main():
    seed = int(os.environ.get("DORMOUSE_SEED", random.SystemRandom().randrange(1 << 31) if os.environ.get("DORMOUSE_FULL") else 880483334))
    seconds = float(os.environ.get("DORMOUSE_SECONDS", 1200 if os.environ.get("DORMOUSE_FULL") == "1" else 45))
    print(f"seed {seed} (DORMOUSE_SEED={seed} repeats it)", flush=True)
    harms = [harm for harm in HARMS if harm.__name__ in sys.argv[1:]] or HARMS
    end, number = time.monotonic() + seconds, 0
    cases, wrong = collections.Counter(), collections.defaultdict(list)
    while time.monotonic() < end:
        with tempfile.TemporaryDirectory(prefix="dormouse-hostile.") as base:
            os.chmod(base, 0o755)
            batch = [Case(base, number + one, random.Random(f"{seed} {number + one}"), harms) for one in range(AT_ONCE)]
            threads = [threading.Thread(target=case.run) for case in batch]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            for case in batch:
                print(("FAILED " if case.wrong else "ok     ") + f"case {case.number}: {case.description()}", flush=True)
                for text in case.wrong:
                    print("        " + text)
                for kind in case.kinds():
                    cases[kind] += 1
                    wrong[kind] += [case.number] * bool(case.wrong)
                case.pool.close()
        number += AT_ONCE
    print("\nkind: failed of cases")
    for kind in sorted(cases):
        print(f"{kind}: {len(wrong[kind])} of {cases[kind]}")
    sys.exit(any(wrong.values()))


if __name__ == "__main__":
    main()
