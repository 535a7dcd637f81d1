"""Tasks as programs of Celery have them; WORLD says where they are imported from: celery, or dormouse.celery."""

import importlib
import os

world = importlib.import_module(os.environ.get("WORLD", "dormouse.celery"))
shared_task = world.shared_task
MaxRetriesExceededError = (world if hasattr(world, "MaxRetriesExceededError") else importlib.import_module("celery.exceptions")).MaxRetriesExceededError
app = world.Celery("shop")
DIRECTORY = os.environ.get("MARKS", "/nonexistent")


def mark(name):
    """How often it was called for that name, this time included; as it is told by a file: attempts need not be of one process."""
    with open(f"{DIRECTORY}/{name}", "a+", encoding="utf-8") as file:
        file.write("x")
        file.flush()
        return file.tell()


class Unreachable(Exception):
    pass


@shared_task
def add(a, b=1):
    return a + b


@app.task(name="shop.who", bind=True)
def who(self, *args, **kwargs):
    return {"id": self.request.id, "retries": self.request.retries, "args": self.request.args, "kwargs": self.request.kwargs,
            "inner": inner(), "after": self.request.id is not None}


@shared_task(bind=True)
def inner(self):
    return self.request.called_directly


@shared_task(bind=True, max_retries=2, default_retry_delay=0)
def third_time(self, name):
    try:
        if mark(name) < 3:
            raise Unreachable(name)
    except Unreachable as error:
        raise self.retry(exc=error)
    return self.request.retries


@shared_task(bind=True, max_retries=1, default_retry_delay=0)
def never(self, name, why=None):
    mark(name)
    self.retry(exc=why and ValueError(why), countdown=0)


@shared_task(autoretry_for=(Unreachable, OSError), dont_autoretry_for=(FileNotFoundError,), max_retries=3, retry_backoff=True, retry_backoff_max=0)
def by_itself(name, kind="Unreachable"):
    if mark(name) < 3:
        raise {"Unreachable": Unreachable, "FileNotFoundError": FileNotFoundError, "KeyError": KeyError, "OSError": OSError}[kind](name)
    return "done"


@shared_task(autoretry_for=(Exception,), retry_kwargs={"max_retries": 1, "countdown": 0})
def twice(name):
    mark(name)
    raise Unreachable("always")


@shared_task(ignore_result=True)
def silent():
    return "nobody wants it"


@shared_task(bind=True, soft_time_limit=600)
def steps(self):
    self.update_state(state="PROGRESS", meta={"current": 1, "total": 4})


@shared_task
def calls_another(name):
    add.delay(1, 2)
    try:
        add.delay(1).get(timeout=1)
    except RuntimeError as error:
        return str(error)
