"""Warm handlers of a pool that is watched: they sleep, say how far they are, print, and leave the same mark as the others."""
import os
import time

from dormouse import serve, task

MARKS = os.environ["MARKS"]


@task
def nap(payload, run):
    for step in range(10):
        time.sleep(float(payload) / 10)
        run.progress((step + 1) / 10, f"step {step}")
        print("line", step)
    with open(os.path.join(MARKS, run.id), "a", encoding="ascii") as mark:
        mark.write(f"{run.attempt}\n")
    return {"slept": payload}


serve()
