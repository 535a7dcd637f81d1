"""What @shared_task and @app.task make of a function: it enqueues itself, and is the handler of its task."""

from __future__ import annotations

import datetime
import inspect
import logging
import random
import time
import traceback
import types
from typing import Any, Callable, NoReturn

import dormouse
from dormouse import _errors, _tasks
from dormouse._django import fresh_connections
from dormouse._errors import BadPayload, Cancelled, Fail, Snooze
from dormouse.celery import signals
from dormouse.celery._absent import NoBackend, refuse, refuse_options
from dormouse.celery._exceptions import ExceptionInfo, Expired, Ignore, MaxRetriesExceededError, Reject, Retry, SoftTimeLimitExceeded
from dormouse.celery._request import Request, RequestStack
from dormouse.celery._request import executed as _request
from dormouse.celery._result import AsyncResult, EagerResult
from dormouse.celery._times import aware, until

_MOST_ATTEMPTS = 1000
_UNSAID = object()
_OPTIONS = ("autoretry_for", "dont_autoretry_for", "max_retries", "default_retry_delay", "retry_backoff", "retry_backoff_max", "retry_jitter", "retry_kwargs",
            "ignore_result", "queue", "time_limit", "soft_time_limit", "priority", "expires")
WITHOUT_MEANING = {"acks_late", "acks_on_failure_or_timeout", "reject_on_worker_lost", "serializer", "compression", "track_started", "trail", "typing",
                    "throws", "store_errors_even_if_ignored", "send_events", "shared", "lazy", "pydantic", "retry", "retry_policy", "shadow",
                    "producer", "publisher", "add_to_parent", "argsrepr", "kwargsrepr", "abstract",
                    "delivery_mode", "resultrepr_maxsize", "autoregister"}


registered: dict[str, Task] = {}


class CurrentTask:
    """celery.current_task: the task that is executed here and now."""

    def __bool__(self) -> bool:
        return _request.get() is not None

    def __getattr__(self, name: str) -> Any:
        now = _request.get()
        if now is None:
            raise AttributeError(f"current_task.{name}: no task is executed here")
        return getattr(registered[now.task], name)


class Task:
    """What a function becomes. A class of yours, which base= names, may have the options as attributes, and hooks, as in Celery."""

    autoretry_for: Any = ()
    dont_autoretry_for: Any = ()
    max_retries: int | None = 3
    default_retry_delay: float = 180
    retry_backoff: Any = False
    retry_backoff_max: float = 600
    retry_jitter: bool = True
    retry_kwargs: dict[str, Any] = {}
    ignore_result: bool | None = None
    queue: str | None = None
    priority: int | None = None
    time_limit: float | None = None
    soft_time_limit: float | None = None
    expires: Any = None
    rate_limit: Any = None
    # What Celery has and what means nothing here: as Celery has it by default, for programs that read it.
    acks_late: Any = False
    acks_on_failure_or_timeout: Any = True
    reject_on_worker_lost: Any = False
    track_started: Any = False
    store_errors_even_if_ignored: Any = False
    trail: Any = True
    send_events: Any = True
    typing: Any = True
    throws: Any = ()
    serializer: Any = "json"
    compression: Any = None
    resultrepr_maxsize: int = 1024
    abstract: Any = True
    autoregister: Any = True
    backend: Any = NoBackend()
    MaxRetriesExceededError = MaxRetriesExceededError
    name: str
    run: Callable[..., Any]
    _app: Any = staticmethod(lambda: refuse("register_task"))  # of an object that no function has become

    def _define(self, function: Callable[..., Any], name: str, app: Callable[[], Any], bind: bool, options: dict[str, Any]) -> Task:
        for option in ("rate_limit", "link", "link_error"):
            if options.pop(option, getattr(self, option, None)) is not None:
                refuse(option)
        refuse_options(options)
        unknown = set(options) - set(_OPTIONS) - WITHOUT_MEANING
        if unknown:
            raise TypeError(f"task {name!r}: dormouse.celery does not know {', '.join(sorted(unknown))}; there are {', '.join(_OPTIONS)}")
        if inspect.iscoroutinefunction(function):
            raise TypeError(f"task {name!r}: an async function is not a Celery task; register it with @dormouse.task")
        self.__wrapped__, self.__doc__, self.__module__, self.__name__ = function, function.__doc__, function.__module__, function.__name__
        self.run, self.name, self._app = types.MethodType(function, self) if bind else function, name, app
        vars(self).update(options)
        self._signature = inspect.signature(self.run)

        def handle(payload: Any, run: Any) -> Any:
            return self._handle(payload, run)

        _tasks.task(name, retry_on=())(handle)
        registered[name] = self
        return self

    # --- hooks of a class of yours; what they raise is in the log, and is not the task's. before_start is a part of the task.

    def before_start(self, task_id: Any, args: Any, kwargs: Any) -> None: ...
    def on_success(self, retval: Any, task_id: Any, args: Any, kwargs: Any) -> None: ...
    def on_retry(self, exc: Any, task_id: Any, args: Any, kwargs: Any, einfo: Any) -> None: ...
    def on_failure(self, exc: Any, task_id: Any, args: Any, kwargs: Any, einfo: Any) -> None: ...
    def after_return(self, status: str, retval: Any, task_id: Any, args: Any, kwargs: Any, einfo: Any) -> None: ...

    def _tell(self, hook: str, *given: Any) -> None:
        try:
            getattr(self, hook)(*given)
        except Exception:
            logging.getLogger(__name__).exception("%s of %s", hook, self.name)

    # --- a function still

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.run(*args, **kwargs)

    @property
    def app(self) -> Any:
        return self._app()

    @property
    def max_attempts(self) -> int:
        mosts = [_MOST_ATTEMPTS if most is None else most for most in (self.max_retries, self.retry_kwargs.get("max_retries", self.max_retries))]
        return min(max(mosts) + 1, _MOST_ATTEMPTS)

    @property
    def request(self) -> Request:
        now = _request.get()
        return now if now is not None and now.task == self.name else Request(self.name)

    @property
    def request_stack(self) -> RequestStack:
        now = _request.get()
        return RequestStack(now if now is not None and now.task == self.name else None)

    @property
    def timeout(self) -> float | None:
        """Where there are two limits it is the soft one: what does not end then is killed after ten seconds more."""
        conf = self._app().conf
        limits = (self.soft_time_limit, self.time_limit, conf.task_soft_time_limit, conf.task_time_limit)
        return next((limit for limit in limits if limit is not None), None)

    # --- enqueueing

    def delay(self, *args: Any, **kwargs: Any) -> AsyncResult:
        return self.apply_async(args, kwargs)

    def delay_on_commit(self, *args: Any, **kwargs: Any) -> AsyncResult:
        """In Django .delay() is a part of the transaction already."""
        return self.apply_async(args, kwargs)

    def apply_async_on_commit(self, *args: Any, **kwargs: Any) -> AsyncResult:
        return self.apply_async(*args, **kwargs)

    def apply_async(self, args: Any = None, kwargs: Any = None, task_id: str | None = None, *, countdown: float | None = None,
                    eta: datetime.datetime | None = None, expires: Any = None, queue: str | None = None, priority: int | None = None,
                    time_limit: float | None = None, soft_time_limit: float | None = None, connection: Any = None, key: str | None = None,
                    ring: Any = True, link: Any = None, link_error: Any = None, headers: Any = None, **options: Any) -> AsyncResult:
        """Enqueues a run in the transaction of the connection (docs/moving/from-celery.md says which). priority: as dormouse has it, smaller is
        sooner. key: the first run of that task and key is the answer instead of a second one. connection, key, ring: dormouse.enqueue()'s."""
        refuse_options({name: given for name, given in (("link", link), ("link_error", link_error)) if given} | options)
        unknown = set(options) - WITHOUT_MEANING - {"ignore_result"}
        if unknown:
            raise TypeError(f"apply_async() of {self.name!r}: dormouse.celery does not know {', '.join(sorted(unknown))}; the queue is queue=")
        app = self._app()
        args, kwargs = list(args or ()), dict(kwargs or {})
        try:
            self._signature.bind(*args, **kwargs)
        except TypeError as error:
            raise TypeError(f"the arguments of {self.name!r}: {error}") from None
        if app.conf.task_always_eager:
            return self.apply(args, kwargs, headers=headers)
        payload: dict[str, Any] = {"args": args, "kwargs": kwargs}
        expires = self.expires if expires is None else expires
        if expires is not None:
            payload["expires"] = until(expires)
        if headers:
            payload["headers"] = dict(headers)
        timeout = next((limit for limit in (soft_time_limit, time_limit, self.timeout) if limit is not None), None)
        run = dormouse.enqueue(app.connection_for(connection), self.name, payload, key=key_of(self.name, task_id, key), run_at=aware(eta),
                               delay=countdown if eta is None else None, queue=queue or app.queue_of(self),
                               priority=self.priority if priority is None else priority,
                               timeout=timeout, max_attempts=self.max_attempts, ring=ring)
        return AsyncResult(run, app)

    def s(self, *_: Any, **__: Any) -> NoReturn:
        refuse("signature")

    si = signature = subtask = s

    def replace(self, *_: Any) -> NoReturn:
        refuse("replace")

    def map(self, *_: Any) -> NoReturn:
        refuse("map")

    def starmap(self, *_: Any) -> NoReturn:
        refuse("starmap")

    def chunks(self, *_: Any) -> NoReturn:
        refuse("chunks")

    def AsyncResult(self, id: Any) -> AsyncResult:
        return AsyncResult(id, self._app())

    # --- executing

    def _handle(self, payload: Any, run: Any) -> Any:
        payload = {} if payload is None else payload
        if isinstance(payload, dict) and "run_id" in payload and "error" in payload:  # of on_failure of another task's table
            payload = {"args": [payload["run_id"]]}
        if not isinstance(payload, dict) or set(payload) - {"args", "kwargs", "expires", "headers"}:
            raise BadPayload('payload: expected {"args": […], "kwargs": {…}}; enqueue with .delay(), or with such a payload')
        if run.attempt == 1 and payload.get("expires") is not None and time.time() > payload["expires"]:
            raise Expired(f"expired {time.time() - payload['expires']:.0f} s before it could begin")
        request = Request(self.name, payload.get("args", ()), payload.get("kwargs"), run.id, run.attempt - 1, run.max_attempts, run,
                          payload.get("headers"))
        run.timed_out = SoftTimeLimitExceeded
        with fresh_connections():
            result = self._signalled(request)
        ignored = self.ignore_result if self.ignore_result is not None else self._app().conf.task_ignore_result
        return None if ignored else result

    def _signalled(self, request: Request) -> Any:
        about = {"task_id": request.id, "args": request.args, "kwargs": request.kwargs}
        result, state, einfo = None, "FAILURE", None
        token = _request.set(request)  # its receivers ask for current_task
        try:
            signals.task_prerun.send(self, task=self, **about)
            result = self._in_time(request)
            state = "SUCCESS"
            signals.task_success.send(self, result=result)
            self._tell("on_success", result, *about.values())
        except _errors.Retry as again:
            result, state, einfo = again, "RETRY", ExceptionInfo(again.__cause__ or again)
            self._tell_retry(request, einfo)
            raise
        except Snooze:
            state = "RETRY"
            raise
        except Ignore:
            state = "IGNORED"
        except Reject as rejected:
            state = "REJECTED"
            raise (Snooze if rejected.requeue else Fail)(str(rejected)) from rejected
        except Cancelled as ended:
            result, einfo = ended, ExceptionInfo(ended)
            timed_out = isinstance(ended, SoftTimeLimitExceeded)
            state = "REVOKED" if request.stopped() == "canceled" else "FAILURE" if timed_out and request.is_last else "RETRY"
            if state == "FAILURE":
                self._tell_failure(ended, about, einfo)
            elif timed_out:
                self._tell_retry(request, einfo)
            raise
        except Exception as error:
            result, einfo = error, ExceptionInfo(error)
            self._tell_failure(error, about, einfo)
            raise
        finally:
            signals.task_postrun.send(self, task=self, retval=result, state=state, **about)
            if state in ("SUCCESS", "FAILURE"):
                self._tell("after_return", state, result, *about.values(), einfo)
            _request.reset(token)
        return result

    def _tell_retry(self, request: Request, einfo: ExceptionInfo) -> None:
        signals.task_retry.send(self, request=request, reason=einfo.exception, einfo=einfo)
        self._tell("on_retry", einfo.exception, request.id, request.args, request.kwargs, einfo)

    def _tell_failure(self, error: BaseException, about: dict[str, Any], einfo: ExceptionInfo) -> None:
        signals.task_failure.send(self, exception=error, traceback=error.__traceback__, einfo=einfo, **about)
        self._tell("on_failure", error, *about.values(), einfo)

    def _in_time(self, request: Request) -> Any:
        """A run that the worker has told to end does not end as its function says: after a timeout it has timed out, whatever the function returned or raised;
        else an exception says nothing of the task, and only what it returned counts."""
        try:
            result = self._execute(request)
        except Exception as error:
            why = request.stopped()
            if why == "timeout" or why is not None and not isinstance(error, Ignore):
                raise (SoftTimeLimitExceeded if why == "timeout" else Cancelled)(why) from error
            raise
        if request.stopped() == "timeout":
            raise SoftTimeLimitExceeded("timeout")
        return result

    def _execute(self, request: Request) -> Any:
        token = _request.set(request)
        try:
            self.before_start(request.id, request.args, request.kwargs)
            return self(*request.args, **request.kwargs)
        except (_errors.Retry, Snooze, Ignore, Reject):
            raise
        except self.dont_autoretry_for:
            raise
        except tuple(self.autoretry_for) as error:
            countdown = self.retry_kwargs.get("countdown")
            if self.retry_backoff:
                countdown = self._backoff(request.retries)
            self.retry(exc=error, countdown=countdown, max_retries=self.retry_kwargs.get("max_retries", _UNSAID))
        finally:
            _request.reset(token)

    def _backoff(self, retries: int) -> int:
        longest = min(int(max(1, self.retry_backoff)) * 2 ** min(retries, 60), self.retry_backoff_max)
        return random.randint(0, longest) if self.retry_jitter else longest

    def retry(self, args: Any = None, kwargs: Any = None, exc: Any = None, throw: bool = True, eta: datetime.datetime | None = None,
              countdown: float | None = None, max_retries: Any = _UNSAID, **options: Any) -> Retry:
        """Raises what has the run tried again; at the last attempt `exc`, or MaxRetriesExceededError. max_retries can lower what the task says."""
        request = self.request
        if args is not None or kwargs is not None or set(options) - WITHOUT_MEANING:
            given = ", ".join([name for name, value in (("args", args), ("kwargs", kwargs)) if value is not None] + sorted(options))
            raise TypeError(f"retry() of {self.name!r}: a run keeps its payload and its queue, so there is no {given}; enqueue another run with "
                            "apply_async() and return")
        if request.called_directly:
            raise exc or Retry("it was called, but not by a worker, so it is not retried")
        most = self.max_retries if max_retries is _UNSAID else max_retries
        more = _MOST_ATTEMPTS if most is None else most
        if request.retries >= more or request.retries + 1 >= request.attempts:
            if request.retries < more and request.run is not None:
                request.run.log(f"retry(max_retries={most}): the run was enqueued with {request.attempts} attempts; say max_retries at the task", "warning")
            raise exc or MaxRetriesExceededError(f"{self.name} has used up its {request.retries + 1} attempts")
        again = Retry(exc=exc, when=eta or (self.default_retry_delay if countdown is None else countdown), is_eager=request.is_eager)
        if throw:
            raise again from exc
        return again

    def update_state(self, task_id: Any = None, state: str | None = None, meta: Any = None) -> None:
        """The run's progress: its fraction is current / total of meta, its text is meta."""
        run = self.request.run
        if run is None:
            return
        fraction = None
        if isinstance(meta, dict) and all(isinstance(meta.get(name), (int, float)) for name in ("current", "total")) and meta["total"]:
            fraction = meta["current"] / meta["total"]
        run.progress(fraction, str(state or "") if meta is None else f"{state or ''} {meta}".strip())

    def apply(self, args: Any = None, kwargs: Any = None, headers: Any = None, **_: Any) -> EagerResult:
        """Executes it here and now, with its retries, without their pauses."""
        for retries in range(self.max_attempts):
            try:
                return EagerResult(self._signalled(Request(self.name, args or (), kwargs, "eager", retries, self.max_attempts, headers=headers)), None, None)
            except (_errors.Retry, Snooze):
                continue
            except Exception as error:
                if self._app().conf.task_eager_propagates:
                    raise
                return EagerResult(None, error, traceback.format_exc())
        raise AssertionError("retry() raises something else at the last attempt")


def key_of(name: str, task_id: Any, key: str | None) -> str | None:
    """A task_id that is a name: once for each."""
    if task_id is None:
        return key
    try:
        AsyncResult(task_id)
    except ValueError:
        return str(task_id)
    raise ValueError(f"{name!r}: task_id={task_id!r}: the database makes the id of a run; save the .id of what this returns, in the same transaction. "
                     "To enqueue once, give key=")
