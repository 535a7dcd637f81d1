"""A program of tasks that no worker has started: `tasks.py --run TASK [PAYLOAD]` runs one here, anything else says what it is."""

import json
import os
import sys

from dormouse import _hooks, _tasks
from dormouse._answers import completed, failed
from dormouse._logging import capture
from dormouse._run import Run, current


class _Terminal:
    """What a run says goes to stderr."""

    def say(self, data):
        for line in data.splitlines():
            message = json.loads(line)
            said = message["text"] if message["type"] == "log" else json.dumps({k: v for k, v in message.items() if k not in ("type", "id")})
            print(f"{message.get('level', message['type'])}: {said}", file=sys.stderr)

    def look(self):
        pass


def by_hand(arguments):
    """The exit code, as a handler of the kind exec has it: 0, 75 for "retry later", 1 for failed; 2 if it was called wrongly."""
    program = os.path.basename(arguments[0])
    names = ", ".join(sorted(_tasks.known))
    if arguments[1:2] != ["--run"] or not 3 <= len(arguments) <= 4:
        print(f"{program}: this is a warm handler of dormouse: a pool starts it and gives it runs of {names}.\n"
              f"To try one: dormouse try TASK --payload JSON, or without a pool: python3 {program} --run TASK [JSON, - for stdin]",
              file=sys.stderr)
        return 2
    try:
        given = arguments[3] if len(arguments) == 4 else "null"
        payload = json.loads(sys.stdin.read() if given == "-" else given)
        task = _tasks.known[arguments[2]]
    except KeyError:
        print(f"{program}: there is no task {arguments[2]}; there are {names}", file=sys.stderr)
        return 2
    except ValueError as error:
        print(f"{program}: the payload is not JSON: {error}", file=sys.stderr)
        return 2
    capture()
    run = Run({"id": "00000000-0000-0000-0000-000000000000", "task": task.name, "payload": payload}, _Terminal())
    answer = json.loads(_call(task, run))
    del answer["id"]
    if answer.pop("type") == "completed":
        print(json.dumps(answer.get("result"), ensure_ascii=False))
        for enqueued in answer.get("enqueue", ()):
            print("enqueue:", json.dumps(enqueued, ensure_ascii=False), file=sys.stderr)
        return 0
    print(": ".join(str(answer[part]) for part in ("class", "message") if answer.get(part)), file=sys.stderr)
    return 1 if "class" in answer else 75


def _call(task, run):
    current.set(run)
    if task.is_async:
        import asyncio

        return asyncio.run(_call_async(task, run))
    _hooks.start()
    try:
        return completed(run, task.call(run))
    except Exception as error:
        return failed(run, error)
    finally:
        _hooks.stop()


async def _call_async(task, run):
    await _hooks.start_here()
    try:
        return completed(run, await task.call(run))
    except Exception as error:
        return failed(run, error)
    finally:
        await _hooks.stop_here()
