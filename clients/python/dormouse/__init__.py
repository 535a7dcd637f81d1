"""Background runs in Postgres, from Python: enqueue them in your own transaction, and write their handlers. Standard library only, beside
the driver that you have; Python 3.9 or later.

    with dormouse.transaction(conn):  # of psycopg, psycopg2, asyncpg; sessions of SQLAlchemy and Django need none
        dormouse.enqueue(conn, "thumbnail", {"file": "a.png"}, key="a.png")

Handlers of the kind "warm", which stay while there is work:

    from dormouse import serve, task

    @task
    def thumbnail(payload):
        return {"bytes": make_thumbnail(payload["file"])}

    if __name__ == "__main__":
        serve()

The pool's command is ["/usr/bin/python3", "/srv/app/tasks.py"], or ["/usr/bin/python3", "-m", "dormouse", "app.tasks"] for a
module that need not call serve(). `python3 tasks.py --run thumbnail '{"file": "a.png"}'` runs it once, here and now.

A parameter that is named `run` or annotated with Run is the run; the first other one is the payload, as its annotation asks for
it: JSON as it is, a dataclass, a class with model_validate (pydantic). Either may be left out.
"""

from dormouse._enqueue import Answer, Result, cancel, enqueue, enqueue_many, result, retry, wait
from dormouse._errors import BadPayload, BadResult, Cancelled, Fail, Retry, Snooze
from dormouse._hooks import on_start, on_stop
from dormouse._pool import Pool, start
from dormouse._ring import ring
from dormouse._run import Run
from dormouse._serve import serve
from dormouse._tasks import task
from dormouse._testing import Enqueued, drain, enqueued
from dormouse._transaction import transaction
from dormouse._version import __version__

__all__ = ["Answer", "BadPayload", "BadResult", "Cancelled", "Enqueued", "Fail", "Pool", "Result", "Retry", "Run", "Snooze", "__version__", "cancel",
           "drain", "enqueue", "enqueue_many", "enqueued", "on_start", "on_stop", "result", "retry", "ring", "serve", "start", "task", "transaction", "wait"]
