"""The one answer to a run: completed, failed or retry."""

import os
import traceback

from dormouse import _tasks
from dormouse._errors import Cancelled, Fail, ResultTooLarge, Retry, Snooze
from dormouse._json import MOST_TEXT, encode, to_json

_HERE = os.path.dirname(__file__)
_MORE_IN_A_MESSAGE = 64 << 10  # than limits.result_bytes; for one that is longer the worker kills the process
_FIRST, _LAST, _WIDE = 8, 16, 300  # lines of a traceback, and characters of each
_most = int(os.environ.get("DORMOUSE_RESULT_BYTES", 0)) or None  # none: no worker has started us


def completed(run, result):
    line = f'{{"type":"completed","id":"{run.id}"'
    if result is not None:
        text = to_json(result)
        _check("the result", text)
        line += f',"result":{text}'
    if run.enqueued:
        text = f"[{','.join(run.enqueued)}]"
        _check("what it enqueues", text)
        line += f',"enqueue":{text}'
    answer = (line + "}\n").encode()
    if _most and len(answer) > _most + _MORE_IN_A_MESSAGE:
        raise ResultTooLarge(f"the result and what it enqueues are together larger than {_most} bytes (limits.result_bytes)")
    return answer


def _check(what, text):
    if _most and len(text) * 4 > _most and len(text.encode()) > _most:
        raise ResultTooLarge(f"{what} is larger than {_most} bytes (limits.result_bytes)")


def failed(run, error):
    """The answer for an exception, with the last lines of its traceback."""
    if isinstance(error, Snooze):
        message = {"type": "retry", "id": run.id, "message": str(error)[:MOST_TEXT]}
        return encode(message if error.in_ is None else {**message, "in": error.in_})
    if isinstance(error, Cancelled) or run.cancel_reason and type(error).__name__ == "CancelledError":
        return encode({"type": "failed", "id": run.id, "class": "Cancelled", "message": f"cancelled: {run.cancel_reason}"})
    try:
        text = str(error)
    except Exception as second:
        text = f"(its message cannot be shown: {type(second).__name__})"
    text = text[: MOST_TEXT // 4]
    task = _tasks.known.get(run.task)
    permanent = error.permanent if isinstance(error, Fail) else task is not None and task.gives_up_on(error)
    if not isinstance(error, Fail):
        own = error.__traceback__
        while own is not None and own.tb_frame.f_code.co_filename.startswith(_HERE):
            own = own.tb_next
        lines = "".join(traceback.format_exception(type(error), error, own)).splitlines()
        if len(lines) > _FIRST + _LAST:  # the author's own frames come first, the library's last
            lines = [*lines[:_FIRST], f"  [{len(lines) - _FIRST - _LAST} lines]", *lines[-_LAST:]]
        text += "\n" + "\n".join(line[:_WIDE] for line in lines)
    name = "result_too_large" if isinstance(error, ResultTooLarge) else type(error).__name__
    message = {"type": "failed", "id": run.id, "class": name, "message": text}
    if isinstance(error, Retry) and error.in_ is not None:
        message["in"] = error.in_
    return encode({**message, "permanent": True} if permanent else message)
