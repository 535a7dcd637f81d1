"""Tasks that end in other ways than they say, and tasks that are told of it."""

import time

from dormouse.celery import Celery, Retry, Task, shared_task
from dormouse.celery.exceptions import SoftTimeLimitExceeded
from dormouse.celery.signals import task_failure, task_postrun, task_retry, task_success

from dormouse import task

app = Celery("shop")
app.conf.task_routes = {"celery_ends.routed": {"queue": "mail"}}


class Told(Task):
    def on_success(self, retval, task_id, args, kwargs):
        print("on_success", retval)

    def on_retry(self, exc, task_id, args, kwargs, einfo):
        print("on_retry", repr(exc))

    def on_failure(self, exc, task_id, args, kwargs, einfo):
        print("on_failure", repr(exc))

    def after_return(self, status, retval, task_id, args, kwargs, einfo):
        print("after_return", status)


for signal in (task_failure, task_retry, task_success):
    signal.connect(lambda signal=None, exception=None, reason=None, **_: print(signal.name, repr(exception or reason)))
task_postrun.connect(lambda state=None, **_: print("task_postrun", state))


@shared_task(base=Told, soft_time_limit=1, max_retries=1)
def passes():
    time.sleep(60)  # is interrupted


@shared_task(base=Told, soft_time_limit=1, max_retries=0)
def swallows():
    try:
        time.sleep(60)  # is interrupted
    except SoftTimeLimitExceeded:
        return "what there is"


@shared_task(base=Told, soft_time_limit=1, max_retries=0)
def stumbles():
    try:
        time.sleep(60)  # is interrupted
    except SoftTimeLimitExceeded:
        raise ValueError("while it tidied up") from None


@shared_task(base=Told, bind=True)
def lasts(self, stumble=False):
    try:
        print("begins")
        time.sleep(60)  # is interrupted
    except SoftTimeLimitExceeded:
        print("the limit")
    except Exception:
        print("an exception")
    finally:
        print("finally", self.request.run.cancel_reason)
        if stumble:
            raise ValueError("while it tidied up")


@shared_task(bind=True, max_retries=1)
def looks(self):
    try:
        raise self.retry(exc=OSError("away"), countdown=0)
    except Retry as again:
        print("when", again.when, repr(again.exc), again.message, again.humanize())
        raise
    except OSError:
        return [self.request.headers, self.request.get("tenant"), self.request.tenant, self.request.get("nothing", 7), self.request_stack.top is self.request]


@shared_task
def gives_up():
    raise ValueError("no good")


@shared_task(bind=True)
def hears(self, failed_run):
    return [failed_run, self.request.run.payload["error"]["class"]]


@task(queue="own")
def native(payload):
    return payload["a"]
