"""A worker that is the child of an application: start(), shutdown(), and what becomes of it when the application ends otherwise."""

import os
import select
import subprocess
import sys
import tempfile
import threading
import time
import unittest

import psycopg

import dormouse

APPLICATION = """
import sys, dormouse
pool = dormouse.start(config=sys.argv[1])
print(pool.pid, flush=True)
sys.stdin.read()
"""

FORKS = """
import os, sys, dormouse
pool = dormouse.start(config=sys.argv[1])
child = os.fork()
if child == 0:
    try:
        pool.shutdown()
    except RuntimeError as refused:
        print(refused, flush=True)
    sys.exit(7)  # by way of what is done at exit
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), pool.returncode, flush=True)
sys.stdin.read()
"""


def gone(pid):
    """A pidfd can be read when its process has ended, whoever its parent is."""
    try:
        fd = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([fd], [], [], 60)[0])
    finally:
        os.close(fd)


class Test(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.config = directory.name + "/pool.toml"
        self.fifo = directory.name + "/fifo"
        os.mkfifo(self.fifo)
        with open(self.config, "w", encoding="utf-8") as file:
            file.write(f'[database]\nurl = "postgresql://postgres@/postgres?host={os.environ["PGHOST"]}"\n'
                       f'[task.echo]\ncommand = ["/bin/cat"]\n[task.waits]\ncommand = ["/bin/cat", "{self.fifo}"]\n')
        self.conn = psycopg.connect("", autocommit=True)
        self.addCleanup(self.conn.close)

    def until_running(self, run):
        end = time.monotonic() + 60
        while dormouse.result(self.conn, run).status != "running":
            self.assertLess(time.monotonic(), end, "the run does not start")
            time.sleep(0.02)

    def test_runs_are_executed_until_it_is_shut_down(self):
        with dormouse.start(config=self.config, settings={"worker.concurrency": 2}) as pool:
            self.assertIsNone(pool.returncode)
            run = dormouse.enqueue(self.conn, "echo", {"a": 1})
            self.assertEqual(dormouse.wait(self.conn, run, timeout=60).result, {"a": 1})
        self.assertEqual((pool.returncode, pool.shutdown()), (0, 0))
        run = dormouse.enqueue(self.conn, "echo")
        self.assertEqual(dormouse.result(self.conn, run).status, "queued")
        dormouse.cancel(self.conn, run)

    def test_what_runs_is_finished_and_what_is_too_long_goes_back(self):
        run = dormouse.enqueue(self.conn, "waits")
        pool = dormouse.start(config=self.config)
        self.until_running(run)
        ending = threading.Thread(target=pool.shutdown)
        ending.start()
        with open(self.fifo, "w", encoding="utf-8") as file:
            file.write('"done"')
        ending.join()
        self.assertEqual((pool.returncode, dormouse.result(self.conn, run).result), (0, "done"))

        run = dormouse.enqueue(self.conn, "waits")
        pool = dormouse.start(config=self.config)
        self.until_running(run)
        self.assertEqual(pool.shutdown(timeout=0.1), 0)
        done = dormouse.result(self.conn, run)
        self.assertEqual((done.status, done.attempts), ("queued", 0))
        dormouse.cancel(self.conn, run)

    def test_it_does_not_outlive_the_application(self):
        for how in ["exits"] + ["is killed"] * 10:  # at whatever moment of the worker's start
            with subprocess.Popen([sys.executable, "-c", APPLICATION, self.config], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as application:
                worker = int(application.stdout.readline())
                application.kill() if how == "is killed" else application.stdin.close()
                self.assertTrue(gone(worker), how)

    def test_it_outlives_the_thread_that_started_it(self):
        pools = []
        thread = threading.Thread(target=lambda: pools.append(dormouse.start(config=self.config)))
        thread.start()
        thread.join()
        run = dormouse.enqueue(self.conn, "echo", 1)
        self.assertEqual(dormouse.wait(self.conn, run, timeout=60).result, 1)
        self.assertEqual(pools[0].shutdown(), 0)

    def test_a_forked_child_leaves_it_alone(self):
        with subprocess.Popen([sys.executable, "-c", FORKS, self.config], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as application:
            self.assertRegex(application.stdout.readline(), "was forked from the one that started the worker")
            self.assertEqual(application.stdout.readline(), "7 None\n")  # the child's exit code, the worker's
            application.stdin.close()

    def test_what_cannot_start_says_so(self):
        old = {name: os.environ.pop(name) for name in ("DORMOUSE", "PATH")}
        try:
            with self.assertRaisesRegex(FileNotFoundError, "there is no program dormouse in PATH"):
                dormouse.start()
        finally:
            os.environ.update(old)
        pool = dormouse.start(config=self.config, program="/bin/false")
        self.assertTrue(gone(pool.pid))
        self.assertEqual(pool.shutdown(), 1)


if __name__ == "__main__":
    unittest.main(verbosity=2)
