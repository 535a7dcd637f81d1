"""warm_test.py python|node: the same conversations with each client of warm handlers, over real sockets and processes."""

import json
import os
import sys
import tempfile
import unittest

from warm_worker import Process

HERE = os.path.dirname(os.path.abspath(__file__))


class Conversation:
    """What holds for every client."""

    def setUp(self):
        self.process = Process(self.command)
        self.addCleanup(self.process.close)
        self.execute = self.process.execute

    def assert_failed(self, answer, class_, message, permanent):
        self.assertEqual((answer["type"], answer["class"], answer.get("permanent", False)), ("failed", class_, permanent), answer)
        self.assertIn(message, answer["message"])

    def fifo(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        path = directory.name + "/gate"
        os.mkfifo(path)
        return path

    def test_hello_says_protocol_tasks_concurrency_and_client(self):
        hello = self.process.hello
        self.assertEqual((hello["type"], hello["protocol"], hello["concurrency"]), ("hello", 1, self.concurrency))
        self.assertIn("echo", hello["tasks"])
        self.assertEqual(hello["client"], f"{sys.argv[1]} {os.environ['DORMOUSE_VERSION']}")

    def test_a_result_is_what_the_function_returns(self):
        for value in ({"a": [1, 2.5, None, True]}, [], "text", 0, False):
            run = self.process.give("echo", json.dumps(value))
            self.assertEqual(self.process.answer(run), [{"type": "completed", "id": run["id"], "result": value}])
        self.assertNotIn("result", self.execute("nothing")[0])

    def test_unicode_and_control_characters_pass_through(self):
        value = {"schlüssel\n": "Zürich 東京 🐭 \x00\x01\x1b\x7f \u2028\u2029 \" \\ \\ud800"}
        self.assertEqual(self.execute("echo", value)[0]["result"], value)
        run = self.process.give("echo", json.dumps(value, ensure_ascii=False))  # not escaped
        self.assertEqual(self.process.answer(run)[0]["result"], value)

    def test_half_a_surrogate_pair_is_no_result_and_names_the_place(self):
        self.assert_failed(self.execute("half")[0], "BadResult", "\\ud800", True)
        self.assert_failed(self.execute("echo", "\ud800")[0], "BadResult", "\\ud800", True)

    def test_what_is_no_json_is_no_result(self):
        for kind in self.unwritable:
            self.assert_failed(self.execute("unwritable", kind)[0], "BadResult", "the result cannot be written as JSON", True)
        self.assertEqual(self.execute("echo", 1)[0]["result"], 1)

    def test_everyday_values_have_a_form(self):
        self.assertEqual(self.execute("everyday")[0].get("result"), self.everyday)

    def lives(self, pid):
        try:
            with open(f"/proc/{pid}/stat", encoding="utf-8") as file:
                return file.read().rpartition(") ")[2][0] != "Z"
        except OSError:
            return False

    def test_what_a_run_has_started_ends_with_it_when_it_is_stopped(self):
        left = self.execute("starts", "leaves")[-1]["result"]  # and lives on where it was not
        for _ in range(2):
            run = self.process.give("starts", '"stays"')
            pids = json.loads(self.process.until("log")["text"])
            self.assertTrue(all(map(self.lives, pids)))
            self.process.cancel(run, "timeout")
            self.assert_failed(self.process.until("failed"), "Cancelled", "timeout", False)
            self.assertEqual([pid for pid in pids if self.lives(pid)], [])
        self.assertTrue(all(map(self.lives, left)))
        for pid in left:
            os.kill(pid, 9)
        self.assertEqual(self.execute("echo", 1)[0]["result"], 1)

    def test_a_result_that_is_too_large_is_not_said(self):
        self.process = Process(self.command, DORMOUSE_RESULT_BYTES="10000")
        self.addCleanup(self.process.close)
        execute = self.process.execute
        for text in ("x" * 9_998, "ä" * 4_999):
            self.assertEqual(execute("echo", text)[-1]["result"], text)
        for text in ("x" * 9_999, "ä" * 5_000, "x" * 1_000_000):
            self.assert_failed(execute("echo", text)[-1], "result_too_large", "the result is larger than 10000 bytes", True)
        self.assertEqual(len(execute("hands_on", [70, 100])[-1]["enqueue"]), 70)
        self.assert_failed(execute("hands_on", [100, 100])[-1], "result_too_large", "what it enqueues is larger than 10000", True)
        self.process = Process(self.command, DORMOUSE_RESULT_BYTES="100000")  # each of them fits, and both do not
        self.addCleanup(self.process.close)
        self.assert_failed(self.process.execute("hands_on", [700, 100, "x" * 90_000])[-1], "result_too_large", "are together larger than", True)
        self.assertEqual(self.process.execute("echo", 1)[-1]["result"], 1)

    def test_a_run_knows_what_it_is(self):
        for more in ({}, {"deadline": 2_000_000_000.5, "traceparent": "00-" + "a" * 32 + "-" + "b" * 16 + "-01", "later": {"new": 1}}):
            run = self.process.give("who", **more)
            expected = {"deadline": None, "traceparent": None, **run}
            expected.pop("type"), expected.pop("later", None)
            self.assertEqual(self.process.answer(run)[0]["result"], expected)

    def test_an_exception_is_failed_with_class_message_and_place(self):
        answer = self.execute("broken")[0]
        self.assert_failed(answer, "KeyError", "no such file", False)
        self.assertIn("warm_tasks", answer["message"])
        self.assertEqual(self.execute("echo", 1)[0]["result"], 1)

    def test_fail_is_permanent_unless_it_says_otherwise(self):
        self.assert_failed(self.execute("fails", {"permanent": True})[0], "Fail", "never", True)
        self.assert_failed(self.execute("fails", {"permanent": False})[0], "Fail", "never", False)

    def test_a_retry_is_a_failure_that_says_when(self):
        answer = self.execute("tries_again", 30)[0]
        self.assert_failed(answer, "Retry", "busy", False)
        self.assertEqual(answer["in"], 30)
        self.assertNotIn("in", self.execute("tries_again", None)[0])

    def test_a_snooze_says_when(self):
        run = self.process.give("later", "30")
        self.assertEqual(self.process.answer(run), [{"type": "retry", "id": run["id"], "in": 30, "message": "busy"}])
        self.assertNotIn("in", self.execute("later", None)[0])

    def test_progress_log_and_heartbeat_come_in_order_and_within_bounds(self):
        said = [{key: value for key, value in message.items() if key != "id"} for message in self.execute("steps")]
        self.assertEqual(said[0], {"type": "progress", "fraction": 0.25, "text": "a quarter"})
        self.assertEqual(said[1], {"type": "progress", "fraction": 1})
        self.assertEqual(said[2], {"type": "log", "level": "info", "text": "one"})
        self.assertEqual(said[3]["text"].replace("\ufffd", "?"), "two ?\x00")
        self.assertEqual([message["level"] for message in said[4:8]], ["debug", "info", "warning", "error"])
        self.assertEqual(said[8:], [{"type": "heartbeat", "within": 30}, {"type": "completed"}])

    def test_what_is_said_on_the_way_is_heard_at_once(self):
        path = self.fifo() + ".go"
        run = self.process.give("spins", json.dumps(path))
        self.assertEqual(self.process.until("progress"), {"type": "progress", "id": run["id"], "text": "spins"})
        os.close(os.open(path, os.O_CREAT))
        self.assertEqual(self.process.answer(run), [{"type": "completed", "id": run["id"]}])

    def test_what_is_enqueued_goes_with_the_completion_only(self):
        said = self.execute("chain", False)
        self.assertEqual(len(said), 1)
        self.assertEqual(said[0]["enqueue"], [{"task": "next", "payload": {"n": 1}, "queue": "mail", "priority": -1, "key": "k"},
                                              {"task": "last", "payload": None, "max_attempts": 2}])
        odd = self.execute("chain", "odd")[-1]
        self.assertEqual(odd["class"], "TypeError")
        self.assertRegex(odd["message"], r"run\.enqueue\('last'\): there is no .*attempts; there are .*max_attempts")
        line, answer = self.execute("chain", True)
        self.assertEqual((answer["type"], "enqueue" in answer), ("failed", False))
        self.assertEqual((line["level"], line["text"]), ("warning", "2 follow-up runs are dropped: the attempt did not complete"))

    def test_a_payload_that_does_not_fit_fails_at_once_and_says_where(self):
        good = {"file": "a.png", "sizes": [{"width": 1}, {"width": 2, "height": 3}], "unknown": 1}
        result = self.execute("sized", good)[0]["result"]
        self.assertEqual(result["sizes"], [{"width": 1, "height": 100}, {"width": 2, "height": 3}])
        bad = {"file": "a.png", "sizes": [{"width": 1}, {"width": "2"}]}
        self.assert_failed(self.execute("sized", bad)[0], "BadPayload", "payload.sizes[1].width: expected an integer", True)
        self.assert_failed(self.execute("sized", {"sizes": []})[0], "BadPayload", "payload.file: missing", True)

    def test_a_task_it_does_not_have_is_failed_and_can_be_tried_elsewhere(self):
        answer = self.execute("other")[0]
        self.assertEqual((answer["type"], answer.get("permanent", False)), ("failed", False))
        self.assertIn("no task", answer["message"])

    def test_a_payload_of_a_mebibyte_passes(self):
        text = "x🐭" * 210_000
        self.assertEqual(self.execute("echo", text)[0]["result"], text)
        line = self.process.run_line("echo", json.dumps(text, ensure_ascii=False))
        data = line[1].encode()
        for at in range(0, len(data), 70_001):  # in pieces that cut characters
            self.process.socket.sendall(data[at : at + 70_001])
        self.assertEqual(self.process.answer(line[0])[0]["result"], text)

    def test_payloads_that_are_deep_or_have_long_numbers_do_not_end_the_process(self):
        for payload in ("[" * 100_000 + "]" * 100_000, "1" * 5_000):
            self.assertIn(self.process.answer(self.process.give("echo", payload))[0]["type"], ("completed", "failed"))
        self.assertEqual(self.execute("echo", 1)[0]["result"], 1)

    def test_many_runs_in_one_piece_are_all_answered(self):
        runs = [self.process.run_line("echo", str(n)) for n in range(500)]
        self.process.write("".join(line for _, line in runs))
        answers = [self.process.read() for _ in runs]
        self.assertEqual({answer["id"]: answer["result"] for answer in answers}, {run["id"]: n for n, (run, _) in enumerate(runs)})

    def test_what_is_not_known_is_passed_over(self):
        self.process.write('{"type":"weather","text":"fine"}\n{"type":"cancel","id":"00000000-0000-0000-0000-000000000000"}\n')
        self.assertEqual(self.execute("echo", 1)[0]["result"], 1)

    def test_a_worker_of_another_protocol_is_told_with_the_remedy(self):
        self.process.write("HTTP/1.1 400 Bad Request\n")
        self.assertEqual(self.process.ended(), 1)
        self.assertIn("of the same version", self.process.printed())

    def test_stray_output_is_no_protocol(self):
        self.assertEqual(self.execute("nothing")[0]["type"], "completed")
        self.assertIn("a stray line on stdout", self.process.printed())

    def test_at_the_end_of_the_socket_what_runs_is_finished_and_the_exit_is_clean(self):
        path = self.fifo()
        run = self.process.give(self.gate, json.dumps(path))
        self.assertEqual(self.process.until("log")["text"], "began")
        self.process.say_no_more()
        with open(path, "w") as file:
            file.write("finished")
        self.assertEqual(self.process.answer(run)[0]["result"], "finished")
        self.assertIsNone(self.process.read())
        self.assertEqual(self.process.ended(), 0)

    def test_without_work_the_end_of_the_socket_is_the_end(self):
        self.process.say_no_more()
        self.assertEqual(self.process.ended(), 0)

    def test_a_cancelled_function_is_told_and_may_tidy_up(self):
        for task, payload in self.waiting:
            with self.subTest(task=task, payload=payload):
                run = self.process.give(task, json.dumps(payload))
                self.assertEqual(self.process.until("log")["text"], "began")
                self.process.cancel(run, "timeout")
                self.assertEqual(self.process.until("log")["text"], "tidied")
                self.assert_failed(self.process.until("failed"), "Cancelled", "timeout", False)
                self.assertEqual(self.execute("echo", 1)[0]["result"], 1)

    def test_a_cancellation_after_the_answer_does_no_harm(self):
        for _ in range(200):
            run, line = self.process.run_line("echo", "1")
            self.process.write(line + json.dumps({"type": "cancel", "id": run["id"], "reason": "canceled"}) + "\n")
            self.assertEqual(self.process.until_answer()["id"], run["id"])
        self.assertEqual(self.execute("echo", 2)[0]["result"], 2)


class AtOnce:
    def test_several_are_executed_at_once_and_answered_as_they_end(self):
        paths = [self.fifo() for _ in range(self.at_once)]
        runs = [self.process.give(self.gate, json.dumps(path)) for path in paths]
        for _ in runs:
            self.assertEqual(self.process.until("log")["text"], "began")
        for run, path in reversed(list(zip(runs, paths))):
            with open(path, "w") as file:
                file.write(run["id"])
            self.assertEqual(self.process.read(), {"type": "completed", "id": run["id"], "result": run["id"]})


def main():
    from warm_cases import CASES, missing

    why = missing(sys.argv[1])
    if why:
        print("SKIPPED: " + why)
        sys.exit(77)
    suite = unittest.TestSuite(unittest.defaultTestLoader.loadTestsFromTestCase(case) for case in CASES[sys.argv[1]])
    sys.exit(not unittest.TextTestRunner(verbosity=2).run(suite).wasSuccessful())


if __name__ == "__main__":
    sys.modules["warm_test"] = sys.modules["__main__"]  # warm_cases imports it by this name
    main()
