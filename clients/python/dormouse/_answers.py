"""The one answer to a run: completed, failed or retry."""

import os
import sysconfig
import traceback

from dormouse import _tasks
from dormouse._errors import Cancelled, Fail, ResultTooLarge, Retry, Snooze
from dormouse._json import MOST_TEXT, encode, to_json

_HERE = os.path.dirname(__file__)
_MORE_IN_A_MESSAGE = 64 << 10  # than limits.result_bytes; for one that is longer the worker kills the process
_OWN, _LAST, _WIDE = 6, 3, 300  # frames of an exception: of the author's code, and where it was raised; characters of a line
_CHAIN = 6  # exceptions of a chain
_LIBRARIES = tuple({sysconfig.get_paths()[name] + os.sep for name in ("stdlib", "platstdlib")}) + ("<frozen ",)
_most = int(os.environ.get("DORMOUSE_RESULT_BYTES", 0)) or None  # none: no worker has started us


def _drop(run):
    """What an attempt that does not complete has asked for is not enqueued; the run's log says so."""
    count = len(run.enqueued or ())
    run.enqueued = None
    if count:
        run.log(f"{count} follow-up run{' is' if count == 1 else 's are'} dropped: the attempt did not complete", level="warning")


def completed(run, result):
    if run.cancel_reason == "timeout":
        _drop(run)  # no answer counts any more
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
    _drop(run)
    if isinstance(error, Snooze):
        message = {"type": "retry", "id": run.id, "message": str(error)[:MOST_TEXT]}
        return encode(message if error.in_ is None else {**message, "in": error.in_})
    if isinstance(error, Cancelled) or run.cancel_reason and type(error).__name__ == "CancelledError":
        return encode({"type": "failed", "id": run.id, "class": "Cancelled", "message": f"cancelled: {run.cancel_reason}"})
    told = _why(run, error)
    try:
        text = str(told)
    except Exception as second:
        text = f"(its message cannot be shown: {type(second).__name__})"
    text = text[: MOST_TEXT // 4]
    task = _tasks.known.get(run.task)
    permanent = error.permanent if isinstance(error, Fail) else task is not None and task.gives_up_on(error)
    if not isinstance(error, Fail):
        text += "\n" + "\n".join(line[:_WIDE] for line in _story(error))
    name = "result_too_large" if isinstance(error, ResultTooLarge) else type(told).__name__
    message = {"type": "failed", "id": run.id, "class": name, "message": text}
    if isinstance(error, Retry) and error.in_ is not None:
        message["in"] = error.in_
    return encode({**message, "permanent": True} if permanent else message)


def _why(run, error):
    """The exception that the error is named after: a Retry that has used up the last attempt is not the reason, but what it was raised from."""
    while run.attempt >= run.max_attempts and isinstance(error, Retry) and isinstance(error.__cause__, BaseException) and not isinstance(error.__cause__, Snooze):
        error = error.__cause__
    return error


def sparing(answer, pids):
    """The same answer of a stopped run, with the processes that the worker is not to end behind it."""
    return answer[:-2] + f',"keep":{sorted(pids)}}}\n'.encode() if pids else answer


def _story(error):
    """The lines of its traceback, then those of what it came from: what was raised last comes first, as the end may be cut."""
    lines, told, queue = [], set(), [("", error)]
    while queue and len(told) < _CHAIN:
        how, error = queue.pop(0)
        if id(error) in told:
            continue
        told.add(id(error))
        frames = _chosen(traceback.extract_tb(error.__traceback__))
        lines += [how] if how else []
        lines += ["Traceback (most recent call last):", *frames] if frames else []
        lines += "".join(traceback.format_exception_only(type(error), error)).splitlines()
        queue += [("One of the group:", one) for one in getattr(error, "exceptions", ()) if isinstance(one, BaseException)]
        if error.__cause__ is not None:
            queue.append(("Caused by:", error.__cause__))
        elif error.__context__ is not None and not error.__suppress_context__:
            queue.append(("Raised while this was handled:", error.__context__))
    return lines


def _chosen(frames):
    """Lines for the frames that say most: those of the author's own code, and the last ones."""
    frames = [frame for frame in frames if not frame.filename.startswith(_HERE)]
    own = [at for at, frame in enumerate(frames) if not _of_library(frame.filename)] or list(range(len(frames)))
    shown = {*own[: _OWN // 2], *own[-(_OWN - _OWN // 2) :], *range(max(len(frames) - _LAST, 0), len(frames))}
    lines, left_out = [], 0
    for at, frame in enumerate(frames):
        if at not in shown:
            left_out += 1
            continue
        lines += [f"  [{left_out} frames]"] if left_out else []
        left_out = 0
        lines += "".join(traceback.format_list([frame])).splitlines()
    return lines


def _of_library(file):
    return file.startswith(_LIBRARIES) or f"{os.sep}site-packages{os.sep}" in file or f"{os.sep}dist-packages{os.sep}" in file
