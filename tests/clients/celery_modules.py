"""Tasks that import from Celery's modules, as programs do: `celery` has become `dormouse.celery`, and nothing else has changed."""

import os
import subprocess

from dormouse.celery import Celery, current_task, shared_task
from dormouse.celery.exceptions import Ignore, MaxRetriesExceededError, Reject, SoftTimeLimitExceeded
from dormouse.celery.result import AsyncResult
from dormouse.celery.signals import setup_logging, task_failure, task_postrun, task_prerun, task_retry, task_success, worker_process_init
from dormouse.celery.utils.log import get_task_logger

logger = get_task_logger(__name__)
app = Celery("shop", include=["celery_included"])
app.conf.update(task_acks_late=True, worker_prefetch_multiplier=1, task_time_limit=300, task_soft_time_limit=240)
app.conf["task_ignore_result"] = False
ready = []
worker_process_init.connect(lambda **_: ready.append("process"))


@setup_logging.connect
def configure(loglevel=None, **_):
    ready.append(loglevel)


@task_failure.connect
def failed(sender=None, task_id=None, exception=None, args=None, kwargs=None, traceback=None, einfo=None, **_):
    print("failure", sender.name, task_id == current_task.request.id, repr(exception), args, kwargs, traceback is not None)


@task_retry.connect
def again(sender=None, request=None, reason=None, einfo=None, **_):
    print("retry", sender.name, request.retries, repr(reason))


@task_success.connect(sender="celery_modules.fine")
def succeeded(sender=None, result=None, **_):
    print("success", sender.name, result)


@task_prerun.connect
def began(task=None, args=None, **_):
    print("prerun", task.name)
    raise ValueError("a receiver's own")


@task_postrun.connect
def ended(task=None, retval=None, state=None, **_):
    print("postrun", task.name, state)


@app.task
def fine():
    logger.info("at work")
    current_task.update_state(state="PROGRESS", meta={"current": 1, "total": 2})
    return [bool(current_task), current_task.request.hostname == os.uname().nodename, AsyncResult(current_task.request.id).state, ready]


@app.task(bind=True, autoretry_for=(OSError,), retry_kwargs={"max_retries": 1, "countdown": 0})
def bad(self, name):
    with open(name):
        pass


@app.task
def ignored():
    raise Ignore


@app.task
def rejected():
    raise Reject("no good", requeue=False)


@app.task(soft_time_limit=1, time_limit=60, max_retries=0)
def slow():
    try:
        subprocess.run(["sleep", "60"], check=True)
    except SoftTimeLimitExceeded:
        print("tidies up")
        raise


@shared_task(bind=True, max_retries=0)
def gives_up(self):
    try:
        self.retry()
    except MaxRetriesExceededError:
        return "gave up"
