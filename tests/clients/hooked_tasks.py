"""Tasks with hooks and classes of exceptions, for hooks_test.py; hooked_tasks.js has the same ones. HOOKED: a file that they write into; HOW: fails,
hangs, async, threads."""

import asyncio
import os
import time

from dormouse import Fail, Retry, on_start, on_stop, serve, task

how = os.environ["HOW"].split()


def note(text):
    with open(os.environ["HOOKED"], "a", encoding="utf-8") as file:
        file.write(text + "\n")


@on_start
def opens():
    note("opens")
    if "fails" in how:
        raise ConnectionError("no such database")


@on_start
async def loads():
    await asyncio.sleep(0)
    note("loads")


@on_stop
async def unloads():
    await asyncio.sleep(0)
    note("unloads")
    raise ValueError("it goes on")


@on_stop
def closes():
    note("closes")
    if "hangs" in how:
        time.sleep(300)  # hangs, until it is killed: that is the case


class Flaky(Exception):
    pass


class VeryFlaky(Flaky):
    pass


def fail(payload):
    raise {"flaky": Flaky("x"), "very": VeryFlaky("x"), "other": ValueError("x"), "retry": Retry("x", in_=3), "fail": Fail("x"),
           "not_for_good": Fail("x", permanent=False)}[payload]


@task(retry_on=Flaky)
def picky(payload):
    fail(payload)


@task(no_retry_on=(ValueError, VeryFlaky))
def lenient(payload):
    fail(payload)


@task(retry_on=(Flaky, ValueError), no_retry_on=VeryFlaky)
def both(payload):
    fail(payload)


@task
def works(payload):
    note("works")


if "async" in how:
    @task
    async def waits(payload):
        await asyncio.sleep(0.05)
        note("waited")


serve(concurrency=2 if "threads" in how else None)
