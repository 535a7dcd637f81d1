"""The tasks of this process, and how their functions are called."""

import inspect
import typing

from dormouse._payload import build
from dormouse._run import Run

known = {}


def task(name=None):
    """Registers a function, plain or async, as the handler of the task `name` (its own name by default)."""
    if callable(name):
        return task(name.__name__)(name)

    def register(function):
        called = name or function.__name__
        if called in known:
            raise ValueError(f"two functions for the task {called!r}: {known[called].function!r} and {function!r}")
        known[called] = Task(called, function)
        return function

    return register


class Task:
    def __init__(self, name, function):
        self.name, self.function = name, function
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
            if parameter.kind is parameter.VAR_KEYWORD or what in self.order or what in self.keywords.values():
                if parameter.default is parameter.empty and parameter.kind is not parameter.VAR_KEYWORD:
                    raise TypeError(f"task {self.name!r}: {self.function.__qualname__}() is given a payload and, if it likes, the "
                                    f"run; {parameter.name!r} needs a default")
                positional = False
                continue
            if what == "payload" and annotation is not parameter.empty:
                self.payload_type = annotation
            if positional and parameter.kind is not parameter.KEYWORD_ONLY:
                self.order.append(what)
            else:
                self.keywords[parameter.name] = what
        self.plain = self.order == ["payload"] and not self.keywords and self.payload_type is inspect.Parameter.empty

    def call(self, run):
        if self.plain:
            return self.function(run.payload)
        payload = build(self.payload_type, run.payload, "payload")
        return self.function(*[run if what == "run" else payload for what in self.order],
                             **{name: run if what == "run" else payload for name, what in self.keywords.items()})
