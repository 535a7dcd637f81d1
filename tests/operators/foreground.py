"""A pool with a database of its own, and its worker in the foreground. Used by the tests beside it and those of alerts."""
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "ordinary"))
import pool as pools  # noqa: E402 pylint: disable=wrong-import-position


def eventually(happened, seconds=20):
    """What `happened` returns, once that is something; looked at again until then, for nobody tells of it."""
    end = time.monotonic() + seconds
    while not (seen := happened()):
        if time.monotonic() > end:
            return seen
        threading.Event().wait(0.05)
    return seen


class ForegroundCase(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory(prefix="dormouse-pool.", ignore_cleanup_errors=True)
        self.addCleanup(directory.cleanup)
        self.directory = directory.name

    def make_pool(self, settings, tasks):
        name = "p" + self.id().rsplit("_", 1)[1] + str(len(os.listdir(self.directory)))
        self.pool_ = pools.Pool(name, self.directory, settings, tasks, bell=False)
        self.addCleanup(self.pool_.bell.close)
        self.file = os.path.join(self.pool_.directory, name + ".toml")
        self.log = os.path.join(self.directory, name + ".log")
        return self.pool_

    def start(self, *arguments, environment=None):
        with open(self.log, "ab") as log:
            worker = subprocess.Popen([os.environ["DORMOUSE"], "worker", self.pool_.name, "--config", self.file, *arguments], stderr=log,
                                      env={**os.environ, **(environment or {})})
        self.addCleanup(worker.wait)
        self.addCleanup(worker.kill)
        return worker

    def end(self, worker):
        worker.send_signal(signal.SIGTERM)
        return worker.wait(timeout=60)

    def text(self):
        with open(self.log, encoding="utf-8") as log:
            return log.read()

    def logged(self, event):
        return [line for line in self.text().splitlines() if f" {event}: " in line]

    def enqueue(self, task, number=1):
        self.pool_.ask("SELECT count(dormouse.enqueue(%s, '{}', queue => %s)) FROM generate_series(1, %s)", task, self.pool_.name, number)

    def wait_for(self, happened, seconds=20):
        self.assertTrue(eventually(happened, seconds), self.text()[-3000:] if os.path.exists(self.log) else "")

    def ended(self, number, status="completed", seconds=60):
        count = "SELECT count(*) FROM dormouse.runs WHERE status::text = %s AND queue = %s"
        self.wait_for(lambda: self.pool_.ask(count, status, self.pool_.name)[0][0] == number, seconds)
