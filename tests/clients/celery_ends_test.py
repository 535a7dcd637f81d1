"""dormouse.celery: how a task ends that is stopped, who is told of it, and what of Celery is refused or kept by its name."""

import datetime
import threading
import time
import unittest

from celery_test import EYE, URL, drain, row, tasks, toml

import celery_ends as ends
import dormouse
import dormouse.celery
from dormouse.celery import AsyncResult, Celery, Retry, _app, signals


def lines(result):
    return [text for (text,) in EYE.execute("SELECT text FROM dormouse.logs WHERE run_id = %s ORDER BY attempt, line", [result.id])]


class Test(unittest.TestCase):
    def setUp(self):
        EYE.execute("TRUNCATE dormouse.runs, dormouse.keys")
        _app._current = ends.app
        ends.app.conf.broker_url = URL
        self.addCleanup(setattr, _app, "_current", tasks.app)

    def test_hooks_and_signals_hear_of_a_limit_whatever_the_task_makes_of_it(self):
        passes, swallows, stumbles = ends.passes.delay(), ends.swallows.delay(), ends.stumbles.delay()
        drain("celery_ends")
        EYE.execute("UPDATE dormouse.runs SET run_at = now() WHERE status = 'retry'")
        drain("celery_ends")
        limit = "SoftTimeLimitExceeded('timeout')"
        failed = [f"task_failure {limit}", f"on_failure {limit}", "task_postrun FAILURE", "after_return FAILURE"]
        self.assertEqual((lines(swallows), lines(stumbles)), (failed, failed))
        self.assertEqual(lines(passes), [f"task_retry {limit}", f"on_retry {limit}", "task_postrun RETRY", *failed])
        self.assertEqual([row(one)["error"]["class"] for one in (passes, swallows, stumbles)], ["timeout"] * 3)

    def test_what_is_revoked_is_no_limit_and_no_failure(self):
        for stumble in (False, True):
            run = ends.lasts.delay(stumble)

            def revoke(run=run):
                deadline = time.monotonic() + 60
                while not lines(run) and time.monotonic() < deadline:
                    time.sleep(0.05)
                run.revoke(terminate=True)

            thread = threading.Thread(target=revoke)
            thread.start()
            drain("celery_ends")
            thread.join()
            self.assertEqual((run.state, lines(run)), ("REVOKED", ["begins", "finally canceled", "task_postrun REVOKED"]))

    def test_a_retry_has_celerys_members_and_headers_are_kept(self):
        run = ends.looks.apply_async(headers={"tenant": "x"})
        drain("celery_ends")
        self.assertEqual(run.get(), [{"tenant": "x"}, "x", "x", 7, True])
        self.assertEqual(lines(run)[0], "when 0 OSError('away') None in 0s")
        at = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(hours=1)
        self.assertEqual((Retry("busy", when=at).when, str(Retry("busy", when=at))), (at, "busy"))
        self.assertAlmostEqual(Retry(when=at).in_, 3600, delta=60)
        self.assertEqual((Retry("busy", in_=30).in_, Retry(in_=30).when, Retry("busy").in_), (30, 30, None))
        self.assertEqual(row(ends.app.send_task("x", headers={"a": 1}))["payload"], {"args": [], "kwargs": {}, "headers": {"a": 1}})
        ends.app.conf.task_always_eager = True
        self.addCleanup(ends.app.conf.update, task_always_eager=False)
        self.assertEqual(ends.looks.apply_async(headers={"tenant": "x"}).get()[0], {"tenant": "x"})

    def test_a_failure_is_told_to_a_celery_task(self):
        failed = ends.gives_up.delay()
        drain("celery_ends", lambda text: text.replace('[task."celery_ends.gives_up"]', '[task."celery_ends.gives_up"]\non_failure = "celery_ends.hears"'))
        told = EYE.execute("SELECT id FROM dormouse.runs WHERE task = 'celery_ends.hears'").fetchone()[0]
        self.assertEqual(AsyncResult(told).get(), [failed.id, "ValueError"])

    def test_the_tables_have_no_limit_where_celery_has_none_and_the_native_tasks(self):
        tables = {part.partition("\n")[0]: part for part in toml("celery_ends").split("\n\n")}
        self.assertIn('\ntimeout = "never"', tables['[task."celery_ends.looks"]'])
        self.assertIn('\ntimeout = "1s"', tables['[task."celery_ends.passes"]'])
        self.assertTrue({"max_attempts", "timeout"}.isdisjoint(line.partition(" ")[0] for line in tables['[task."native"]'].splitlines()))
        self.assertIn('queues = ["default", "own"]', next(iter(tables)))
        run = EYE.execute("""SELECT dormouse.enqueue('native', '{"a": 5}', queue => 'own')""").fetchone()[0]
        drain("celery_ends", lambda text: text.replace("[task.", '[worker]\nqueues = ["default", "own"]\n[task.', 1))
        self.assertEqual(AsyncResult(run).get(), 5)

    def test_what_celery_tasks_have_can_be_read(self):
        task = ends.looks
        self.assertEqual((task.throws, task.acks_late, task.track_started, task.typing, task.serializer, task.request_stack.top), ((), False, False, True, "json", None))
        self.assertEqual([getattr(task.request, name) for name in ("chord", "group_index", "timelimit", "reply_to", "headers")], [None] * 5)
        self.assertRaises(task.MaxRetriesExceededError, tasks.never.apply(("x",)).get)
        self.assertRaisesRegex(AttributeError, r"AsyncResult\(id\)", lambda: task.backend.mark_as_failure)
        self.assertRaisesRegex(AttributeError, "no header of that name", lambda: task.request.tenant)

    def test_what_only_a_broker_knows_names_what_to_do(self):
        add, shared_task, send = tasks.add, dormouse.celery.shared_task, ends.app.send_task
        for call, word in ((lambda: add.apply_async((1,), routing_key="x"), "queue="), (lambda: shared_task(exchange="x", name="x")(len), "queue="),
                           (lambda: add.apply_async((1,), MessageGroupId="x"), "a lock"), (lambda: add.apply_async((1,), MessageDeduplicationId="x"), "key="),
                           (lambda: send("x", link=add), "key=self.request.id"), (lambda: send("x", routing_key="x"), "queue="),
                           (lambda: add.apply_async((1,), link_error=add), "id of the run"),
                           (lambda: Celery("x", task_routes={"*": {"routing_key": "x"}}).queue_of(add), "queue="),
                           (lambda: signals.before_task_publish.connect(len), r"around the call.*worker_ready"),
                           (lambda: signals.task_revoked.connect(len), "Cancelled")):
            with self.assertRaisesRegex(NotImplementedError, word):
                call()


if __name__ == "__main__":
    unittest.main(verbosity=2)
