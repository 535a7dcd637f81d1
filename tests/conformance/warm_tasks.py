"""The tasks of the conformance suite in Python; exec_tasks.py, warm_tasks.js and functions.cpp have the same ones."""

import os
import signal
import subprocess
import sys
import time

from dormouse import Fail, Retry, Snooze, serve, task

LAST = time.monotonic() + 300  # no process outlives a test that was ended


def wait(run):
    run.log("began")
    while time.monotonic() < LAST:
        time.sleep(0.01)


@task
def echo(payload):
    return payload


@task
def context(payload, run):
    return {
        "id": run.id,
        "task": run.task,
        "queue": run.queue,
        "attempt": str(run.attempt),
        "max_attempts": str(run.max_attempts),
        "fence": run.fence,
        "traceparent": run.traceparent,
        "deadline": run.deadline,
    }


@task
def nothing():
    pass


@task
def fails(payload):
    raise ValueError("no such thing")


@task
def fails_for_good(payload):
    raise Fail("never", permanent=True)


@task
def later(payload):
    raise Snooze("busy", in_=30)


@task
def says(payload, run):
    run.progress(0.5, "half")
    run.log("careful", level="warning")
    run.enqueue("next", {"n": 1})
    return 1


@task
def sized(payload):
    return "x" * (payload - 2)


@task
def floods(payload, run):
    for _ in range(payload):
        run.log("y" * 1000)
    return True


@task
def misnames(payload, run):
    run.enqueue("next", attempts=2)
    run.log("the work is done")


@task
def prints(payload):
    for name in ("stdout", "stderr"):
        print(("x" * 999 + "\n") * 400 + f"the last of {name}", file=getattr(sys, name))
    if payload == "fails":
        raise ValueError("no such thing")


@task
def verbose(payload, run):
    run.log("ü" * 5_000)
    run.progress(0.5, "ü" * 500)
    raise ValueError("ü" * 10_000)


@task
def hoards(payload, run):
    run.enqueue("next", "x" * payload)


@task
def arguments(payload):
    return sys.argv[1:]


@task
def quiet(payload, run):
    run.heartbeat(within=0.3)
    wait(run)


@task
def waits(payload, run):
    wait(run)


@task
def stubborn(payload, run):
    told = False
    while time.monotonic() < LAST:
        try:
            if not told:
                told = True
                run.log("began")
            while time.monotonic() < LAST:
                time.sleep(0.01)
        except BaseException:  # even the cancellation, which may come as soon as that is said
            pass


@task
def dies(payload):
    os.kill(os.getpid(), signal.SIGKILL)


@task
def says_its_pid(payload, run):
    run.log(str(os.getpid()))
    wait(run)


@task
def unfit(what):
    circle = {}
    circle["b"] = circle
    ones = {"nan": float("nan"), "infinity": float("-inf"), "function": unfit, "text": "\ud800", "nul": "a\0b"}
    return {"a": [1, circle if what == "circle" else {"b": ones[what]}]}


@task
def has_pid():
    return os.getpid()


@task
def starts(payload, run):
    run.log(str(subprocess.Popen(["sleep", "300"]).pid))
    wait(run)


@task
def shells(payload, run):
    subprocess.run(["/bin/sh", "-c", payload])
    wait(run)


@task
def blocks(payload, run):
    run.log("began")
    os.system(payload)
    return "done"


@task
def fails_because(payload):
    try:
        raise OSError("the disk is full")
    except OSError as error:
        raise ValueError("no such thing") from error


@task
def drops(payload, run):
    run.enqueue("next", 1)
    run.enqueue("next", 2)
    if payload == "waits":
        wait(run)
    raise Snooze("busy", in_=30) if payload == "later" else ValueError("no such thing")


@task
def gives_up(payload):
    try:
        raise ValueError("no such thing")
    except ValueError as error:
        raise Retry("busy", in_=30) from error


class MumblingError(Exception):
    def __str__(self):
        raise TypeError("no word")


@task
def mumbles(payload):
    raise MumblingError


@task
def divides(payload, run):
    if os.fork() == 0:
        run.log("the child")
        return "twice"
    os.wait()
    return "once"


@task
def forks(payload):
    return subprocess.Popen(["sleep", "300"], start_new_session=True, stdout=subprocess.DEVNULL).pid


@task
def gated(payload, run):
    with open(payload + "/marks", "a") as marks:
        marks.write(f"{run.id} {run.fence} {os.getpid()}\n")
    os.close(os.open(payload + "/gate", os.O_RDONLY))
    return run.fence


if __name__ == "__main__":
    serve()
