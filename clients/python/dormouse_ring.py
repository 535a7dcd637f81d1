"""Ring a dormouse pool's doorbell: after the COMMIT of a transaction that enqueued runs.

Standard library only; copy this file. A ring carries nothing: it makes the pool's worker look at the database.

    connection.commit()
    ring("default")
"""

import os
import socket
import threading


def ring(target="default", timeout=1.0):
    """Rings a pool by name, a socket by path ("/run/dormouse/mail.sock") or a doorbell on another host ("host:7300",
    "[2001:db8::1]:7300"). Returns whether it rang. Never raises because of a doorbell, and returns after `timeout`
    seconds at the latest: the transaction is committed, whoever looks next finds the runs.
    """
    path = _path_of(target)
    if path is not None:
        return _ring_unix(path)
    rung = []
    # A thread, because nothing bounds the resolution of a name.
    thread = threading.Thread(target=lambda: rung.append(_ring_tcp(target, timeout)), daemon=True)
    thread.start()
    thread.join(timeout)
    return bool(rung and rung[0])


def _path_of(target):
    if "/" in target:
        return target
    if ":" in target:
        return None
    directory = os.environ.get("DORMOUSE_PATHS_RUNTIME_DIRECTORY") or "/run/dormouse"
    return f"{directory}/{target}.sock"


def _ring_unix(path):
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as bell:
            bell.setblocking(False)
            bell.connect(path)
    except BlockingIOError:
        return True  # as many rings as fit wait there already
    except (OSError, ValueError):
        return False
    return True


def _ring_tcp(target, timeout):
    host, _, port = target.rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout).close()
    except (OSError, ValueError, OverflowError):
        return False
    return True
