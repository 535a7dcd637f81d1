"""Results and messages: JSON that Postgres takes, one line each."""

from __future__ import annotations

import base64
import dataclasses
import datetime
import decimal
import enum
import json
import math
import os
import re
import uuid

from dormouse._errors import BadResult

MOST_TEXT = 16384  # characters; the worker cuts texts at 8 KiB, and says so: more need not be sent


def _plain(value):
    if hasattr(value, "model_dump_json"):
        return value.model_dump(mode="json")
    if hasattr(value, "model_dump"):
        return value.model_dump()
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    if isinstance(value, enum.Enum):
        return value.value
    if isinstance(value, (datetime.datetime, datetime.date, datetime.time)):
        return value.isoformat()
    if isinstance(value, datetime.timedelta):
        return value.total_seconds()
    if isinstance(value, (uuid.UUID, os.PathLike, decimal.Decimal)):  # a Decimal as text: a float would change it
        return str(value)
    if isinstance(value, (set, frozenset)):
        return _in_order(value)
    if isinstance(value, (bytes, bytearray, memoryview)):
        return base64.b64encode(value).decode()
    for of_numpy in ("tolist", "item"):  # arrays and single values, of numpy and what looks like it
        if hasattr(value, "dtype") and hasattr(value, of_numpy):
            return getattr(value, of_numpy)()
    raise TypeError(f"a value of type {type(value).__name__} is not JSON; use dict, list, str, int, float, bool or None, a dataclass, or what "
                    "docs/warm-clients.md names")


def _in_order(values):
    try:
        return sorted(values)
    except TypeError:
        return list(values)


def _bounded(digits):
    if math.isinf(float(digits)):
        raise ValueError(f"an integer of {len(digits)} digits; numbers end at 1e308")


_encoder = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"), default=_plain).encode
decode = json.JSONDecoder().raw_decode


def encode(message):
    """A line. Text that is none (half a surrogate pair) is said with a replacement character."""
    return _encoder(message).encode("utf-8", "replace") + b"\n"


def _is_text(text):
    try:
        text.encode()
        return True
    except UnicodeEncodeError:
        return False


def _fault(value, path, above=()):
    """Where in it the first thing is that JSON cannot say; empty: not found."""
    if len(above) > 50 or value is None or isinstance(value, bool):
        return ""
    if isinstance(value, str):
        return "" if _is_text(value) else path
    if isinstance(value, (dict, list, tuple)):
        if any(one is value for one in above):
            return path
        above = (*above, value)
    if isinstance(value, dict):
        for key, one in value.items():
            if not isinstance(key, (str, int, float, bool, type(None))) or isinstance(key, str) and not _is_text(key):
                return f"{path}: the key {ascii(key)[:50]}"
            at = _fault(one, f"{path}.{key}", above)
            if at:
                return at
        return ""
    if isinstance(value, (list, tuple)):
        return next(filter(None, (_fault(one, f"{path}[{at}]", above) for at, one in enumerate(value))), "")
    if isinstance(value, float):
        return path if math.isnan(value) or math.isinf(value) else ""
    if isinstance(value, int):
        return ""
    try:
        return _fault(_plain(value), path, above)
    except Exception:
        return path


def to_json(value: object, what: str = "the result") -> str:
    try:
        text = _encoder(value)
        text.encode()
        if len(text) > 308 and re.search(r"\d{309}", text):  # digits in a string, or an integer that nobody else reads
            json.loads(text, parse_int=_bounded)
        return text
    except UnicodeEncodeError as error:
        part = ascii(error.object[max(error.start - 20, 0) : error.end])
        at = _fault(value, "result" if what == "the result" else "").lstrip(".")
        raise BadResult(f"{what} has half a surrogate pair, which is not valid text: {at + ': ' if at else ''}{part}") from None
    except (TypeError, ValueError, RecursionError) as error:
        at = _fault(value, "result" if what == "the result" else "")
        raise BadResult(f"{what} cannot be written as JSON: {at.lstrip('.') + ': ' if at else ''}{error}") from error
