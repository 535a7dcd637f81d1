#!/usr/bin/python3
"""rounds.py POOL DATABASE ROUNDS SPREAD_MS: rings around the exit of a worker.

Each round enqueues one run, rings once, at a random moment within SPREAD_MS after the end of the round before, and waits until
the run is completed. A run that is not completed within 10 s of its ring is a loss: nobody else would have woken the pool.
Prints the rounds and the losses; exits 1 if there was one.
"""
import random
import socket
import subprocess
import sys
import time


class Psql:
    """One psql for all rounds: a process for each statement would blur the moment of the ring."""

    def __init__(self, database):
        self.process = subprocess.Popen(
            ["psql", "--no-psqlrc", "--quiet", "--no-align", "--tuples-only", "--dbname", database],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)

    def ask(self, statement):
        self.process.stdin.write(statement + ";\n\\echo .\n")
        self.process.stdin.flush()
        lines = []
        while (line := self.process.stdout.readline()) != ".\n":
            if not line:
                sys.exit("psql has ended")
            lines.append(line.strip())
        return lines[0] if lines else ""


def ring(pool):
    with socket.socket(socket.AF_UNIX) as doorbell:
        doorbell.connect(f"/run/dormouse/{pool}.sock")


def completed(psql, run, seconds):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if psql.ask(f"SELECT status FROM dormouse.runs WHERE id = '{run}'") == "completed":
            return True
        time.sleep(0.002)
    return False


def main():
    pool, database, rounds, spread = sys.argv[1], sys.argv[2], int(sys.argv[3]), float(sys.argv[4]) / 1000
    psql = Psql(database)
    losses = 0
    for number in range(rounds):
        time.sleep(random.uniform(0, spread))  # the random moment, not a wait for anything
        run = psql.ask("SELECT dormouse.enqueue('work')")
        ring(pool)
        if not completed(psql, run, 10):
            losses += 1
            print(f"round {number}: run {run} was not completed after its ring", flush=True)
            ring(pool)
            completed(psql, run, 10)
    print(f"rounds: {rounds}, losses: {losses}")
    sys.exit(1 if losses else 0)


main()
