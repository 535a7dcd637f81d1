"""Which clients are spoken to, and what each of them has beside the others."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import unittest

from warm_test import HERE, AtOnce, Conversation
from warm_worker import Process

TASKS = HERE + "/warm_tasks.py"


class Python:
    unwritable = ("nan", "object", "huge")
    everyday = {"set": [1, 2], "bytes": "/wA=", "decimal": "1.50", "time": "09:30:00", "delta": 60.5, "at": "2026-11-28T12:00:00+00:00"}
    gate = "gate"

    def test_what_is_answered_is_forgotten(self):
        text = "x" * (2 << 20)
        for _ in range(100):
            self.execute("nothing", text)
        with open(f"/proc/{self.process.process.pid}/status", encoding="utf-8") as file:
            resident = next(int(line.split()[1]) for line in file if line.startswith("VmRSS"))
        self.assertLess(resident, 150_000)  # 200 MiB went through

    def test_logging_becomes_lines_of_the_run(self):
        said = self.execute("logs", "this run")
        self.assertEqual([(message["level"], message["text"]) for message in said[:-1]], [("info", "for this run"), ("error", "and this")])

    def test_annotations_say_what_a_payload_becomes_and_the_fault_has_its_path(self):
        good = {"colour": "red", "at": "2026-11-23T12:00:00+01:00", "id": "01a203aa-64db-726e-88bd-89d26dc6467f", "how": "fast",
                "by_name": {"a": [1, 2]}, "price": 3, "either": {"width": 1}, "pair": [2, "two"], "checked": "x"}
        expected = {**good, "paid": False, "note": None, "either": {"width": 1, "height": 100}, "checked": {"checked": "x"}}
        self.assertEqual(self.execute("order", good)[0].get("result"), expected)
        for bad, message in (({"colour": "blue"}, "payload.colour: 'blue' is not a valid Colour"),
                             ({"at": "soon"}, "payload.at: Invalid isoformat string"),
                             ({"at": 5}, "payload.at: expected a string, got 5"),
                             ({"id": "1"}, "payload.id: badly formed"),
                             ({"how": 1.0}, 'payload.how: expected one of "fast", 1, got 1.0'),
                             ({"by_name": {"a": [1, True]}}, "payload.by_name.a[1]: expected an integer, got true"),
                             ({"by_name": []}, "payload.by_name: expected an object"),
                             ({"price": "3"}, "payload.price: expected a number"),
                             ({"price": -1}, "payload: a price below 0"),
                             ({"paid": 1}, "payload.paid: expected true or false, got 1"),
                             ({"note": 1}, "payload.note: expected a string, got 1"),
                             ({"either": "x"}, 'payload.either: expected an integer, got "x"; or payload.either: expected an object (Size)'),
                             ({"pair": [1]}, "payload.pair: expected an array of 2"),
                             ({"checked": 1}, "payload.checked: not a text")):
            self.assert_failed(self.execute("order", {**good, **bad})[0], "BadPayload", message, True)
        self.assert_failed(self.execute("order", [1])[0], "BadPayload", "payload: expected an object (Order), got [1]", True)
        self.assertEqual(self.execute("as_dict", {"a": [1, {"b": None}]})[0]["result"], ["dict", {"a": [1, {"b": None}]}])
        self.assert_failed(self.execute("as_dict", [1])[0], "BadPayload", "payload: expected an object, got [1]", True)
        self.assertEqual(self.execute("by_keyword", {"width": 2})[0]["result"], ["by_keyword", 2, False])

    def test_a_forked_child_never_answers_for_its_parent(self):
        for what, code in (("returns", 0), ("exits", 7), ("raises", 1)) * 3:
            run = self.process.give("forks", json.dumps(what))
            self.assertEqual(self.process.answer(run), [{"type": "completed", "id": run["id"], "result": ["from the parent", code]}])
        self.assertIn("ValueError: from the child", self.process.printed())
        self.assertEqual(self.execute("echo", 1)[0]["result"], 1)

    def test_multiprocessing_works_in_each_of_its_ways(self):
        for method in ("fork", "spawn", "forkserver"):
            self.assertEqual(self.execute("counts_by_processes", method)[0].get("result"), [1, 2, 3], method)

    def test_sys_exit_ends_the_function_and_not_the_process(self):
        self.assert_failed(self.execute("leaves")[0], "SystemExit", "3", False)
        self.assertEqual(self.execute("echo", 1)[0]["result"], 1)


class OneAtATime(Python, Conversation, unittest.TestCase):
    command = [sys.executable, TASKS, "plain"]
    concurrency = 1
    waiting = (("waits", "blocks"), ("waits", "computes"), ("waits", "asks"))

    def test_a_function_may_ask_whether_it_is_cancelled_from_any_thread_mode(self):
        run = self.process.give("waits", '"polls"')
        self.process.until("log")
        self.process.cancel(run, "leaving")
        self.assertIn(self.process.until_answer()["type"], ("completed", "failed"))

    def test_a_cancellation_tears_no_line_that_is_being_written(self):
        for _ in range(40):  # a broken client tears one in about fifteen
            run = self.process.give("floods", "10000")
            self.process.until_full()
            self.process.cancel(run)
            self.assert_failed(self.process.until_answer(), "Cancelled", "canceled", False)  # every line before it is a message

    def test_serve_returns_at_the_end(self):
        self.process.say_no_more()
        self.assertEqual(self.process.ended(), 0)
        self.assertIn("after serve()", self.process.printed())


class Threads(Python, AtOnce, Conversation, unittest.TestCase):
    command = [sys.executable, TASKS, "threads"]
    concurrency = at_once = 4
    waiting = (("waits", "asks"),)

    def test_a_function_asks_whether_it_is_cancelled(self):
        run = self.process.give("waits", '"polls"')
        self.process.until("log")
        self.process.cancel(run, "leaving")
        self.assertEqual(self.process.until_answer()["result"], "leaving")


class Async(Python, AtOnce, Conversation, unittest.TestCase):
    command = [sys.executable, TASKS, "async"]
    concurrency = at_once = 4
    gate = "async_gate"
    waiting = (("async_waits", None), ("waits", "asks"))

    def test_exceptions_in_async_functions_are_answers(self):
        self.assert_failed(self.execute("async_broken", 1)[0], "BadPayload", "by itself", True)
        self.assert_failed(self.execute("async_leaves", 1)[0], "SystemExit", "3", False)

    def test_a_run_cancelled_before_its_first_step_is_answered(self):
        run, line = self.process.run_line("async_waits")
        self.process.write(line + json.dumps({"type": "cancel", "id": run["id"], "reason": "canceled"}) + "\n")
        self.assert_failed(self.process.until_answer(), "Cancelled", "canceled", False)


class Node(AtOnce, Conversation, unittest.TestCase):
    command = ["node", HERE + "/warm_tasks.js"]
    concurrency = at_once = 4
    gate = "gate"
    unwritable = ("circle", "function")
    everyday = {"map": {"a": 1}, "set": [1, 2], "big": "12345678901234567890", "bytes": "/wA=", "at": "1970-01-01T00:00:00.000Z"}
    waiting = (("waits", None),)


class ByHand:
    """Programs of tasks that no worker has started."""

    def call(self, *arguments, code):
        environment = {name: value for name, value in os.environ.items() if name != "DORMOUSE_CONTROL_FD"}
        done = subprocess.run([*self.command, *arguments], env=environment, text=True, capture_output=True, input='["stdin"]', timeout=60)
        self.assertEqual(done.returncode, code, done.stderr)
        return done

    def test_it_says_what_it_is_and_how_to_try_it(self):
        said = self.call(code=2).stderr
        for word in ("warm handler of dormouse", "echo", "dormouse try TASK", "--run TASK"):
            self.assertIn(word, said)

    def test_a_task_is_run_once(self):
        self.assertEqual(json.loads(self.call("--run", "echo", '{"name": "Zürich"}', code=0).stdout), {"name": "Zürich"})
        self.assertEqual(json.loads(self.call("--run", "echo", "-", code=0).stdout), ["stdin"])
        done = self.call("--run", "steps", code=0)
        self.assertEqual(done.stdout, "null\n")
        self.assertIn("warning: warning\n", done.stderr)
        self.assertIn("enqueue:", self.call("--run", "chain", code=0).stderr)
        self.assertIn("KeyError", self.call("--run", "broken", code=1).stderr)
        self.assertIn("busy", self.call("--run", "later", "30", code=75).stderr)
        self.assertIn("there is no task other", self.call("--run", "other", code=2).stderr)
        self.assertIn("not JSON", self.call("--run", "echo", "{", code=2).stderr)


class PythonByHand(ByHand, unittest.TestCase):
    command = [sys.executable, TASKS, "plain"]


class NodeByHand(ByHand, unittest.TestCase):
    command = ["node", HERE + "/warm_tasks.js"]


class PythonModule(unittest.TestCase):
    def test_a_module_of_three_lines_is_served(self):
        with tempfile.TemporaryDirectory() as directory:
            with open(directory + "/shop.py", "w") as file:
                file.write("from dormouse import task\n@task\ndef double(payload): return 2 * payload\n")
            here = os.getcwd()
            os.chdir(directory)
            self.addCleanup(os.chdir, here)
            process = Process([sys.executable, "-m", "dormouse", "shop"])
            self.addCleanup(process.close)
            self.assertEqual(process.hello["tasks"], ["double"])
            self.assertEqual(process.execute("double", 21)[0]["result"], 42)

    def refusal(self, source):
        with tempfile.TemporaryDirectory() as directory:
            with open(directory + "/tasks.py", "w") as file:
                file.write("from __future__ import annotations\nfrom dormouse import serve, task\n" + source + "\nserve()\n")
            done = subprocess.run([sys.executable, directory + "/tasks.py"], text=True, capture_output=True, timeout=60)
        self.assertEqual(done.returncode, 1)
        return done.stderr

    def test_functions_that_cannot_be_called_are_refused_at_the_start(self):
        self.assertIn("no task is registered", self.refusal(""))
        self.assertIn("'size' needs a default", self.refusal("@task\ndef f(payload, size): pass"))
        self.assertIn("'Nowhere' is not defined", self.refusal("@task\ndef f(payload: Nowhere): pass"))


CASES = {"python": [OneAtATime, Threads, Async, PythonByHand, PythonModule], "node": [Node, NodeByHand]}


def missing(client):
    """Why a client cannot be tested here; None if it can."""
    node = shutil.which("node")
    if client == "node" and (node is None or int(subprocess.check_output([node, "-p", "parseInt(process.versions.node)"])) < 18):
        return "the Node client of warm handlers: there is no node 18 or later (Debian package nodejs)"
    return None
