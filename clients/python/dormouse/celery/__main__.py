"""python3 -m dormouse.celery APP: in place of `celery -A APP worker`; a pool starts it. APP is what -A is given: a module with the app, or with
tasks, or a package with celery.py. --toml: prints the tables of its tasks."""

import importlib
import importlib.util
import json
import os
import sys

from dormouse import serve
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
    command = json.dumps([sys.executable, "-m", "dormouse.celery", given])
    queues = sorted({task.app.queue_of(task) or "default" for task in registered.values()})
    if queues != ["default"]:
        print(f"# These tasks are enqueued into other queues, too; under [worker]: queues = {json.dumps(sorted({'default', *queues}))}\n")
    for name, task in sorted(registered.items()):
        print(f"[task.{json.dumps(name)}]\nhandler = \"warm\"\ncommand = {command}\nworking_directory = {json.dumps(os.getcwd())}\n"
              f"max_attempts = {task.max_attempts}" + (f'\ntimeout = "{task.timeout}s"' if task.timeout is not None else "") + "\n")


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
