"""The URLs that say that all is well: which are fetched, how often, and that nothing waits for them. Run by run.sh."""
import json
import os
import subprocess
import threading
import time
import unittest

from case import PoolCase, eventually, pools
from servers import Silent

ALERT = os.path.join(os.path.dirname(os.environ["DORMOUSE"]), "dormouse-alert")
SECRET = "/ping/SECRET"


class Alive(PoolCase):
    def pool(self, tasks, alerts=None, **worker):
        """Without somebody to tell: the URLs alone."""
        return super().pool(tasks, {"webhook": None, **(alerts or {})}, **{"idle_exit": '"1h"', "look_exit": '"1h"', **worker})

    def task(self, name, more=""):
        return f'command = ["/bin/true"]\nalive_url = "{self.web.host}{SECRET}-{name}"\n{more}'

    def test_a_task_s_url_is_fetched_after_a_run_has_completed_and_that_of_another_is_not(self):
        self.pool({"mail": self.task("mail"), "bad": self.task("bad", "max_attempts = 1").replace("/bin/true", "/bin/false"), "nap": ""})
        self.enqueue("bad")
        self.enqueue("nap")
        worker = self.start()
        self.ended(1)
        self.wait_for(lambda: self.logged("run_failed"))
        self.enqueue("mail")
        self.wait_for(lambda: self.web.gets)
        self.assertEqual(self.end(worker), 0)
        self.assertEqual(self.web.gets, [SECRET + "-mail"])
        self.assertEqual(self.web.posts, [])
        self.assertNotIn("SECRET", self.text())

    def test_a_thousand_runs_are_one_request_and_one_more_at_the_end(self):
        self.pool({"mail": self.task("mail")}, concurrency=8)
        worker = self.start()
        self.enqueue("mail")
        self.wait_for(lambda: len(self.web.gets) == 1)
        self.enqueue("mail", 300)
        self.ended(301)
        self.assertEqual(len(self.web.gets), 1)
        self.assertEqual(self.end(worker), 0)
        self.assertEqual(len(self.web.gets), 2)

    def test_the_pool_s_is_fetched_once_it_listens_again_and_again_and_not_without_a_database(self):
        pool = self.pool({"nap": ""}, {"alive_url": f'"{self.web.host}{SECRET}-pool"', "alive_every": '"1s"'})
        worker = self.start()
        self.wait_for(lambda: len(self.web.gets) >= 3)
        admin = "ALTER DATABASE {} ALLOW_CONNECTIONS {}"
        pools.administer(admin.format(pool.database, "false"))
        pools.administer(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{pool.database}'")
        self.wait_for(lambda: self.logged("database_lost"))
        threading.Event().wait(1)  # what was on its way
        before = len(self.web.gets)
        threading.Event().wait(3)
        self.assertEqual(len(self.web.gets), before)
        pools.administer(admin.format(pool.database, "true"))
        self.wait_for(lambda: len(self.web.gets) > before, 30)
        self.assertEqual(set(self.web.gets), {SECRET + "-pool"})
        self.assertEqual(self.end(worker), 0)

    def test_a_pool_that_sleeps_fetches_nothing(self):
        self.pool({"nap": ""}, {"alive_url": f'"{self.web.host}{SECRET}"', "alive_every": '"1s"'}, idle_exit='"2s"', look_exit='"2s"')
        self.assertEqual(self.start().wait(timeout=60), 0)
        before = len(self.web.gets)
        self.assertGreater(before, 0)
        threading.Event().wait(3)
        self.assertEqual(len(self.web.gets), before)

    def test_what_is_refused_is_said_once_and_tried_again(self):
        self.pool({"mail": self.task("mail"), "other": self.task("other")})
        self.web.status = 503
        worker = self.start()
        self.enqueue("mail")
        self.wait_for(lambda: self.web.refused)
        self.enqueue("other")
        self.wait_for(lambda: len(self.web.refused) >= 3, 40)
        self.web.status = 200
        self.wait_for(lambda: set(self.web.gets) == {SECRET + "-mail", SECRET + "-other"}, 60)
        self.assertEqual(self.end(worker), 0)
        self.assertEqual(len(self.logged("alert_failed")), 1, self.text())
        self.assertIn("alive_url at 127.0.0.1:", self.logged("alert_failed")[0])
        self.assertIn("HTTP 503", self.logged("alert_failed")[0])
        self.assertNotIn("SECRET", self.text())

    def test_a_server_that_hangs_delays_no_run_no_other_url_and_an_exit_by_ten_seconds(self):
        silent = Silent()
        self.addCleanup(silent.stop)
        hangs = self.task("hangs").replace(self.web.host, f"http://127.0.0.1:{silent.port}")
        self.pool({"hangs": hangs, "mail": self.task("mail"), "nap": ""})
        worker = self.start()
        self.enqueue("hangs")
        self.enqueue("mail")
        self.wait_for(lambda: self.web.gets)
        begin = time.monotonic()
        self.enqueue("nap")
        self.ended(3)
        self.assertLess(time.monotonic() - begin, 10)
        self.enqueue("hangs")
        self.ended(4)
        begin = time.monotonic()
        self.assertEqual(self.end(worker), 0)
        self.assertLess(time.monotonic() - begin, 15)

    def test_alerts_go_to_people_beside_it(self):
        self.pool({"bad": 'command = ["/bin/false"]\nmax_attempts = 1', "mail": self.task("mail")}, {"webhook": f'"{self.web.url}"', "gather": '"3s"'})
        worker = self.start()
        self.enqueue("bad")
        self.enqueue("mail")
        self.wait_for(lambda: self.web.gets)
        self.assertEqual(self.kinds(), [])  # it is gathered still
        self.wait_for(lambda: self.kinds() == [("failed", "trouble")])
        self.assertEqual(self.end(worker), 0)


class Sender(PoolCase):
    """dormouse-alert itself."""

    def setUp(self):
        super().setUp()
        self.state = os.path.join(self.directory, "state")
        os.mkdir(self.state)
        self.file = os.path.join(self.directory, "secret")
        with open(self.file, "w", encoding="utf-8") as file:
            file.write(self.web.host + SECRET + "-file\n")
        self.config = os.path.join(self.directory, "night.toml")
        with open(self.config, "w", encoding="utf-8") as file:
            file.write(f'[alerts]\nalive_url = "{self.web.host}{SECRET}-pool"\n[task.mail]\ncommand = ["/bin/true"]\nalive_url_file = "{self.file}"\n'
                       '[task.gone]\ncommand = ["/bin/true"]\nalive_url_file = "/no/such/file"\n')

    def call(self, *names, ended=False, since=None):
        now = int(time.time()) if since is None else since
        notices = [{"fingerprint": f"alive|{name}|", "kind": "alive", "task": name, "text": "", "run": "", "count": 1, "first": now, "last": now,
                    "over": False} for name in names]
        end = subprocess.run([ALERT, "--config", self.config, *(["--ended"] if ended else []), "--state", self.state, "night"], text=True,
                             input=json.dumps(notices) + "\n", capture_output=True, timeout=60, check=False,
                             env={"PATH": os.environ["PATH"], "DORMOUSE_PATHS_RUNTIME_DIRECTORY": self.directory})
        return end.returncode, json.loads(end.stdout)

    def unsent(self):
        return os.path.exists(self.state + "/alerts.unsent")

    def test_the_url_may_stand_in_a_file_and_one_that_is_missing_is_in_nobody_s_way(self):
        _, answer = self.call("mail", "gone", "")
        self.assertEqual(sorted(self.web.gets), [SECRET + "-file", SECRET + "-pool"])
        self.assertEqual(answer["unreachable"], ["cannot read /no/such/file; it holds a secret (alive_url_file)"])
        self.assertTrue(answer["urls_wait"])

    def test_what_a_worker_could_not_fetch_is_fetched_after_it_but_that_it_is_awake_is_not(self):
        self.web.status = 500
        self.call("mail", "")
        self.assertTrue(self.unsent())
        self.assertEqual(len(self.web.refused), 2)
        self.web.status = 200
        with open(self.state + "/alerts.json", encoding="utf-8") as file:
            book = json.load(file)
        for one in book["alive"]:
            one["next"] = 0  # its pause is over
        with open(self.state + "/alerts.json", "w", encoding="utf-8") as file:
            json.dump(book, file)
        code, answer = self.call(ended=True)
        self.assertEqual((code, answer["urls_wait"]), (0, False))
        self.assertEqual(self.web.gets, [SECRET + "-file"])
        self.assertFalse(self.unsent())

    def test_a_task_may_be_a_function_of_the_program_that_is_the_worker(self):
        with open(self.config, "a", encoding="utf-8") as file:
            file.write(f'[task.total]\nalive_url = "{self.web.host}{SECRET}-total"\n')
        self.call("total")
        self.assertEqual(self.web.gets, [SECRET + "-total"])

    def test_an_hour_later_nobody_is_told_that_a_run_has_just_completed(self):
        _, answer = self.call("mail", since=int(time.time()) - 3700)
        self.assertEqual(self.web.gets, [])
        self.assertFalse(answer["urls_wait"])

    def test_no_secret_is_shown_and_what_is_no_url_is_refused(self):
        config = [os.environ["DORMOUSE"], "config", "night", "--config", self.config]
        environment = {"PATH": os.environ["PATH"], "DATABASE_URL": "postgresql:///x"}

        def ended(*arguments, **more):
            return subprocess.run([*config, *arguments], env={**environment, **more}, text=True, capture_output=True, timeout=60, check=False)

        shown = ended()
        self.assertEqual(shown.returncode, 0, shown.stderr)
        self.assertRegex(shown.stdout, r"alerts.alive_url +\*\*\*")
        self.assertNotIn("SECRET", shown.stdout + shown.stderr + ended("--json").stdout)
        for wrong in ("ftp://example.org/SECRET", "SECRET", "http:///SECRET", "https://e.org/a SECRET"):
            refused = ended(DORMOUSE_ALERTS_ALIVE_URL=wrong)
            self.assertEqual(refused.returncode, 9, wrong)
            self.assertIn("DORMOUSE_ALERTS_ALIVE_URL: alerts.alive_url: found something else, expected a URL, such as", refused.stderr)
            self.assertNotIn("SECRET", refused.stderr)
        self.assertIn("alerts.alive_url_file", ended("--set", "alerts.alive_url=https://e.org/SECRET").stderr)


if __name__ == "__main__":
    unittest.main(verbosity=2)
