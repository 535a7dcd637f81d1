"""dormouse.celery: the tasks of celery_tasks.py on a real Postgres, executed by a real worker with the tables that --toml prints; and, where
there is a Celery, what that makes of the same tasks."""

import datetime
import json
import os
import subprocess
import sys
import tempfile
import time
import unittest
import uuid

try:
    import psycopg
    import psycopg2
except ImportError as missing:
    print(f"SKIPPED: {missing} (Debian packages python3-psycopg, python3-psycopg2)")
    sys.exit(77)

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
MARKS = tempfile.TemporaryDirectory()
os.environ["MARKS"] = MARKS.name
URL = f"postgresql://postgres@/postgres?host={os.environ['PGHOST']}"

import celery_tasks as tasks

import dormouse
import dormouse.celery
from dormouse.celery import _app, _connection, _task
from dormouse.celery import AsyncResult, Celery, TaskFailed, TaskRevokedError, using

EYE = psycopg.connect("", autocommit=True)


def toml(module="celery_tasks"):
    return subprocess.check_output([sys.executable, "-m", "dormouse.celery", "--toml", module], cwd=HERE, text=True)


def drain(module="celery_tasks", changed=lambda text: text):
    with tempfile.TemporaryDirectory() as directory:
        with open(directory + "/handlers.env", "w", encoding="utf-8") as file:
            file.write("".join(f"{name}={os.environ[name]}\n" for name in ("MARKS", "PYTHONPATH", "PGHOST", "PGUSER", "PGDATABASE", "PYTHONDONTWRITEBYTECODE")))
        with open(directory + "/default.toml", "w", encoding="utf-8") as file:
            file.write(f'[database]\nurl = "{URL}"\n' + changed(toml(module)).replace("handler =", f'environment_file = "{directory}/handlers.env"\nhandler ='))
        return dormouse.drain(config=directory + "/default.toml")


def row(result):
    return EYE.execute("SELECT to_jsonb(r) FROM dormouse.runs r WHERE id = %s", [result.id]).fetchone()[0]


class Test(unittest.TestCase):
    def setUp(self):
        EYE.execute("TRUNCATE dormouse.runs, dormouse.keys")
        dormouse.celery.current_app().conf.update(task_always_eager=False, task_routes=None)
        self.name = uuid.uuid4().hex

    def marks(self):
        path = f"{MARKS.name}/{self.name}"
        return os.path.getsize(path) if os.path.exists(path) else 0

    def executed(self, result):
        drain()
        return result

    def test_a_call_is_a_run_with_its_arguments_and_its_result(self):
        result = tasks.add.delay(2, b=3)
        self.assertEqual(row(result)["payload"], {"args": [2], "kwargs": {"b": 3}})
        self.assertEqual((row(result)["task"], row(result)["queue"], row(result)["max_attempts"]), ("celery_tasks.add", "default", 4))
        self.assertEqual((result.state, result.ready(), result.result), ("PENDING", False, None))
        drain()
        self.assertEqual((result.get(timeout=60), result.state, result.successful(), result.result), (5, "SUCCESS", True, 5))
        self.assertEqual(AsyncResult(result.id), result)
        self.assertEqual(AsyncResult(uuid.uuid4()).state, "PENDING")
        self.assertEqual((tasks.add(2), tasks.add(2, 5)), (3, 7))  # a function still

    def test_the_request_is_the_runs(self):
        result = self.executed(tasks.who.apply_async(args=[1], kwargs={"k": "v"}))
        self.assertEqual(result.get(), {"id": result.id, "retries": 0, "args": [1], "kwargs": {"k": "v"}, "inner": True, "after": True})
        self.assertEqual(row(result)["task"], "shop.who")

    def test_arguments_that_do_not_fit_are_told_to_the_caller(self):
        for call in (lambda: tasks.add.delay(), lambda: tasks.add.delay(1, 2, 3), lambda: tasks.third_time.delay()):
            self.assertRaises(TypeError, call)
        self.assertRaises(dormouse.BadPayload, tasks.add.delay, {1: object()})
        self.assertEqual(EYE.execute("SELECT count(*) FROM dormouse.runs").fetchone()[0], 0)

    def test_retries_are_those_that_the_task_says(self):
        for task, arguments, outcome, marks in (
            (tasks.third_time, (), 2, 3),
            (tasks.never, (), (TaskFailed, "MaxRetriesExceededError", 2), 2),
            (tasks.never, ("out of luck",), (ValueError, "out of luck", 2), 2),
            (tasks.by_itself, (), "done", 3),
            (tasks.by_itself, ("OSError",), "done", 3),
            (tasks.by_itself, ("FileNotFoundError",), (FileNotFoundError, "", 1), 1),
            (tasks.by_itself, ("KeyError",), (KeyError, "", 1), 1),
            (tasks.twice, (), (TaskFailed, "Unreachable: always", 2), 2),
        ):
            with self.subTest(task=task.name, arguments=arguments):
                self.name = uuid.uuid4().hex
                result = self.executed(task.delay(self.name, *arguments))
                if isinstance(outcome, tuple):
                    with self.assertRaises(outcome[0]) as caught:
                        result.get(timeout=60)
                    self.assertIn(outcome[1], str(caught.exception))
                    self.assertEqual((result.state, row(result)["attempts"]), ("FAILURE", outcome[2]))
                    self.assertIn("celery_tasks.py", result.traceback)
                    self.assertIsInstance(result.get(propagate=False), outcome[0])
                else:
                    self.assertEqual(result.get(timeout=60), outcome)
                self.assertEqual(self.marks(), marks)

    def test_programs_that_import_from_the_modules_of_celery(self):
        before = dict(_task.registered)
        self.addCleanup(lambda: [_task.registered.pop(name) for name in set(_task.registered) - set(before)])
        self.addCleanup(setattr, _app, "_current", _app._current)
        import celery_included as more
        import celery_modules as shop

        shop.app.conf.broker_url = URL
        fine, bad, ignored = shop.fine.delay(), shop.bad.delay("nowhere"), shop.ignored.delay()
        rejected, slow, gives_up = shop.rejected.delay(), shop.slow.delay(), shop.gives_up.delay()
        included = more.included.delay()
        self.assertEqual((row(fine)["timeout_ms"], row(slow)["timeout_ms"]), (240000, 1000))
        drain("celery_modules")
        self.assertEqual((included.get(), ignored.get(), gives_up.get()), ("included", None, "gave up"))
        self.assertEqual(fine.get(), [True, True, "STARTED", ["process", 20]])
        self.assertEqual((row(rejected)["error"]["message"], row(rejected)["attempts"]), ("no good", 1))
        with self.assertRaises(FileNotFoundError):
            bad.get()
        self.assertEqual((row(bad)["attempts"], row(slow)["error"]["class"], row(fine)["progress"]), (2, "timeout", 0.5))
        lines = {result.id: [text for (text,) in EYE.execute("SELECT text FROM dormouse.logs WHERE run_id = %s ORDER BY attempt, line", [result.id])] for result in (fine, bad, slow)}
        for line in ("prerun celery_modules.fine", "at work", "success celery_modules.fine [True, True, 'STARTED', ['process', 20]]", "postrun celery_modules.fine SUCCESS"):
            self.assertIn(line, lines[fine.id])
        self.assertTrue(any("a receiver's own" in line for line in lines[fine.id]))
        missing = "FileNotFoundError(2, 'No such file or directory')"
        self.assertIn("failure celery_modules.slow True SoftTimeLimitExceeded('timeout') [] {} True", lines[slow.id])
        for line in (f"retry celery_modules.bad 0 {missing}", f"failure celery_modules.bad True {missing} ['nowhere'] {{}} True", "postrun celery_modules.bad RETRY", "postrun celery_modules.bad FAILURE"):
            self.assertIn(line, lines[bad.id])
        self.assertIn("tidies up", lines[slow.id])

    def classes(self):
        before = dict(_task.registered)
        self.addCleanup(lambda: [_task.registered.pop(name) for name in set(_task.registered) - set(before)])
        self.addCleanup(setattr, _app, "_current", _app._current)
        import celery_classes as shop

        shop.app.conf.broker_url = URL
        return shop

    def test_tasks_with_a_class_of_their_own(self):
        shop = self.classes()
        runs = {url: shop.deliver.delay(url, secret="s") for url in ("up", "down", "worse")}
        first, once = shop.before_the_app.delay("text"), shop.once.delay()
        self.assertEqual([row(one)["max_attempts"] for one in (runs["up"], once, first)], [4, 8, 4])
        self.assertAlmostEqual(row(once)["payload"]["expires"], time.time() + 3600, delta=60)
        drain("celery_classes")
        self.assertEqual((first.get(), once.get(), once.date_done is not None), ("text", [True, 7], True))
        self.assertEqual([runs[url].get()[::3] for url in ("up", "down")], [["up", "shop"], ["down", "shop"]])
        self.assertRaisesRegex(ValueError, "no such subscription", runs["worse"].get)
        told = {url: [text for (text,) in EYE.execute("SELECT text FROM dormouse.logs WHERE run_id = %s ORDER BY attempt, line", [run.id])] for url, run in runs.items()}
        self.assertEqual(told["down"], ["before ['down'] {'secret': 's'}", "retry ConnectionError('refused') True", "before ['down'] {'secret': 's'}",
                                        "success ['down', 's', True, 'shop', 3] True", "after SUCCESS"])
        self.assertEqual(told["worse"][1], "failure ValueError('no such subscription') ['worse'] {'secret': 's'} True")
        self.assertIn("KeyError: 'of a hook'", "".join(told["worse"]))
        self.assertEqual(EYE.execute("SELECT text FROM dormouse.logs WHERE run_id = %s", [first.id]).fetchone()[0], "begins celery_classes.before_the_app")

    def test_options_of_send_task_and_the_current_app(self):
        app = dormouse.celery.current_app
        self.assertIs(app.conf, tasks.app.conf)
        sent = app.send_task("x", (1,), task_id="report-17", expires=60, soft_time_limit=4, time_limit=5, queue="mail", priority=3, serializer="json", retry=True)
        saved = row(sent)
        self.assertEqual([saved[name] for name in ("key", "timeout_ms", "queue", "priority")], ["report-17", 4000, "mail", 3])
        self.assertAlmostEqual(saved["payload"].pop("expires"), time.time() + 60, delta=10)
        self.assertEqual(saved["payload"], {"args": [1], "kwargs": {}})
        at = datetime.datetime.utcnow() + datetime.timedelta(hours=1)  # without a zone it is UTC, as eta
        self.assertAlmostEqual(row(tasks.add.apply_async((1,), expires=at))["payload"]["expires"], time.time() + 3600, delta=60)
        self.assertEqual(tasks.add.delay_on_commit(1).state, dormouse.celery.states.PENDING)

    def test_a_retry_waits_as_long_as_it_is_told(self):
        token = _task._request.set(_task.Request(tasks.third_time.name, id="x", attempts=3))
        try:
            for given, seconds in (({}, 0), ({"countdown": 7}, 7), ({"eta": datetime.datetime.utcnow() + datetime.timedelta(hours=1)}, 3600)):
                self.assertAlmostEqual(tasks.third_time.retry(throw=False, **given).in_, seconds, delta=60)
        finally:
            _task._request.reset(token)
        self.assertEqual([tasks.by_itself._backoff(n) for n in (0, 5)], [0, 0])
        backoff = vars(tasks.by_itself)
        old = dict(backoff)
        backoff.update(retry_backoff=3, retry_backoff_max=50, retry_jitter=False)
        self.assertEqual([tasks.by_itself._backoff(n) for n in range(6)], [3, 6, 12, 24, 48, 50])
        backoff.update(old)

    def test_options_of_apply_async(self):
        at = datetime.datetime(2031, 3, 1, 8)
        for options, stored in (
            ({"queue": "mail"}, {"queue": "mail"}), ({"priority": -5}, {"priority": -5}), ({"eta": at}, {"run_at": "2031-03-01T08:00:00+00:00"}),
            ({"eta": at.replace(tzinfo=datetime.timezone(datetime.timedelta(hours=1)))}, {"run_at": "2031-03-01T07:00:00+00:00"}),
            ({"task_id": "report-17"}, {"key": "report-17"}), ({"key": "k"}, {"key": "k"}), ({"time_limit": 9}, {"timeout_ms": 9000}),
            ({"serializer": "json", "retry": True}, {}),
        ):
            with self.subTest(options):
                saved = row(tasks.add.apply_async((1,), **options))
                self.assertEqual({name: saved[name] if name != "run_at" else datetime.datetime.fromisoformat(saved[name]).astimezone(
                    datetime.timezone.utc).isoformat() for name in stored}, stored)
        self.assertEqual(tasks.add.apply_async((1,), task_id="once"), tasks.add.apply_async((1,), task_id="once"))
        late = row(tasks.add.apply_async((1,), countdown=3600))
        self.assertGreater(datetime.datetime.fromisoformat(late["run_at"]), datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(minutes=50))
        self.assertEqual(row(tasks.steps.delay())["timeout_ms"], 600000)

    def test_what_expired_before_it_began_is_not_begun(self):
        late = tasks.third_time.apply_async((self.name,), expires=0.001)
        in_time = tasks.add.apply_async((1,), expires=datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(hours=1))
        time.sleep(0.01)  # until it is too late: the time itself is meant
        drain()
        with self.assertRaises(TaskFailed) as caught:
            late.get()
        self.assertEqual((caught.exception.kind, self.marks(), row(late)["attempts"], in_time.get()), ("Expired", 0, 1, 2))

    def test_results_that_are_ignored_progress_and_a_run_of_other_origin(self):
        silent, steps = tasks.silent.delay(), tasks.steps.delay()
        by_sql = EYE.execute("""SELECT dormouse.enqueue('celery_tasks.add', '{"args": [20], "kwargs": {"b": 1}}')""").fetchone()[0]
        wrong = EYE.execute("""SELECT dormouse.enqueue('celery_tasks.add', '{"a": 1}')""").fetchone()[0]
        nobody = tasks.app.send_task("celery_tasks.add", [4], countdown=0)
        drain()
        self.assertEqual((silent.get(), AsyncResult(by_sql).get(), nobody.get()), (None, 21, 5))
        self.assertEqual((row(steps)["progress"], row(steps)["progress_text"]), (0.25, "PROGRESS {'current': 1, 'total': 4}"))
        with self.assertRaisesRegex(TaskFailed, "BadPayload.*args"):
            AsyncResult(wrong).get()

    def test_a_task_enqueues_another_and_does_not_wait_for_it(self):
        result = self.executed(tasks.calls_another.delay("x"))
        self.assertIn("within a task", result.get())
        self.assertEqual(EYE.execute("SELECT count(*) FROM dormouse.runs WHERE status = 'completed'").fetchone()[0], 3)

    def test_revoked(self):
        for revoke in (lambda result: result.revoke(terminate=True), lambda result: tasks.app.control.revoke(result.id, terminate=True)):
            result = tasks.add.delay(1)
            revoke(result)
            self.assertEqual((result.state, result.ready()), ("REVOKED", True))
            self.assertRaises(TaskRevokedError, result.get)

    def test_it_is_the_callers_transaction(self):
        count = "SELECT count(*) FROM dormouse.runs"
        for connect in (psycopg.connect, psycopg2.connect):
            conn = connect("")
            with using(conn):
                tasks.add.delay(1)
            tasks.add.apply_async((1,), connection=conn)
            before = EYE.execute(count).fetchone()[0]
            conn.rollback()
            self.assertEqual((before, EYE.execute(count).fetchone()[0]), (0, 0))
            app = Celery("of a session", connection=lambda conn=conn: conn)
            tasks.add.delay(1)
            conn.rollback()
            self.assertEqual(EYE.execute(count).fetchone()[0], 0)
            tasks.add.delay(1)
            conn.commit()
            self.assertEqual(EYE.execute(count).fetchone()[0], 1)
            self.assertIs(dormouse.celery.current_app(), app)
            _app._current = tasks.app
            EYE.execute("TRUNCATE dormouse.runs")
            conn.close()

    def test_a_connection_of_its_own_is_replaced_when_it_is_gone(self):
        tasks.add.delay(1)
        EYE.execute("SELECT pg_terminate_backend(pid, 60000) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'")
        _connection._own.used = -1e9
        tasks.add.delay(1)
        self.assertEqual(EYE.execute("SELECT count(*) FROM dormouse.runs").fetchone()[0], 2)

    def test_eager(self):
        tasks.app.conf.task_always_eager = True
        self.assertEqual((tasks.add.delay(1, 2).get(), tasks.third_time.delay(self.name).get()), (3, 2))
        failed = tasks.never.delay(self.name, "no")
        self.assertEqual((failed.state, str(failed.result)), ("FAILURE", "no"))
        self.assertRaises(ValueError, failed.get)
        self.assertEqual(EYE.execute("SELECT count(*) FROM dormouse.runs").fetchone()[0], 0)

    def test_what_is_not_here_says_what_to_do_instead(self):
        from dormouse.celery import chain, chord, crontab, group

        for call, word in ((lambda: chain(1), "other.apply_async"), (lambda: chord([]), "last"), (lambda: group([]), "one transaction"), (crontab, "timer"),
                           (lambda: tasks.add.s(1), "partial"), (lambda: tasks.app.add_periodic_task, "timer"),
                           (lambda: tasks.app.conf.update(beat_schedule={"a": {}}), "timer"), (lambda: tasks.add.apply_async((1,), link=1), "key=self.request.id"),
                           (lambda: tasks.add.replace(tasks.add), "and return"), (lambda: dormouse.celery.Task().delay(1), "base=YourClass"),
                           (lambda: dormouse.celery.shared_task(rate_limit="1/s", name="x")(len), "concurrency")):
            with self.assertRaisesRegex(NotImplementedError, word):
                call()
        for call, kind, word in ((lambda: tasks.add.apply_async((1,), tiem="x"), TypeError, "queue="),
                                 (lambda: tasks.add.apply_async((1,), task_id=str(uuid.uuid4())), ValueError, "save the .id"),
                                 (lambda: AsyncResult("report-17"), ValueError, "not the id of a run"),
                                 (lambda: dormouse.celery.shared_task(max_retry=1, name="x")(len), TypeError, "max_retries"),
                                 (lambda: tasks.app.control.inspect, AttributeError, "dormouse status"),
                                 (lambda: tasks.app.amqp, AttributeError, "no Celery.amqp")):
            with self.assertRaisesRegex(kind, word):
                call()
        from dormouse.celery.result import GroupResult, allow_join_result

        for call, word in ((lambda: GroupResult("x"), "keep their ids"), (allow_join_result, "holds a slot")):
            with self.assertRaisesRegex(NotImplementedError, word):
                call()
        self.assertRaisesRegex(TypeError, "'celery_tasks.add'.*'a'", tasks.add.delay)

    def test_settings(self):
        app = Celery("x", broker="amqp://", task_routes={"shop.*": {"queue": "shop"}, "celery_tasks.add": "mail"})
        self.assertEqual([app.queue_of(task) for task in (tasks.who, tasks.add, tasks.silent)], ["shop", "mail", None])
        app.config_from_object({"CELERY_TASK_DEFAULT_QUEUE": "slow", "CELERY_BROKER_URL": "redis://", "SECRET": 1}, namespace="CELERY")
        self.assertEqual((app.queue_of(tasks.silent), app.conf.broker_url), ("slow", "redis://"))
        app.config_from_object({"CELERY_BEAT_SCHEDULE": {"a": {}}}, namespace="CELERY")
        with self.assertRaisesRegex(NotImplementedError, "timer"):
            app.conf.task_always_eager
        _app._current = tasks.app

    def test_celery_makes_the_same_of_these_classes(self):
        program = """
import celery_classes as shop
shop.app.conf.task_always_eager = True
for call in (shop.deliver.delay("up", secret="s"), shop.deliver.delay("down"), shop.deliver.delay("bad"), shop.before_the_app.delay("t"), shop.once.delay()):
    print(call.state, call.result if call.state == "SUCCESS" else repr(call.result))
"""
        said = {}
        for world in ("celery", "dormouse.celery"):
            done = subprocess.run([sys.executable, "-c", program], cwd=HERE, env={**os.environ, "WORLD": world}, capture_output=True, text=True)
            if "No module named 'celery'" in done.stderr:
                self.skipTest("there is no Celery to compare with (Debian package python3-celery)")
            self.assertEqual(done.returncode, 0, done.stderr)
            said[world] = done.stdout
        self.assertEqual(said["dormouse.celery"], said["celery"])

    def test_the_tables_name_the_queues_that_a_pool_has_to_serve(self):
        self.assertNotIn("#", toml())
        self.assertIn('# These tasks are enqueued into other queues, too; under [worker]: queues = ["default", "hooks", "mail"]\n', toml("celery_classes"))

    def test_all_tasks_have_a_table(self):
        self.assertEqual(sorted(_task.registered), sorted(json.loads(line[6:-1]) for line in toml().splitlines() if line.startswith("[task.")))

    def test_celery_makes_the_same_of_these_tasks(self):
        program = """
import celery_tasks as tasks, importlib, json, uuid
tasks.app.conf.task_always_eager = True
heard = []
for one in ("task_prerun", "task_postrun", "task_success", "task_failure", "task_retry"):
    signal = getattr(importlib.import_module(tasks.world.__name__ + ".signals"), one)
    signal.connect(lambda sender=None, state=None, one=one, **_: heard.append([one, sender.name, state]), weak=False)
def told(task, *arguments):
    result = task.delay(*arguments)
    return [result.state, result.result if result.state == "SUCCESS" else type(result.result).__name__ + ": " + str(result.result)]
name = lambda: uuid.uuid4().hex
print(json.dumps([told(tasks.add, 1, 2), told(tasks.third_time, name()), told(tasks.never, name(), "no"), told(tasks.by_itself, name()),
    told(tasks.by_itself, name(), "OSError"), told(tasks.by_itself, "other", "KeyError"),
    told(tasks.twice, name()), [tasks.add.name, tasks.who.name, tasks.add(1), tasks.inner()], heard]))
"""
        said = {}
        for world in ("celery", "dormouse.celery"):
            with tempfile.TemporaryDirectory() as marks:
                done = subprocess.run([sys.executable, "-c", program], cwd=HERE, env={**os.environ, "WORLD": world, "MARKS": marks}, capture_output=True, text=True)
            if "No module named 'celery'" in done.stderr:
                self.skipTest("there is no Celery to compare with (Debian package python3-celery)")
            self.assertEqual(done.returncode, 0, done.stderr)
            said[world] = json.loads(done.stdout)
        self.assertEqual(said["dormouse.celery"], said["celery"])


if __name__ == "__main__":
    unittest.main(verbosity=2)
