"""What Celery has and dormouse has not, by its name: an error that says what to do instead."""

from __future__ import annotations

from typing import Any, Callable, NoReturn

_NEXT = "the task calls the next one at its end, other.apply_async(args, key=self.request.id): docs/moving/from-celery.md, Chains"
_COUNT = "enqueue the parts, and have each count in a table of yours; the one that finds itself the last enqueues what follows: docs/moving/flows.md"
_MANY = "enqueue them in one transaction, and keep their ids: [task.delay(x) for x in many]"
_POOL = "a pool starts the workers: `python3 -m dormouse.celery --toml APP` prints their tables"
_RATE = "the key concurrency of the task's table bounds how many run at once; so many in a minute: docs/moving/flows.md"
_TIMER = "a systemd timer or a line of cron enqueues it: docs/moving/from-cron.md"

_QUEUE = "the queue is queue=, and a pool serves it: queues in its [worker]"

INSTEAD = {
    "chain": _NEXT, "link": _NEXT, "chord": _COUNT, "group": _MANY, "chunks": _MANY, "xmap": _MANY, "xstarmap": _MANY,
    "signature": f"as a part of a chain: {_NEXT}; of a group: {_MANY}; of a chord: {_COUNT}; else functools.partial(task.delay, 1, 2)",
    "link_error": 'the key on_failure of the task\'s table names the task that is told, also one of these; it is called with the id of the run that has failed: docs/moving/from-celery.md',
    "routing_key": _QUEUE, "exchange": _QUEUE, "exchange_type": _QUEUE,
    "MessageGroupId": "one at a time for each group: a lock in the task, docs/moving/from-graphile-worker.md, One at a time for each key",
    "MessageDeduplicationId": "key= enqueues once",
    "beat_schedule": _TIMER, "crontab": _TIMER, "add_periodic_task": _TIMER,
    "on_after_configure": _TIMER, "on_after_finalize": _TIMER, "map": _MANY, "starmap": _MANY,
    "start": _POOL, "worker_main": _POOL, "Worker": _POOL, "register_task": "a class is no task: decorate a function with @app.task(base=YourClass)",
    "task_annotations": "say it at the task, or in the task's table", "task_default_rate_limit": _RATE,
    "rate_limit": _RATE,
    "replace": "apply_async() of the other task, and return",
    "GroupResult": _MANY, "ResultSet": _MANY, "allow_join_result": "a task that waits for another holds a slot that it may need; " + _NEXT,
}


def refuse(name: str) -> NoReturn:
    raise NotImplementedError(f"{name} of Celery is not in dormouse; {INSTEAD[name]}")


def refuse_options(given: Any) -> None:
    """Of a task or a call: those that have no meaning here, and would be missed."""
    for name in ("link", "link_error", "routing_key", "exchange", "exchange_type", "MessageGroupId", "MessageDeduplicationId"):
        if given.get(name) is not None:
            refuse(name)


class NoBackend:
    """Task.backend: results are in Postgres, and nothing else is to be asked for them."""

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(f"dormouse.celery has no backend.{name}; results are in Postgres: AsyncResult(id)")


def _absent(name: str) -> Callable[..., Any]:
    def call(*_: Any, **__: Any) -> NoReturn:
        refuse(name)

    call.__name__ = name
    return call


chain, chord, group, chunks, xmap, xstarmap = map(_absent, ("chain", "chord", "group", "chunks", "xmap", "xstarmap"))
signature, crontab = _absent("signature"), _absent("crontab")
GroupResult, ResultSet, allow_join_result = map(_absent, ("GroupResult", "ResultSet", "allow_join_result"))
