"""hooks_test.py python|node: what a warm process does before its first and after its last run, and after which exceptions a run is tried again."""

import os
import shutil
import subprocess
import sys
import tempfile
import unittest

from warm_worker import Process

HERE = os.path.dirname(os.path.abspath(__file__))
COMMANDS = {"python": [sys.executable, HERE + "/hooked_tasks.py"], "node": [shutil.which("node"), HERE + "/hooked_tasks.js"]}
client = sys.argv.pop(1)
command = COMMANDS[client]


class Hooks(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.path = directory.name + "/notes"

    def start(self, how=""):
        process = Process(command, HOOKED=self.path, HOW=how)
        self.addCleanup(process.close)
        return process

    def notes(self):
        with open(self.path, encoding="utf-8") as file:
            return file.read().split()

    def test_hooks_surround_the_runs(self):
        for how in ("", "threads", "async"):
            if os.path.exists(self.path):
                os.remove(self.path)
            process = self.start(how)
            self.assertEqual(process.hello["type"], "hello")
            self.assertEqual(self.notes(), ["opens", "loads"], how)  # before the hello: no run comes sooner
            self.assertEqual(process.execute("works")[0]["type"], "completed")
            process.say_no_more()
            self.assertEqual(process.ended(), 0)
            self.assertEqual(self.notes(), ["opens", "loads", "works", "closes", "unloads"], how)
            self.assertIn("it goes on", process.printed())

    def test_what_runs_has_ended_when_the_process_is_let_go(self):
        process = self.start("async")
        process.give("waits")
        process.say_no_more()
        self.assertEqual(process.read()["type"], "completed")
        self.assertEqual(process.ended(), 0)
        self.assertEqual(self.notes()[2:], ["waited", "closes", "unloads"])

    def test_a_start_that_fails_is_no_hello_and_says_why(self):
        for how in ("fails", "fails async"):
            process = self.start(how)
            self.assertIsNone(process.hello)
            self.assertEqual(process.ended(), 1)
            self.assertIn("ConnectionError", process.printed())
            self.assertIn("no such database", process.printed())
        self.assertEqual(self.notes(), ["opens", "opens"])

    def test_by_hand_has_them_too(self):
        for task in ("works", "waits"):
            variables = {**os.environ, "HOOKED": self.path, "HOW": "async"}
            subprocess.run([*command, "--run", task], env=variables, check=True, capture_output=True, timeout=60)
        self.assertEqual(self.notes(), ["opens", "loads", "works", "closes", "unloads", "opens", "loads", "waited", "closes", "unloads"])

    def test_classes_say_whether_it_is_tried_again(self):
        process = self.start()
        permanent = {"picky": {"other", "fail"}, "lenient": {"other", "very", "fail"}, "both": {"very", "fail"}}
        for task, for_good in permanent.items():
            for what in ("flaky", "very", "other", "retry", "fail", "not_for_good"):
                answer = process.execute(task, what)[-1]
                self.assertEqual((answer["type"], answer.get("permanent", False)), ("failed", what in for_good), (task, what, answer))
                self.assertEqual(answer.get("in"), 3 if what == "retry" else None)


if __name__ == "__main__":
    if command[0] is None:
        print(f"SKIPPED: there is no {client} on this machine")
        sys.exit(77)
    unittest.main()
