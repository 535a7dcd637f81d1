"""python3 -m dormouse.celery APP: in place of `celery -A APP worker`; a pool starts it. APP is what -A is given: a module with the app, or with
tasks, or a package with celery.py. --toml: prints the tables of its tasks."""

import importlib
import importlib.util
import json
import os
import sys

from dormouse import _tasks, serve
from dormouse.celery import Celery, current_app
from dormouse.celery._task import registered

_USAGE = "usage: python3 -m dormouse.celery [--toml] APP [--run TASK [PAYLOAD]]"


def load(given):
    name = given.partition(":")[0]
    module = importlib.import_module(name)
    apps = [value for value in vars(module).values() if isinstance(value, Celery)]
    if not apps and hasattr(module, "__path__") and importlib.util.find_spec(f"{name}.celery"):
        module = importlib.import_module(f"{name}.celery")
        apps = [value for value in vars(module).values() if isinstance(value, Celery)]
    for app in apps or [current_app()]:
        app.load()


def toml(given):
    """Celery has no limit of time unless one is said: without "never" a task that takes longer than dormouse's hour would be ended and tried again. Tasks of
    @dormouse.task in the same modules have a table, too, as this command executes them; what it does not say is dormouse's default."""
    own = {name: task for name, task in _tasks.known.items() if name not in registered}
    command = json.dumps([sys.executable, "-m", "dormouse.celery", given])
    queues = sorted({task.app.queue_of(task) or "default" for task in registered.values()} | {task.queue or "default" for task in own.values()})
    if set(queues) - {"default"}:
        print(f"# These tasks are enqueued into other queues, too; under [worker]: queues = {json.dumps(sorted({'default', *queues}))}\n")
    for name in sorted(_tasks.known):
        print(f"[task.{json.dumps(name)}]\nhandler = \"warm\"\ncommand = {command}\nworking_directory = {json.dumps(os.getcwd())}")
        if name in registered:
            task = registered[name]
            print(f"max_attempts = {task.max_attempts}\ntimeout = " + ('"never"' if task.timeout is None else f'"{task.timeout}s"'))
        print()


def main(arguments):
    printed = arguments[:1] == ["--toml"]
    given = arguments[1:] if printed else arguments
    if not given or given[0].startswith("-"):
        sys.exit(_USAGE)
    load(given[0])
    if printed:
        return toml(given[0])
    sys.argv = [f"-m dormouse.celery {given[0]}", *given[1:]]
    serve()


main(sys.argv[1:])
