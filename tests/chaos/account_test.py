#!/usr/bin/python3
"""The account finds what it is there to find: each case is one sound run, and then one thing wrong with it."""
import copy
import random
import unittest

import outages
import report
import violence
from account import Account, read_marks

FENCE = "7:w1"
SOUND = {
    "book": {"r": "slow"},
    "doubtful": {},
    "rows": [{"id": "r", "task": "slow", "status": "completed", "fence": FENCE, "result": {"fence": FENCE}, "error": None, "finished": 14}],
    "attempts": [{"run": "r", "fence": FENCE, "outcome": "completed", "started": 10, "ended": 14, "error": None}],
    "marks": ["start r 7:w1 1 a slow 11", "beat r 7:w1 1 a slow 12", "end r 7:w1 1 a slow 13"],
    "frozen": [],
}
# An attempt before it, on host b, whose lease ended at 10.
LOST = {"run": "r", "fence": "6:w0", "outcome": "lost", "started": 4, "ended": 10, "error": None}


def found(change=lambda case: None):
    case = copy.deepcopy(SOUND)
    change(case)
    marks, torn = read_marks(case.pop("marks"))
    assert not torn
    drawn = Account(marks=marks, **case)
    return {what for what, lines in drawn.findings.items() if lines}, drawn.figures


class Findings(unittest.TestCase):
    def finds(self, what, change):
        self.assertEqual(found(change)[0], {what} if what else set())

    def test_nothing_in_a_sound_run(self):
        self.finds(None, lambda case: None)

    def test_a_run_that_is_nowhere(self):
        self.finds("lost", lambda case: case["book"].update(other="quick"))

    def test_a_run_in_doubt_that_is_nowhere_is_not_lost(self):
        self.finds(None, lambda case: case["doubtful"].update(other="quick"))

    def test_a_run_that_nobody_enqueued(self):
        self.finds("nobody enqueued it", lambda case: case["book"].clear())

    def test_a_run_that_has_not_ended(self):
        self.assertIn("stuck", found(lambda case: case["rows"][0].update(status="running", result=None))[0])

    def test_a_run_that_failed_against_its_policy(self):
        self.finds("wrong end", lambda case: case["rows"][0].update(status="failed", result=None))

    def test_the_result_of_another_fence(self):
        self.finds("stale accepted", lambda case: case["rows"][0].update(result={"fence": "6:w0"}))

    def test_the_error_of_another_fence(self):
        retry = dict(LOST, outcome="retry", error={"class": "signal", "message": "exit 1\nfence=5:ab"})
        self.finds("stale accepted", lambda case: case["attempts"].append(retry))

    def test_a_handler_without_an_attempt(self):
        self.finds("start without an attempt", lambda case: case["marks"].append("start r 6:w0 1 b slow 5"))

    def test_a_claim_that_was_started_twice(self):
        self.finds("one claim started twice", lambda case: case["marks"].append("start r 7:w1 1 a slow 11.5"))

    def test_a_completed_run_without_a_handler(self):
        self.finds("ended and never started", lambda case: case["marks"].clear())

    def test_two_handlers_at_once(self):
        def change(case):
            case["attempts"].append(LOST)
            case["marks"] += ["start r 6:w0 1 b slow 5", "beat r 6:w0 1 b slow 11.5"]
        self.finds("overlap", change)

    def test_two_handlers_at_once_when_the_worker_of_the_first_was_frozen(self):
        def change(case):
            case["attempts"].append(LOST)
            case["marks"] += ["start r 6:w0 1 b slow 5", "beat r 6:w0 1 b slow 11.5"]
            case["frozen"].append(("b", 5.5, 11))
        self.finds(None, change)
        self.assertEqual(found(change)[1]["overlaps"], {"two handlers at once": 1, "overlap: its worker was frozen": 1})

    def test_a_handler_that_starts_when_the_run_is_somebody_elses(self):
        def change(case):
            case["attempts"].append(LOST)
            case["marks"] += ["start r 6:w0 1 b slow 10.5"]
        self.finds("late start", change)

    def test_a_process_that_outlives_its_attempt(self):
        self.finds("a process outlived its attempt", lambda case: case["marks"].append("beat r 7:w1 1 a slow 14.2"))


class Violence(unittest.TestCase):
    """Minutes that begin at 1000."""

    def plan(self, *done):
        plan = [violence.Event(0, kind, "a", 0, "done", began) for kind, began in done]
        return list(violence.minutes_without_kills(plan, 1000, 130))

    def test_each_full_minute_has_each_kill(self):
        twice = [(kind, began) for kind in violence.KILLS for began in (1000, 1119.9)]
        self.assertEqual(self.plan(*twice), [])
        self.assertEqual(self.plan(*twice[1:]), ["minute 1: kill worker"])
        self.assertEqual(self.plan(*twice[:-1]), ["minute 2: kill Postgres"])

    def test_what_was_not_done_does_not_count(self):
        plan = [violence.Event(0, kind, "a", 0, "nobody there", 1000) for kind in violence.KILLS]
        self.assertEqual(len(list(violence.minutes_without_kills(plan, 1000, 60))), 3)

    def test_kills_are_planned_and_tried_again_within_their_minute(self):
        plan = violence.plan(random.Random(1), 600, ["a", "b"])
        for event in plan:
            minute = event.at // 60
            if event.kind in violence.KILLS:
                self.assertGreaterEqual(violence.patience(event), event.at + violence.PATIENCE_S)
                self.assertLess(violence.patience(event), 60 * (minute + 1))
        self.assertEqual({event.at // 60 for event in plan if event.kind == "kill Postgres"}, set(range(10)))


class StaleWrites(unittest.TestCase):
    def test_endings_and_extensions_that_were_refused_count_and_nothing_else(self):
        events = [{"event": name} for name in ("result_refused", "run_canceled", "extension_refused", "result_refused", "lease_lost")]
        self.assertEqual(report.refused(events), {"endings refused": 2, "extensions refused": 1})

    def test_fewer_than_fifty_in_ten_minutes_are_too_few(self):
        self.assertEqual(len(report.too_few({"endings refused": 48, "extensions refused": 1}, 600)), 1)
        self.assertEqual(report.too_few({"endings refused": 48, "extensions refused": 2}, 600), [])
        self.assertEqual(report.too_few({}, 599), [])


class Recoveries(unittest.TestCase):
    """A restart at 100 in a plan of one; samples are (time, backlog, all who wait)."""
    BEFORE = [(98 + tenth / 10, 0, 2) for tenth in range(20)]
    GONE = (100.25, None, None)
    STEADY = [(102.1 + tenth / 10, 0, 3) for tenth in range(30)]

    def of(self, *samples):
        plan = outages.plan(20, 20)
        plan[0].began = 100.0
        return list(outages.recoveries(plan, self.BEFORE + list(samples)))

    def test_the_backlog_that_goes_away(self):
        self.assertEqual(self.of(self.GONE, (101.5, 30, 60), (101.75, 50, 90), (102.0, 0, 3), *self.STEADY), [(1.5, 2.0, 90)])

    def test_an_answer_that_came_just_before_the_end_of_the_server(self):
        self.assertEqual(self.of((100.125, 0, 2), self.GONE, (101.5, 30, 60), (102.0, 0, 3), *self.STEADY), [(1.5, 2.0, 60)])

    def test_the_backlog_that_stays(self):
        self.assertEqual(self.of(self.GONE, (101.5, 30, 60), (101.75, 50, 90)), [(1.5, None, 90)])
        self.assertEqual(self.of(), [(None, None, 0)])

    def test_one_restart_without_recovery_among_others_is_found(self):
        plan = outages.plan(40, 20)
        plan[0].began, plan[1].began = 100.0, 120.0
        first = [self.GONE, (101.5, 30, 60), (102.0, 0, 3)]
        second = [(120.25, None, None), (121.0, 30, 60), (122.0, 40, 70)]
        self.assertEqual(outages.not_recovered(plan, first + second), ["restart 2: not before the next"])
        self.assertEqual(outages.not_recovered(plan, first + second + [(123.0, 0, 1)]), [])

    def test_each_restart_has_the_time_until_the_next(self):
        self.assertEqual([event.at for event in outages.plan(300, 60)], [30, 90, 150, 210, 270])


unittest.main()
