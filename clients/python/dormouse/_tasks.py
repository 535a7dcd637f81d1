"""The tasks of this process, and how their functions are called."""

from __future__ import annotations

import inspect
import json
import typing

from dormouse import _enqueue, _hooks, _members
from dormouse._errors import Fail, Retry
from dormouse._payload import build
from dormouse._run import Run

P = typing.TypeVar("P")
P_contra = typing.TypeVar("P_contra", contravariant=True)
R = typing.TypeVar("R")
F = typing.TypeVar("F", bound=typing.Callable[..., typing.Any])

Classes = typing.Union[typing.Type[BaseException], typing.Tuple[typing.Type[BaseException], ...]]

known: dict[str, Task] = {}


class Enqueues(typing.Protocol[P_contra]):
    """What @task adds to a function: to enqueue it. What its payload may be is what the function says."""

    def enqueue(self, conn: typing.Any, payload: P_contra = ..., **options: typing.Any) -> typing.Any: ...
    def enqueue_many(self, conn: typing.Any, payloads: typing.Iterable[P_contra], **options: typing.Any) -> typing.Any: ...


class Function(Enqueues[P_contra], typing.Protocol[P_contra, R]):  # type: ignore[misc]
    def __call__(self, payload: P_contra, /, *run: typing.Any, **options: typing.Any) -> R: ...


class FunctionOfNothing(typing.Protocol[R]):  # type: ignore[misc]
    def __call__(self) -> R: ...
    def enqueue(self, conn: typing.Any, **options: typing.Any) -> typing.Any: ...


@typing.overload
def task(name: typing.Callable[[P, Run], R]) -> Function[P, R]: ...
@typing.overload
def task(name: typing.Callable[[P], R]) -> Function[P, R]: ...
@typing.overload
def task(name: typing.Callable[[], R]) -> FunctionOfNothing[R]: ...
@typing.overload
def task(name: str | None = None, *, queue: str | None = None, retry_on: Classes | None = None,
         no_retry_on: Classes = ()) -> _Register: ...
def task(name: typing.Any = None, *, queue: str | None = None, retry_on: Classes | None = None, no_retry_on: Classes = ()) -> typing.Any:
    """Registers a function, plain or async, as the handler of the task `name` (its own name by default), and gives it enqueue() and
    enqueue_many(), which check the payload against its annotation: thumbnail.enqueue(conn, payload, key=…). queue: the queue for these.
    retry_on: retry only after exceptions of these classes; no_retry_on: do not retry after these. Retry and Fail override
    both."""
    if callable(name):
        return task(name.__name__)(name)

    def register(function: F) -> F:
        called = name or function.__name__
        if called in known:
            raise ValueError(f"two functions for the task {called!r}: {known[called].function!r} and {function!r}")
        known[called] = Task(called, function, queue, retry_on, no_retry_on)
        function.enqueue, function.enqueue_many = known[called].enqueue, known[called].enqueue_many  # type: ignore[attr-defined]
        return function

    return register


def _classes(name, what, given):
    classes = tuple(given) if isinstance(given, (tuple, list, set, frozenset)) else (given,)
    for one in classes:
        if not (isinstance(one, type) and issubclass(one, BaseException)):
            raise TypeError(f"task {name!r}: {what} is a class of exceptions or a tuple of them, and {one!r} is none")
    return classes


class _Register(typing.Protocol):
    @typing.overload
    def __call__(self, function: typing.Callable[[P, Run], R]) -> Function[P, R]: ...
    @typing.overload
    def __call__(self, function: typing.Callable[[P], R]) -> Function[P, R]: ...
    @typing.overload
    def __call__(self, function: typing.Callable[[], R]) -> FunctionOfNothing[R]: ...


class Task:
    def __init__(self, name, function, queue=None, retry_on=None, no_retry_on=()):
        self.name, self.function, self.queue = name, function, queue
        self.retry_on = None if retry_on is None else _classes(name, "retry_on", retry_on)
        self.no_retry_on = _classes(name, "no_retry_on", no_retry_on)
        self.resolved = False
        self.is_async = inspect.iscoroutinefunction(function)
        self.payload_type = inspect.Parameter.empty

    def resolve(self):
        """Which argument is what. Not before everything is imported: annotations may name what comes later."""
        hints = {}
        parameters = inspect.signature(self.function).parameters.values()
        if any(isinstance(parameter.annotation, str) for parameter in parameters):
            try:
                hints = typing.get_type_hints(self.function)
            except Exception as error:
                raise TypeError(f"task {self.name!r}: an annotation of {self.function.__qualname__}() means nothing: {error}") from error
        self.order, self.keywords, positional = [], {}, True
        for parameter in parameters:
            annotation = hints.get(parameter.name, parameter.annotation)
            what = "run" if parameter.name == "run" or annotation is Run else "payload"
            if what == "payload" and parameter.name in _hooks.names():
                what = f"hook {parameter.name}"
            if parameter.kind is parameter.VAR_KEYWORD or what in self.order or what in self.keywords.values():
                if parameter.default is parameter.empty and parameter.kind is not parameter.VAR_KEYWORD:
                    raise TypeError(f"task {self.name!r}: {self.function.__qualname__}() is given a payload and, if it likes, the "
                                    f"run; {parameter.name!r} needs a default, or an @on_start function of that name that returns it")
                positional = False
                continue
            if what == "payload" and annotation is not parameter.empty:
                self.payload_type = annotation
            if positional and parameter.kind is not parameter.KEYWORD_ONLY:
                self.order.append(what)
            else:
                self.keywords[parameter.name] = what
        self.resolved = True
        self.plain = self.order == ["payload"] and not self.keywords and self.payload_type is inspect.Parameter.empty

    def call(self, run):
        if self.plain:
            return self.function(run.payload)
        payload = build(self.payload_type, run.payload, "payload")

        def given(what):
            return payload if what == "payload" else run if what == "run" else _hooks.values.get(what.partition(" ")[2])

        return self.function(*map(given, self.order), **{name: given(what) for name, what in self.keywords.items()})

    def gives_up_on(self, error):
        """Whether a run that failed with it has failed for good."""
        if isinstance(error, (Fail, Retry)):
            return False
        return isinstance(error, self.no_retry_on) or self.retry_on is not None and not isinstance(error, self.retry_on)

    def enqueue(self, conn, payload=_enqueue.GIVEN_NOTHING, **options):
        """dormouse.enqueue() of this task, once its payload is one that the function takes."""
        given = {} if payload is _enqueue.GIVEN_NOTHING else payload
        self._check(given, f"the payload of {self.name!r}")
        return _enqueue.enqueue(conn, self.name, payload, **{"queue": self.queue, **options})

    def enqueue_many(self, conn, payloads, **options):
        payloads = list(payloads)
        for number, payload in enumerate(payloads):
            self._check(payload, f"payload {number} of {self.name!r}")
        return _enqueue.enqueue_many(conn, self.name, payloads, **{"queue": self.queue, **options})

    def _check(self, payload, what):
        if not self.resolved:
            self.resolve()
        if self.payload_type is not inspect.Parameter.empty:
            build(self.payload_type, json.loads(_members.payload(payload, what)), what)
