#!/usr/bin/python3
"""The account finds what it is there to find: each case is one sound run, and then one thing wrong with it."""
import copy
import unittest

import outages
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

    def test_each_restart_has_the_time_until_the_next(self):
        self.assertEqual([event.at for event in outages.plan(300, 60)], [30, 90, 150, 210, 270])


unittest.main()
