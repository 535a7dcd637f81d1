"""One program of BullMQ's (bullmq_both.js), executed by BullMQ on a Redis and by dormouse-bullmq.js on a Postgres: what it sees is the same, but for
what docs/moving/from-bullmq.md names."""

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import unittest

import dormouse

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
NODE, MODULES = shutil.which("node"), os.environ.get("NODE_PATH", "")
if not NODE or not os.path.exists(MODULES + "/bullmq"):
    print("SKIPPED: there is no node, or no bullmq in NODE_PATH (./dev setup installs them)")
    sys.exit(77)
if not shutil.which("redis-server"):
    print("SKIPPED: there is no redis-server (Debian package redis-server)")
    sys.exit(77)

PROGRAM = HERE + "/bullmq_both.js"
# What differs, and the words by which the page says it.
DIFFERENT = {
    '["remembers",{},{"attempts":2}]': "`failedReason` of an earlier attempt",
    '["text",{}]': "a text that is thrown",
    '["started",{}]': "`attemptsStarted`",
    '["changed",{"step":1}]': "`updateData()`",
}


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as one:
        return one.getsockname()[1]


def until(happened, seconds=60):
    end = time.monotonic() + seconds
    while not happened():
        if time.monotonic() > end:
            raise TimeoutError
        time.sleep(0.05)


class Side:
    """What the program has seen on one of them."""

    def __init__(self, test, name, environment, start):
        self.events = f"{test.directory}/{name}.events"
        open(self.events, "w").close()
        self.environment = {**os.environ, **environment, "EVENTS": self.events}
        self.early = self.node("fill").strip()
        start(self)
        until(lambda: self.order() and len(self.order()) == 7)
        self.first = self.order()
        self.jobs = {}
        for line in self.node("add").splitlines():
            one = json.loads(line)
            self.jobs[one.pop("what")] = one

    def node(self, what):
        return subprocess.run([NODE, PROGRAM, what], env=self.environment, stdout=subprocess.PIPE, text=True, timeout=100, check=True).stdout

    def order(self):
        with open(self.events, encoding="utf-8") as file:
            return [said[2] for said in map(json.loads, file) if said[1] == "active"]


class Beside(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.directory = directory.name
        os.chmod(self.directory, 0o755)
        with open(ROOT + "/docs/moving/from-bullmq.md", encoding="utf-8") as file:
            self.page = " ".join(file.read().split())

    def process(self, *command, **environment):
        process = subprocess.Popen(command, env={**os.environ, **environment}, stdout=subprocess.DEVNULL)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        return process

    def of_bullmq(self):
        port = free_port()
        self.process("redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", self.directory)

        def answers():
            with socket.socket() as one:
                return one.connect_ex(("127.0.0.1", port)) == 0

        until(answers)
        environment = {"BULLMQ": "bullmq", "REDIS": str(port)}
        return Side(self, "bullmq", environment, lambda side: self.process(NODE, PROGRAM, "work", **environment, EVENTS=side.events))

    def of_dormouse(self):
        client = ROOT + "/clients/node/dormouse-bullmq.js"

        def start(side):
            variables = {"BULLMQ": client, "EVENTS": side.events, "NODE_PATH": MODULES}
            listed = ", ".join(f"{name} = {json.dumps(value)}" for name, value in variables.items())
            with open(self.directory + "/pool.toml", "w") as file:
                file.write(f'[database]\nurl = "postgresql://postgres@/postgres?host={os.environ["PGHOST"]}"\n[worker]\nconcurrency = 1\n[task.jobs]\nhandler = "warm"\n'
                           f"command = {json.dumps([NODE, PROGRAM])}\nenvironment = {{ {listed} }}\n")
            worker = dormouse.start(config=self.directory + "/pool.toml")
            self.addCleanup(worker.shutdown)

        return Side(self, "dormouse", {"BULLMQ": client}, start)

    def test_the_same_program_sees_the_same(self):
        theirs, ours = self.of_bullmq(), self.of_dormouse()
        self.assertEqual(list(theirs.jobs), list(ours.jobs))
        for what, seen in theirs.jobs.items():
            with self.subTest(what):
                if what in DIFFERENT:
                    self.assertIn(DIFFERENT[what], self.page)
                    self.assertNotEqual(seen, ours.jobs[what])  # or the page need not say so
                else:
                    self.assertEqual(seen, ours.jobs[what])
        with self.subTest("the order of those that wait"):
            self.assertEqual([name for name in theirs.first if name not in ("late", "ahead", "further ahead")], ["first", "second", "one", "fifth"])
            self.assertEqual([name for name in ours.first if name not in ("late", "ahead", "further ahead")], ["first", "second", "one", "fifth"])
            self.assertEqual((theirs.first[:2], ours.first[:2]), (["further ahead", "ahead"], ["ahead", "further ahead"]))
            self.assertIn("several `lifo` jobs", self.page)
        with self.subTest("one that is not due yet"):
            self.assertEqual((theirs.early, ours.early), ("delayed", "waiting"))
            self.assertIn("`getState()`", self.page)


if __name__ == "__main__":
    unittest.main(verbosity=2)
