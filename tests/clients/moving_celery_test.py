"""docs/moving/from-celery.md, as it is written."""

import os
import re
import subprocess
import sys
import time
import unittest

try:
    import django  # noqa: F401
    import psycopg  # noqa: F401
except ImportError as missing:
    print(f"SKIPPED: {missing} (Debian packages python3-psycopg, python3-django)")
    sys.exit(77)

from moving import URL, Blocks, Page, psql, serving

SETTINGS = """
SECRET_KEY = "x"
INSTALLED_APPS = ["mails"]
DATABASES = {"default": {"ENGINE": "django.db.backends.postgresql", "NAME": "postgres", "USER": "postgres", "HOST": %r}}
EMAIL_BACKEND = "django.core.mail.backends.filebased.EmailBackend"
EMAIL_FILE_PATH = %r
CELERY_BROKER_URL = "redis://"
CELERY_TASK_SERIALIZER = "json"
"""
CALLER = """
import site1.celery, django
django.setup()
from django.db import transaction
from mails.tasks import welcome
with transaction.atomic():
    result = welcome.delay("you@example.org")
    print(result.state)
try:
    with transaction.atomic():
        welcome.delay("nobody@example.org")
        raise KeyError
except KeyError:
    pass
print(result.get(timeout=20))
"""


class FromCelery(Blocks, Page):
    name = "from-celery"

    def test_the_tasks_are_executed_and_the_callers_hear_of_it(self):
        self.app_env(LLM_URL=serving(self, lambda text, nth: (503, "") if nth == 1 else (200, "in short")))  # at first it is overloaded
        self.write("/srv/app/orders.csv", "id,price\n1,2\n2,3\n")
        self.start()
        self.assertEqual(self.run_here("/usr/bin/python3", "caller.py"), "2\nin short\n")
        self.run_here("/usr/bin/python3", "order.py")
        program = "import sys; from shop.tasks import app; print(app.AsyncResult(sys.argv[1]).get(timeout=60))"
        self.assertEqual(self.run_here("/usr/bin/python3", "-c", program, psql("SELECT run FROM orders")), "in short\n")
        self.assertEqual(psql("SELECT progress FROM dormouse.runs WHERE task = 'shop.tasks.import_csv'"), "1")
        unfinished = "SELECT count(*) FROM dormouse.runs WHERE task = 'shop.tasks.summarize' AND status <> 'completed'"
        deadline = time.monotonic() + 60
        while psql(unfinished) != "0" and time.monotonic() < deadline:
            time.sleep(0.1)  # the one that is tried again, for which nobody waits
        self.assertEqual(psql("SELECT sum(attempts) FROM dormouse.runs WHERE task = 'shop.tasks.summarize' AND status = 'completed'"), "4")

    def test_the_command_prints_these_tables(self):
        printed = self.run_here("/usr/bin/python3", "-m", "dormouse.celery", "--toml", "shop.tasks")
        shown = self.read("/etc/dormouse/default.toml").partition("\n\n")[2]
        self.assertEqual(printed.strip(), re.sub(r"environment_file = .*\n", "", shown).strip())

    def test_a_chain_and_its_progress(self):
        self.app_env(DATABASE_URL=URL)
        database = self.read("/etc/dormouse/default.toml").partition("\n\n")[0]
        tables = self.run_here("/usr/bin/python3", "-m", "dormouse.celery", "--toml", "shop.flows")
        self.write("/etc/dormouse/default.toml", database + "\n" + tables.replace("handler =", f'environment_file = "{self.path("/etc/app.env")}"\nhandler ='))
        first = self.run_here("/usr/bin/python3", "-c", "from shop.flows import fetch; print(fetch.delay('x').id)").strip()
        self.drain()
        self.assertEqual(psql("SELECT status, result, key FROM dormouse.runs WHERE task = 'shop.flows.count'"), f"completed|4|{first}")
        self.assertEqual(self.run_here("/usr/bin/python3", "progress.py", first), "('completed', None, None)\n")

    def test_rates(self):
        self.slots()
        self.run_here("/usr/bin/python3", "limited.py")
        self.assertEqual((self.waits(), self.status("shop.flows.count")), ([0, 6, 12], "queued,queued,queued"))

    def test_the_old_imports_become_the_new_ones_by_one_command(self):
        self.write("/srv/app/shop/former.py", self.blocks["old/tasks.py"])
        command = re.search(r"`(sed -i -E [^`]*)`", self.text)[1]
        self.run_here("/bin/sh", "-c", command + " shop/former.py")
        self.assertEqual(self.run_here("/usr/bin/python3", "-c", "from shop.former import *; print(app.main, shared_task.__module__, get_task_logger('x').name)"), "shop dormouse.celery._app x\n")

    def test_django(self):
        os.mkdir(self.path("/srv/django/mail"))
        for name, text in (("site1/__init__.py", ""), ("mails/__init__.py", ""), ("site1/settings.py", SETTINGS % (os.environ["PGHOST"], self.path("/srv/django/mail")))):
            self.write("/srv/django/" + name, text)
        self.app_env()
        command = ("/usr/bin/python3", "-m", "dormouse.celery")
        tables = self.run_here(*command, "--toml", "site1", cwd="/srv/django")
        database = self.read("/etc/dormouse/default.toml").partition("\n\n")[0]
        self.write("/etc/dormouse/default.toml", database + "\n" + tables.replace("handler =", f'environment_file = "{self.path("/etc/app.env")}"\nhandler ='))
        self.start()
        self.assertEqual(self.run_here("/usr/bin/python3", "-c", CALLER, cwd="/srv/django"), "PENDING\n1\n")
        self.assertEqual(self.status("mails.tasks.welcome"), "completed")
        self.assertEqual(len(os.listdir(self.path("/srv/django/mail"))), 1)

    def test_both_sides_have_the_same_names(self):
        program = "from shop.both import Celery, shared_task; print(Celery.__module__.partition('.')[0])"
        self.assertEqual(self.run_here("/usr/bin/python3", "-c", program), "dormouse\n")
        if subprocess.run(["/usr/bin/python3", "-c", "import celery"], stderr=subprocess.DEVNULL).returncode == 0:
            self.assertEqual(self.run_here("/usr/bin/python3", "-c", program, TASKS="celery"), "celery\n")


if __name__ == "__main__":
    unittest.main(verbosity=2)
