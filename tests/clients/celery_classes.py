"""Tasks with a class of their own, as webhooks and Flask applications have them; WORLD says where they are imported from."""

import importlib
import os

world = importlib.import_module(os.environ.get("WORLD", "dormouse.celery"))
shared_task, Task = world.shared_task, world.Task


@shared_task
def before_the_app(text):
    return text


class InContext(Task):
    """Of a Flask application: what each task is executed within."""

    def __call__(self, *args, **kwargs):
        print("begins", self.name)
        return super().__call__(*args, **kwargs)


app = world.Celery("shop", task_cls=InContext)
app.conf.task_routes = {"celery_classes.un*": {"queue": "hooks"}}


class Delivery(Task):
    abstract = True
    autoretry_for = (ConnectionError,)
    retry_kwargs = {"max_retries": 2}
    retry_backoff = True
    retry_backoff_max = 0
    connected = None

    def __init__(self):
        self.connected = 0

    @property
    def connection(self):
        self.connected += 1
        return self.connected

    def before_start(self, task_id, args, kwargs):
        print("before", list(args), kwargs)

    def on_success(self, retval, task_id, args, kwargs):
        print("success", retval, task_id == self.request.id)

    def on_retry(self, exc, task_id, args, kwargs, einfo):
        print("retry", repr(exc), "ConnectionError" in einfo.traceback)

    def on_failure(self, exc, task_id, args, kwargs, einfo):
        print("failure", repr(exc), args, kwargs, "Traceback" in str(einfo))
        if args == ["worse"]:
            raise KeyError("of a hook")

    def after_return(self, status, retval, task_id, args, kwargs, einfo):
        print("after", status)


@app.task(base=Delivery, bind=True, name="webhook.deliver", acks_late=True, throws=(ValueError,))
def deliver(self, url, secret=None):
    if url == "down" and self.request.retries == 0:
        raise ConnectionError("refused")
    if url in ("bad", "worse"):
        raise ValueError("no such subscription")
    return [url, secret, self.connection > 0, self.app.main, self.max_retries]


@shared_task(bind=True, base=Delivery, max_retries=7, expires=3600)
def once(self):
    return isinstance(self, Delivery), self.max_retries


@shared_task(queue="mail")
def unread():
    pass


@app.task
def unheard():
    pass
