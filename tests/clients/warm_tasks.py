"""Tasks for the tests of the warm clients; warm_tasks.js has the same ones. warm_tasks.py plain|threads|async says how."""

import dataclasses
import datetime
import decimal
import enum
import json
import logging
import multiprocessing
import os
import subprocess
import sys
import threading
import time
import typing
import uuid

import dormouse
from dormouse import BadPayload, Cancelled, Fail, Retry, Run, Snooze, serve, task

LAST = time.monotonic() + 300  # no process outlives a test that was ended


@dataclasses.dataclass
class Size:
    width: int
    height: int = 100


@dataclasses.dataclass
class Picture:
    file: str
    sizes: typing.List[Size]


class Colour(enum.Enum):
    RED = "red"


class Checked:
    """As pydantic's models are."""

    def __init__(self, value):
        self.value = value

    @classmethod
    def model_validate(cls, value):
        if not isinstance(value, str):
            raise ValueError("not a text")
        return cls(value)

    def model_dump(self):
        return {"checked": self.value}


@dataclasses.dataclass
class Order:
    colour: Colour
    at: datetime.datetime
    id: uuid.UUID
    how: typing.Literal["fast", 1]
    by_name: typing.Dict[str, typing.List[int]]
    price: float
    paid: bool = False
    note: typing.Optional[str] = None
    either: typing.Union[int, Size, None] = None
    pair: typing.Tuple[int, str] = (1, "one")
    checked: typing.Optional[Checked] = None

    def __post_init__(self):
        if self.price < 0:
            raise ValueError("a price below 0")


@task
def order(payload: Order):
    return payload


@task
def as_dict(payload: dict, run: Run):
    return [type(payload).__name__, payload]


@task
def by_keyword(*, payload: Size, run, verbose=False):
    return [run.task, payload.width, verbose]


@task("echo")
def echo(payload):
    return payload


@task
def who(this: Run):
    return {name: getattr(this, name) for name in ("id", "task", "queue", "attempt", "max_attempts", "fence", "deadline", "traceparent")}


@task
def nothing():
    print("a stray line on stdout")


@task
def broken(payload):
    raise KeyError("no such file\x1b\x00\ud800")


@task
def leaves():
    sys.exit(3)


@task
def fails(payload):
    raise Fail("never", permanent=payload["permanent"])


@task
def tries_again(payload):
    raise Retry("busy", in_=payload)


@task
def later(payload):
    raise Snooze("busy", in_=payload)


@task
def steps(payload, run):
    run.progress(0.25, "a quarter")
    run.progress(7)
    run.log("one\ntwo \ud800\x00")
    for level in ("debug", "info", "warning", "error"):
        run.log(level, level=level)
    run.heartbeat(within=30)


@task
def chain(payload, run):
    run.enqueue("next", {"n": 1}, queue="mail", priority=-1, key="k")
    run.enqueue("last", max_attempts=2, delay=None)
    if payload == "odd":
        run.enqueue("last", attempts=2)
    if payload:
        raise ValueError("after all")


@task
def hands_on(payload, run):
    count, size, *result = payload
    for _ in range(count):
        run.enqueue("next", "x" * size)
    return result[0] if result else None


@task
def half(payload):
    return {"text": "a \ud800"}


@task
def unwritable(payload):
    return {"object": {"nan": float("nan"), "object": object(), "huge": 10**400}[payload]}


@task
def everyday():
    return {"set": {2, 1}, "bytes": b"\xff\x00", "decimal": decimal.Decimal("1.50"), "time": datetime.time(9, 30),
            "delta": datetime.timedelta(minutes=1, milliseconds=500), "at": datetime.datetime(2026, 11, 28, 12, tzinfo=datetime.timezone.utc)}


@task
def starts(payload, run):
    """A process that has one of its own; both go on for long. Then as payload says."""
    child = subprocess.Popen(["/bin/sh", "-c", "sleep 300 & echo $$ $!; wait"], stdout=subprocess.PIPE, text=True)
    pids = [int(pid) for pid in child.stdout.readline().split()]
    if payload == "leaves":
        return pids
    run.log(json.dumps(pids))
    while time.monotonic() < LAST:
        run.progress(text="works")
        time.sleep(0.01)


@task
def forks(payload, run):
    """The child does what payload says, and must not answer for its parent."""
    pid = os.fork()
    if pid == 0:
        run.log("from the child")
        if payload == "raises":
            raise ValueError("from the child")
        if payload == "exits":
            sys.exit(7)
        return "from the child"
    return ["from the parent", os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])]


@task
def counts_by_processes(payload):
    context = multiprocessing.get_context(payload)
    with context.Pool(2) as pool:
        return pool.map(abs, [-1, -2, -3])


@task
def sized(payload: Picture):
    return payload


@task
def logs(payload):
    logging.getLogger("app").info("for %s", payload)
    logging.error("and this")


@task
def gate(payload, run):
    run.log("began")
    with open(payload) as file:
        return file.read()


@task
def spins(payload, run):
    run.progress(text="spins")
    while not os.path.exists(payload) and time.monotonic() < LAST:
        pass


@task
def floods(payload, run):
    for _ in range(payload):
        run.log("\n".join(["x" * 16_000] * 20))  # one write, which the kernel takes in pieces


@task
def waits(payload, run):
    try:
        run.log("began")  # the cancellation may come as soon as that is said
        while time.monotonic() < LAST:
            if payload == "asks":
                run.progress(text="again")
            elif payload == "polls" and run.cancelled:
                return run.cancel_reason
            elif payload == "computes":
                sum(range(1000))
            elif payload == "blocks":
                threading.Event().wait(LAST - time.monotonic())
    except Cancelled:
        run.log("tidied")
        raise


how = sys.argv.pop(1) if __name__ == "__main__" else "plain"  # else a process of multiprocessing
if how == "async":
    import asyncio

    @task("async_gate")
    async def async_gate(payload, run: dormouse.Run):
        run.log("began")
        return await asyncio.get_running_loop().run_in_executor(None, lambda: open(payload).read())

    @task
    async def async_waits(payload, run):
        try:
            run.log("began")
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            run.log("tidied")
            raise

    @task
    async def async_broken(payload):
        await asyncio.Event().wait() if payload is None else None
        raise BadPayload("by itself")

    @task
    async def async_leaves(payload):
        sys.exit(3)


if __name__ == "__main__":
    serve(concurrency={"plain": None, "threads": 4, "async": 4}[how])
    assert "DORMOUSE_CONTROL_FD" not in os.environ
    print("after serve()")
