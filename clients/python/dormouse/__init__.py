"""Tasks in Python that stay warm while there is work: handlers of the kind "warm". Standard library only, Python 3.9 or later.

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

from dormouse._errors import BadPayload, BadResult, Cancelled, Fail, Retry, Snooze
from dormouse._run import Run
from dormouse._serve import serve
from dormouse._tasks import task
from dormouse._version import __version__

__all__ = ["BadPayload", "BadResult", "Cancelled", "Fail", "Retry", "Run", "Snooze", "__version__", "serve", "task"]
