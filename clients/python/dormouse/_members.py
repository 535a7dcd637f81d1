"""What a run is enqueued with: checked here, before anything is sent, so that a mistake leaves the caller's transaction as it is.

Every parameter goes to Postgres as text, with its cast in the statement: no driver's own idea of JSON, uuid or interval is in the way."""

from __future__ import annotations

import datetime
import json
import math
import re
from typing import Any, Iterable, Mapping, Union

from dormouse._errors import BadPayload, BadResult
from dormouse._json import to_json

Seconds = Union[float, datetime.timedelta]

MOST_BYTES = 16 << 20  # of a payload
_TEN_YEARS_S = 315576000
_UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_TYPES = {"payload": "jsonb", "priority": "integer", "run_at": "timestamptz", "delay": "interval", "max_attempts": "integer",
          "timeout": "interval"}


def text(name: str, value: Any, most: int, names_something: bool = True) -> str:
    if not isinstance(value, str):
        remedy = "give the name of its task; a function below @task has .enqueue(conn, payload)" if callable(value) else f"give str({name})"
        raise TypeError(f"{name}={value!r}: expected text, got {type(value).__name__}; {remedy}")
    try:
        size = len(value.encode())
    except UnicodeEncodeError:
        raise ValueError(f"{name}={value!r} has half a surrogate pair, which is not valid text") from None
    if "\0" in value:
        raise ValueError(f"{name}={value!r} has a NUL character, which Postgres cannot store; leave it out")
    if not 1 <= size <= most:
        raise ValueError(f"{name} has {size} bytes, expected 1 to {most}")
    if names_something and _UNPRINTABLE.search(value):
        raise ValueError(f"{name}={value!r} has a control character or a line break; leave it out")
    return value


def _number(name: str, value: Any, least: int, most: int) -> str:
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{name}={value!r}: expected an integer, {least} to {most}")
    if not least <= value <= most:
        raise ValueError(f"{name}={value}, expected {least} to {most}")
    return str(value)


def _seconds(name: str, value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, (int, float, datetime.timedelta)):
        raise TypeError(f"{name}={value!r}: expected a number of seconds or a datetime.timedelta")
    seconds = value.total_seconds() if isinstance(value, datetime.timedelta) else value
    if not 0 <= seconds < math.inf:
        raise ValueError(f"{name}={value!r}, expected 0 seconds or more")
    return f"{min(seconds, _TEN_YEARS_S):.6f} seconds"


def _time(value: Any) -> str:
    if not isinstance(value, datetime.datetime):
        raise TypeError(f"run_at={value!r}: expected a datetime.datetime with a time zone; a delay from now is delay=SECONDS")
    if value.utcoffset() is None:
        raise ValueError(f"run_at={value!r} has no time zone, so it is ambiguous: datetime.now(timezone.utc), or "
                         "run_at.astimezone() for the local one")
    return value.astimezone(datetime.timezone.utc).isoformat()


def payload(value: Any, what: str) -> str:
    """Its JSON. What Postgres would refuse, or what is surely a mistake, is a BadPayload that says where it is."""
    if type(value).__name__ in ("Json", "Jsonb"):  # psycopg's and psycopg2's wrappers
        value = getattr(value, "obj", getattr(value, "adapted", value))
    if isinstance(value, str) and value.lstrip()[:1] in ("{", "["):
        try:
            json.loads(value)
        except (ValueError, RecursionError):
            pass
        else:
            raise BadPayload(f"{what} is a str that is JSON already, and would be encoded twice; give the object itself "
                             "(json.loads(…)), or, if the handler wants text, an object with it")
    try:
        encoded = to_json(value, what)
    except BadResult as error:
        raise BadPayload(str(error)) from error.__cause__
    size = len(encoded.encode())
    if size > MOST_BYTES:
        raise BadPayload(f"{what} has {size} bytes as JSON, expected at most {MOST_BYTES}; store it elsewhere, and enqueue where it is")
    if "\\u0000" in encoded:
        where = _nul(json.loads(encoded), what)
        if where:
            raise BadPayload(f"{where} has a NUL character, which Postgres cannot store; leave it out, or encode it as base64")
    return encoded


def _nul(value: Any, path: str) -> str | None:
    waiting = [(value, path)]
    while waiting:
        one, where = waiting.pop()
        if isinstance(one, str) and "\0" in one:
            return where
        if isinstance(one, dict):
            for name in one:
                if "\0" in name:
                    return f"{where}: the name {name!r}"
            waiting += [(inner, f"{where}.{name}") for name, inner in one.items()]
        elif isinstance(one, list):
            waiting += [(inner, f"{where}[{at}]") for at, inner in enumerate(one)]
    return None


def members(given: Mapping[str, Any]) -> dict[str, str]:
    """The named arguments of dormouse.enqueue(), as text; what is None is left to the database."""
    checked = {"task": text("task", given["task"], 200)}
    if given.get("run_at") is not None and given.get("delay") is not None:
        raise ValueError("run_at and delay exclude each other: give the time, or the delay from now")
    for name, value in given.items():
        if value is None or name == "task":
            continue
        if name in ("queue", "key", "traceparent"):
            checked[name] = text(name, value, {"queue": 48, "key": 500}.get(name, 512), name == "queue")
        elif name in ("priority", "max_attempts"):
            checked[name] = _number(name, value, *((-100, 100) if name == "priority" else (1, 1000)))
        elif name in ("delay", "timeout"):
            checked[name] = _seconds(name, value)
        elif name == "run_at":
            checked[name] = _time(value)
    return checked


def call(arguments: Iterable[str], first: int = 1) -> str:
    """`name => CAST($1 AS type), …`"""
    parts = []
    for number, name in enumerate(arguments, first):
        kind = _TYPES.get(name)
        parts.append(f"{name} => CAST(CAST(${number} AS text) AS {kind})" if kind else f"{name} => CAST(${number} AS text)")
    return ", ".join(parts)
