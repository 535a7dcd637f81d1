"""Payloads: JSON into what the annotation of a parameter asks for. What does not fit is BadPayload, with the path of the fault."""

import collections.abc
import dataclasses
import datetime
import enum
import functools
import inspect
import json
import typing
import uuid

from dormouse._errors import BadPayload

_PARSED = {datetime.datetime: datetime.datetime.fromisoformat, datetime.date: datetime.date.fromisoformat, uuid.UUID: uuid.UUID}
_CONTAINERS = {list: list, set: set, frozenset: frozenset, collections.abc.Sequence: list, collections.abc.Iterable: list}
_EMPTY = inspect.Parameter.empty


def _refuse(path, expected, value):
    shown = json.dumps(value, ensure_ascii=False)
    raise BadPayload(f"{path}: expected {expected}, got {shown if len(shown) <= 60 else shown[:60] + '…'}")


def build(kind, value, path):
    if kind is _EMPTY or kind is typing.Any or kind is object:
        return value
    if hasattr(kind, "model_validate"):
        try:
            return kind.model_validate(value)
        except Exception as error:
            raise BadPayload(f"{path}: {error}") from error
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin is None and isinstance(kind, type):
        return _build_class(kind, value, path)
    if origin is typing.Union or type(kind).__name__ == "UnionType":
        return _build_union(arguments, value, path)
    if origin is typing.Literal:
        if not any(value == one and type(value) is type(one) for one in arguments):
            _refuse(path, "one of " + ", ".join(json.dumps(one) for one in arguments), value)
        return value
    if origin in _CONTAINERS or origin is tuple:
        if not isinstance(value, list):
            _refuse(path, "an array", value)
        arguments = arguments or (typing.Any, ...)
        if origin is tuple and arguments[-1] is not ...:
            if len(value) != len(arguments):
                _refuse(path, f"an array of {len(arguments)}", value)
            return tuple(build(arguments[i], one, f"{path}[{i}]") for i, one in enumerate(value))
        built = [build(arguments[0], one, f"{path}[{i}]") for i, one in enumerate(value)]
        return tuple(built) if origin is tuple else _CONTAINERS[origin](built)
    if origin in (dict, collections.abc.Mapping):
        if not isinstance(value, dict):
            _refuse(path, "an object", value)
        kind = arguments[1] if arguments else typing.Any
        return {name: build(kind, one, f"{path}.{name}") for name, one in value.items()}
    inner = getattr(kind, "__supertype__", None) or getattr(kind, "__origin__", None)  # NewType, Annotated
    return value if inner is None else build(inner, value, path)


def _build_union(kinds, value, path):
    if value is None and type(None) in kinds:
        return None
    kinds = [kind for kind in kinds if kind is not type(None)]
    refused = []
    for kind in kinds:
        try:
            return build(kind, value, path)
        except BadPayload as error:
            refused.append(str(error))
    raise BadPayload("; or ".join(refused))


_NAMES = {bool: "true or false", int: "an integer", float: "a number", str: "a string", dict: "an object", list: "an array",
          type(None): "null", **dict.fromkeys(_PARSED, "a string")}


def _build_class(kind, value, path):
    try:
        if dataclasses.is_dataclass(kind):
            return kind(**_arguments(kind, value, path))
        if issubclass(kind, enum.Enum):
            return kind(value)
        if kind in _PARSED and isinstance(value, str):
            return _PARSED[kind](value)
    except (ValueError, TypeError) as error:
        raise BadPayload(f"{path}: {error}") from error
    base = next((one for one in _NAMES if issubclass(kind, one)), object)
    wanted = (int, float) if base is float else base
    if not isinstance(value, wanted) or (isinstance(value, bool) and base in (int, float)):
        _refuse(path, _NAMES[base], value)
    return float(value) if base is float else value


def _arguments(kind, value, path):
    if not isinstance(value, dict):
        _refuse(path, f"an object ({kind.__name__})", value)
    given = {}
    for name, field_kind, required in _fields(kind):
        if name in value:
            given[name] = build(field_kind, value[name], f"{path}.{name}")
        elif required:
            raise BadPayload(f"{path}.{name}: missing")
    return given  # members that no field is there for are passed over: a producer may be newer


@functools.lru_cache(maxsize=None)
def _fields(kind):
    hints = typing.get_type_hints(kind)
    return [(field.name, hints[field.name], field.default is field.default_factory is dataclasses.MISSING)
            for field in dataclasses.fields(kind) if field.init]
