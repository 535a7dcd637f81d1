"""What is said of an error: the author's own lines, what it came from, and where in a result is what JSON cannot say."""

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import unittest

from warm_worker import Process

CLIENTS = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))) + "/clients"

PYTHON = """
import sys, urllib.request
sys.path.insert(0, __file__.rpartition("/")[0] + "/site-packages")
import deep
from dormouse import Retry, on_start, serve, task

@on_start
def db():
    return {"name": "shop"}

@task
def opens(payload): return urllib.request.urlopen(payload)
@task
def descends(payload): return deep.descend(payload)
@task
def descends_here(payload): return descends_here(payload - 1) if payload else 1 / 0
@task
def converts(payload):
    try:
        deep.descend(payload)
    except ZeroDivisionError as error:
        raise LookupError("no such order") from error
@task
def handles(payload):
    try:
        deep.descend(payload)
    except ZeroDivisionError:
        raise LookupError("no such order")
@task
def tries(payload):
    try:
        deep.descend(payload)
    except ZeroDivisionError as error:
        raise Retry("busy", in_=7) from error
@task
def tries_twice(payload):
    try:
        tries(payload)
    except Retry as error:
        raise Retry("still busy") from error
@task
def tries_only(payload): raise Retry("busy")
@task
def gives(payload, run): return {"nan": {"a": [1, {"b": float("nan")}]}, "object": [object()], "key": {"a": {(1, 2): 3}}, "whole": {1, 2}}[payload]
@task
def is_given(payload, run, db): return [payload, db, run.attempt, run.max_attempts, run.queue]
@task
def steps(payload, run): run.progress(0.5, {"step": 1})
serve()
"""
DEEP = """
def descend(n):
    return descend(n - 1) if n else 1 / 0
"""
NODE = f"""
const {{ task, serve }} = require('{CLIENTS}/node/dormouse.js');
task('opens', (payload) => fetch(payload));
task('converts', () => {{ throw new Error('no such order', {{ cause: new RangeError('the disk is full', {{ cause: 'a text' }}) }}); }});
task('several', () => {{ throw new AggregateError([new Error('one'), new TypeError('two')], 'both'); }});
task('plain', () => {{ throw {{ status: 502, body: {{ why: 'busy' }} }}; }});
task('steps', (payload, run) => {{ run.log({{ step: 0 }}); run.progress(0.5, {{ step: 1 }}); }});
task('is_given', (payload, run) => [payload, run.attempt, run.maxAttempts, run.queue]);
serve();
"""


class Errors:
    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.path = directory.name + "/orders" + self.ending
        os.mkdir(directory.name + "/site-packages")
        for path, text in ((self.path, self.tasks), (directory.name + "/site-packages/deep.py", DEEP)):
            with open(path, "w", encoding="utf-8") as file:
                file.write(text)
        self.process = Process([self.program, self.path], PYTHONPATH=CLIENTS + "/python")
        self.addCleanup(self.process.close)

    def refused(self):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            return f"http://127.0.0.1:{free.getsockname()[1]}/"

    def failure(self, task, payload=None):
        answer = self.process.execute(task, payload)[-1]
        self.assertEqual(answer["type"], "failed", answer)
        return answer["message"]

    def by_hand(self, task, payload):
        done = subprocess.run([self.program, self.path, "--run", task, json.dumps(payload)], env={**os.environ, "PYTHONPATH": CLIENTS + "/python"},
                              text=True, capture_output=True, timeout=60)
        return done.stdout, done.stderr

    def test_a_progress_that_is_an_object_is_shown_as_json(self):
        said = self.process.execute("steps")
        self.assertEqual(json.loads(next(message["text"] for message in said if message["type"] == "progress")), {"step": 1})


class Python(Errors, unittest.TestCase):
    program, ending, tasks = "/usr/bin/python3", ".py", PYTHON

    def test_a_refused_connection_has_the_authors_line_and_the_cause(self):
        message = self.failure("opens", self.refused())
        self.assertIn("def opens(payload): return urllib", message)
        self.assertRegex(message, r"urllib.error.URLError.*\n(.*\n)*Raised while this was handled:\n(.*\n)*ConnectionRefusedError")
        self.assertLess(len(message.splitlines()), 40)

    def test_forty_frames_of_a_library_leave_the_authors_and_the_last(self):
        message = self.failure("descends", 40)
        self.assertIn("def descends(payload): return deep.descend(payload)", message)
        self.assertIn("frames]", message)
        self.assertIn("ZeroDivisionError: division by zero", message)
        self.assertLess(len(message.splitlines()), 20)
        own = self.failure("descends_here", 40)
        self.assertIn("division by zero", own)
        self.assertLess(len(own.splitlines()), 30)

    def test_the_authors_exception_stands_before_what_it_came_from(self):
        for task, words in (("converts", "Caused by:"), ("handles", "Raised while this was handled:")):
            message = self.failure(task, 40)
            self.assertTrue(message.startswith("no such order\n"))
            self.assertRegex(message, rf'raise LookupError\("no such order"\).*\n(.*\n)*LookupError: no such order\n{words}\n(.*\n)*ZeroDivisionError')
            self.assertIn("deep.descend(payload)", message)

    def test_a_retry_that_uses_up_the_last_attempt_is_named_after_its_cause(self):
        for task, attempt, kind, text in (("tries", 4, "Retry", "busy"), ("tries", 5, "ZeroDivisionError", "division by zero"),
                                          ("tries_twice", 5, "ZeroDivisionError", "division by zero"), ("tries_only", 5, "Retry", "busy")):
            answer = self.process.execute(task, 1, attempt=attempt)[-1]
            self.assertEqual((answer["class"], answer["message"].splitlines()[0]), (kind, text))
            self.assertIn("busy", answer["message"])

    def test_a_result_that_is_none_names_the_place(self):
        for what, place in (("nan", "result.a[1].b: Out of range"), ("object", "result[0]: a value of type object is not JSON"), ("key", "result.a: the key (1, 2): keys must")):
            self.assertIn(f"the result cannot be written as JSON: {place}", self.failure("gives", what))
        self.assertEqual(self.process.execute("gives", "whole")[-1]["result"], [1, 2])

    def test_what_a_hook_has_returned_is_given_by_its_name(self):
        self.assertEqual(self.process.execute("is_given", 1)[-1]["result"], [1, {"name": "shop"}, 1, 5, "default"])
        self.assertEqual(json.loads(self.by_hand("is_given", 1)[0]), [1, {"name": "shop"}, 1, 1, ""])


@unittest.skipUnless(shutil.which("node"), "no node")
class Node(Errors, unittest.TestCase):
    program, ending, tasks = "node", ".js", NODE

    def test_a_refused_connection_names_it(self):
        message = self.failure("opens", self.refused())
        self.assertIn("fetch failed", message)
        self.assertIn("ECONNREFUSED", message)
        self.assertNotIn("node:", message)

    def test_what_it_came_from_is_told(self):
        self.assertRegex(self.failure("converts"), r"no such order\n +at (.*\n)+caused by RangeError: the disk is full\n(.*\n)+caused by a text")
        self.assertRegex(self.failure("several"), r"both\n(.*\n)+one of its errors: Error: one\n(.*\n)+one of its errors: TypeError: two\n")
        self.assertEqual(self.failure("plain"), '{"status":502,"body":{"why":"busy"}}')

    def test_by_hand_a_run_is_the_first_of_one(self):
        self.assertEqual(json.loads(self.by_hand("is_given", 1)[0]), [1, 1, 1, ""])
        self.assertIn('info: {"step":0}', self.by_hand("steps", 1)[1])


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=2)
