"""The one answer to a run: completed, failed or retry."""

import os
import traceback

from dormouse._errors import Cancelled, Fail, Retry
from dormouse._json import MOST_TEXT, encode, to_json

_HERE = os.path.dirname(__file__)


def completed(run, result):
    line = f'{{"type":"completed","id":"{run.id}"'
    if result is not None:
        line += f',"result":{to_json(result)}'
    if run.enqueued:
        line += f',"enqueue":[{",".join(run.enqueued)}]'
    return (line + "}\n").encode()


def failed(run, error):
    """The answer for an exception, with the last lines of its traceback."""
    if isinstance(error, Retry):
        message = {"type": "retry", "id": run.id, "message": str(error)[:MOST_TEXT]}
        return encode(message if error.in_ is None else {**message, "in": error.in_})
    if isinstance(error, Cancelled) or run.cancel_reason and type(error).__name__ == "CancelledError":
        return encode({"type": "failed", "id": run.id, "class": "Cancelled", "message": f"cancelled: {run.cancel_reason}"})
    try:
        text = str(error)
    except Exception as second:
        text = f"(its message cannot be shown: {type(second).__name__})"
    text = text[: MOST_TEXT // 4]
    permanent = isinstance(error, Fail) and error.permanent
    if not isinstance(error, Fail):
        own = error.__traceback__
        while own is not None and own.tb_frame.f_code.co_filename.startswith(_HERE):
            own = own.tb_next
        lines = "".join(traceback.format_exception(type(error), error, own)).splitlines()
        text += "\n" + "\n".join(lines[-20:])[-MOST_TEXT // 4 :]
    message = {"type": "failed", "id": run.id, "class": type(error).__name__, "message": text}
    return encode({**message, "permanent": True} if permanent else message)
