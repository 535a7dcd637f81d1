"""The tasks of the conformance suite as an exec handler; warm_tasks.py, warm_tasks.js and functions.cpp have the same ones."""

import json
import os
import signal
import subprocess
import sys

task = os.environ["DORMOUSE_TASK"]
payload = json.load(sys.stdin)
control = os.fdopen(int(os.environ["DORMOUSE_CONTROL_FD"]), "w", buffering=1)


def say(**message):
    print(json.dumps(message), file=control)


def gate():
    """Leaves a mark, then waits until somebody opens the gate, which is a FIFO: that lets everybody through from then on."""
    with open(payload + "/marks", "a") as marks:
        marks.write(f"{os.environ['DORMOUSE_RUN_ID']} {os.environ['DORMOUSE_FENCE']} {os.getpid()}\n")
    os.close(os.open(payload + "/gate", os.O_RDONLY))
    print(json.dumps(os.environ["DORMOUSE_FENCE"]))


def wait():
    say(type="log", text="began")
    signal.alarm(300)  # no process outlives a test that was ended
    signal.pause()


if task == "echo":
    sys.stdout.write(json.dumps(payload))
elif task == "context":
    names = {"id": "RUN_ID", "task": "TASK", "queue": "QUEUE", "attempt": "ATTEMPT", "max_attempts": "MAX_ATTEMPTS", "fence": "FENCE"}
    told = {name: os.environ["DORMOUSE_" + variable] for name, variable in names.items()}
    deadline = os.environ.get("DORMOUSE_DEADLINE")
    print(json.dumps(told | {"traceparent": os.environ["TRACEPARENT"], "deadline": deadline and float(deadline)}))
elif task == "nothing":
    pass
elif task == "fails":
    say(type="failed", **{"class": "ValueError"}, message="no such thing")
    sys.exit(1)
elif task == "fails_for_good":
    say(type="failed", message="never", permanent=True)
    sys.exit(1)
elif task == "later":
    say(type="retry", message="busy", **{"in": 30})
    sys.exit(75)
elif task == "says":
    say(type="progress", fraction=0.5, text="half")
    say(type="log", level="warning", text="careful")
    say(type="completed", result=1, enqueue=[{"task": "next", "payload": {"n": 1}}])
elif task == "sized":
    sys.stdout.write(json.dumps("x" * (payload - 2)))
elif task == "floods":
    for _ in range(payload):
        say(type="log", text="y" * 1000)
    print("true")
elif task == "prints":
    print(("x" * 999 + "\n") * 400 + "the last of stderr", file=sys.stderr)
    say(**{"type": "completed"} if payload == "completes" else {"type": "failed", "message": "no"})
elif task == "verbose":
    say(type="log", text="ü" * 5_000)
    say(type="progress", fraction=0.5, text="ü" * 500)
    say(type="failed", message="ü" * 10_000)
    sys.exit(1)
elif task == "hoards":
    say(type="completed", enqueue=[{"task": "next", "payload": "x" * payload}])
elif task == "arguments":
    print(json.dumps(sys.argv[1:]))
elif task == "quiet":
    say(type="heartbeat", within=0.3)
    wait()
elif task == "waits":
    wait()
elif task == "stubborn":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    wait()
elif task == "dies":
    os.kill(os.getpid(), signal.SIGKILL)
elif task == "says_its_pid":
    say(type="log", text=str(os.getpid()))
    wait()
elif task == "prints_text":
    sys.stdout.write(payload)
elif task == "has_pid":
    print(os.getpid())
elif task == "starts":
    say(type="log", text=str(subprocess.Popen(["sleep", "300"]).pid))
    wait()
elif task == "shells":
    subprocess.run(["/bin/sh", "-c", payload])
    wait()
elif task == "blocks":
    say(type="log", text="began")
    os.system(payload)
    print(json.dumps("done"))
elif task == "divides":
    if os.fork() == 0:
        sys.exit()
    os.wait()
    print(json.dumps("once"))
elif task == "forks":
    child = subprocess.Popen(["sleep", "300"], start_new_session=True, stdout=subprocess.DEVNULL)
    print(child.pid)
elif task == "gated":
    gate()
