"""dormouse.django on a real Postgres and with a real worker: the backend of Django's tasks, where there are some."""

import os
import re
import subprocess
import sys
import tempfile
import unittest

try:
    import django
    import psycopg  # noqa: F401
    try:
        import django.tasks  # noqa: F401
        FRAMEWORK = "django.tasks"
    except ImportError:
        import django_tasks  # noqa: F401
        FRAMEWORK = "django_tasks"
except ImportError as missing:
    print(f"SKIPPED: {missing}: needs Django 6, or Django 5 with django_tasks, and python3-psycopg")
    sys.exit(77)

with open(os.path.dirname(os.path.abspath(__file__)) + "/../../docs/moving/django-tasks.md", encoding="utf-8") as page:
    SHOWN = dict(re.findall(r"^<!-- file: (\S+) -->\n```\w+\n(.*?)^```$", page.read(), re.M | re.S))
DIRECTORY = tempfile.TemporaryDirectory()
SETTINGS = """
INSTALLED_APPS = [] if %r == "django.tasks" else ["django_tasks"]
USE_TZ = True
DATABASES = {"default": {"ENGINE": "django.db.backends.postgresql", "NAME": "postgres", "USER": "postgres", "HOST": %r}}
"""
MORE = """
TASKS["patient"] = {"BACKEND": "dormouse.django.Backend", "OPTIONS": {"max_attempts": 3, "timeout": 60}}
"""
TASKS = f"""
from {FRAMEWORK} import task

@task
def add(a, b=1):
    return a + b

@task(priority=10, queue_name="mail", takes_context=True)
def who(context, name):
    return [context.attempt, context.task_result.id, name]

@task
async def later():
    return "later"

@task(backend="patient", takes_context=True)
def third(context):
    if context.attempt < 3:
        raise KeyError("not yet")
    return context.attempt

@task
def fails():
    raise KeyError("always")

def no_task():
    return "executed"
"""
for name, text in (("site_settings.py", SETTINGS % (FRAMEWORK, os.environ["PGHOST"]) + SHOWN["settings.py"] + MORE), ("site_tasks.py", TASKS)):
    with open(f"{DIRECTORY.name}/{name}", "w", encoding="utf-8") as file:
        file.write(text)
sys.path.insert(0, DIRECTORY.name)
os.environ["DJANGO_SETTINGS_MODULE"] = "site_settings"
django.setup()

import datetime

import site_tasks as tasks
from django.core.exceptions import ImproperlyConfigured
from django.db import connection, transaction

import dormouse
from dormouse.django import Backend, exceptions, signals


def drain():
    with open(DIRECTORY.name + "/handlers.env", "w", encoding="utf-8") as file:
        file.write(f"PYTHONPATH={DIRECTORY.name}:{os.environ['PYTHONPATH']}\nDJANGO_SETTINGS_MODULE=site_settings\nPYTHONDONTWRITEBYTECODE=1\n")
    with open(DIRECTORY.name + "/default.toml", "w", encoding="utf-8") as file:
        toml = SHOWN["default.toml"].replace("postgresql:///app", f"postgresql://postgres@/postgres?host={os.environ['PGHOST']}")
        toml = toml.replace("/usr/bin/python3", sys.executable).replace("/srv/app", DIRECTORY.name).replace("/etc/app.env", DIRECTORY.name + "/handlers.env")
        file.write(toml + 'backoff = { base = "1ms", max = "1ms" }\n')
    return dormouse.drain(config=DIRECTORY.name + "/default.toml")


def one(statement, *parameters):
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        return cursor.fetchone()


class Test(unittest.TestCase):
    def setUp(self):
        with connection.cursor() as cursor:
            cursor.execute("TRUNCATE dormouse.runs, dormouse.keys")

    def test_what_is_enqueued_is_executed_and_told(self):
        heard = []
        signals.task_enqueued.connect(lambda **given: heard.append(given["task_result"].id), weak=False, dispatch_uid="test")
        add, who, later = tasks.add.enqueue(2, b=3), tasks.who.enqueue("you"), tasks.later.enqueue()
        signals.task_enqueued.disconnect(dispatch_uid="test")
        self.assertEqual(heard, [add.id, who.id, later.id])
        self.assertEqual((add.status, add.is_finished, add.args, add.kwargs), ("READY", False, [2], {"b": 3}))
        self.assertEqual(one("SELECT task, queue, priority, payload ->> 'task' FROM dormouse.runs WHERE id = %s", who.id), ("django", "mail", -10, "site_tasks.who"))
        drain()
        for result, value in ((add, 5), (who, [1, who.id, "you"]), (later, "later")):
            result.refresh()
            self.assertEqual((result.status, result.return_value, result.attempts), ("SUCCESSFUL", value, 1))
            self.assertLessEqual(result.enqueued_at, result.finished_at)
        self.assertEqual(tasks.add.get_result(add.id).return_value, 5)
        self.assertRaises(exceptions.TaskResultMismatch, tasks.later.get_result, add.id)

    def test_it_is_the_transaction_of_the_connection(self):
        with self.assertRaises(KeyError), transaction.atomic():
            gone = tasks.add.enqueue(1)
            self.assertEqual(tasks.add.get_result(gone.id).status, "READY")
            raise KeyError
        for id in (gone.id, "no id"):
            self.assertRaises(exceptions.TaskResultDoesNotExist, tasks.add.get_result, id)

    def test_failures_and_attempts(self):
        fails, third = tasks.fails.enqueue(), tasks.third.enqueue()
        self.assertEqual(one("SELECT max_attempts, timeout_ms FROM dormouse.runs WHERE id = %s", third.id), (3, 60000))
        drain()
        fails.refresh()
        third.refresh()
        self.assertEqual((fails.status, fails.attempts, third.status, third.return_value, third.attempts), ("FAILED", 1, "SUCCESSFUL", 3, 3))
        self.assertIs(fails.errors[0].exception_class, KeyError)
        self.assertIn("site_tasks.py", fails.errors[0].traceback)
        self.assertRaises(ValueError, lambda: fails.return_value)

    def test_run_after(self):
        at = datetime.datetime(2031, 3, 1, 8, tzinfo=datetime.timezone.utc)
        run = tasks.add.using(run_after=at).enqueue(1)
        self.assertEqual(one("SELECT run_at FROM dormouse.runs WHERE id = %s", run.id)[0], at)

    def test_only_tasks_are_executed(self):
        for payload in ('{"task": "site_tasks.no_task"}', '{"task": "os.getcwd"}', '{"task": 1}', '[]'):
            one("SELECT dormouse.enqueue('django', CAST(%s AS jsonb))", payload)
        drain()
        self.assertEqual(one("SELECT array_agg(DISTINCT error ->> 'class'), count(*), sum(attempts) FROM dormouse.runs WHERE status = 'failed'"), (["BadPayload"], 4, 4))

    def test_what_is_wrong_says_so(self):
        self.assertRaises(TypeError, tasks.add.enqueue, object())
        self.assertRaises(exceptions.InvalidTask, tasks.add.using(queue_name="default").using, queue_name="nowhere")
        with self.assertRaisesRegex(ImproperlyConfigured, "retries.*max_attempts"):
            Backend("x", {"OPTIONS": {"retries": 3}})

    def test_by_hand(self):
        done = subprocess.run([sys.executable, "-m", "dormouse.django", "--run", "django", '{"task": "site_tasks.add", "args": [1, 2]}'], capture_output=True, text=True, cwd=DIRECTORY.name)
        self.assertEqual((done.returncode, done.stdout), (0, "3\n"), done.stderr)


if __name__ == "__main__":
    unittest.main(verbosity=2)
