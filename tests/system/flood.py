#!/usr/bin/python3
"""flood.py POOL CONNECTIONS: opens so many connections to the doorbell as fast as it can and keeps them open until all are.

A ringer does not block. Where thousands of rings wait already it is told so (EAGAIN) and may go: the pool is rung. Prints how
many that were and the slowest connect; exits 1 if one was refused.
"""
import resource
import socket
import sys
import time

pool, count = sys.argv[1], int(sys.argv[2])
resource.setrlimit(resource.RLIMIT_NOFILE, (count + 100, max(count + 100, resource.getrlimit(resource.RLIMIT_NOFILE)[1])))
rings, full, refused, slowest = [], 0, 0, 0.0
began = time.monotonic()
for _ in range(count):
    doorbell = socket.socket(socket.AF_UNIX)
    doorbell.setblocking(False)
    before = time.monotonic()
    try:
        doorbell.connect(f"/run/dormouse/{pool}.sock")
    except BlockingIOError:
        full += 1
    except OSError as error:
        refused += 1
        print(f"refused: {error}")
    slowest = max(slowest, time.monotonic() - before)
    rings.append(doorbell)
print(f"connections: {count}, told that it rings already: {full}, refused: {refused}, slowest: {slowest * 1000:.1f} ms, all in {time.monotonic() - began:.2f} s")
sys.exit(1 if refused else 0)
