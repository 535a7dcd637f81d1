"""dormouse doctor --idle: that a pool which sleeps costs nothing, and who else keeps its database awake. Run by run.sh."""
import json
import os
import stat
import subprocess
import threading
import unittest

import psycopg2
from foreground import ForegroundCase, pools


class Idle(ForegroundCase):
    def setUp(self):
        super().setUp()
        self.make_pool({"worker": {"idle_exit": '"1h"', "look_exit": '"1h"'}}, {"true": 'command = ["/bin/true"]'})
        self.done = threading.Event()
        self.addCleanup(self.done.set)

    def doctor(self, *arguments, seconds=4):
        return subprocess.run([os.environ["DORMOUSE"], "doctor", "--idle", str(seconds), "--pool", self.pool_.name, *arguments],
                              env={**os.environ, "DORMOUSE_CONFIG_DIR": self.pool_.directory}, capture_output=True, text=True, timeout=60,
                              check=False)

    def seen(self, *arguments, **more):
        end = self.doctor("--json", *arguments, **more)
        self.assertIn(end.returncode, (0, 13), end.stderr)
        seen = json.loads(end.stdout)
        self.assertEqual(seen["ok"], end.returncode == 0)
        return seen

    def beside(self, work):
        thread = threading.Thread(target=work, daemon=True)
        thread.start()
        self.addCleanup(thread.join, 30)
        self.addCleanup(self.done.set)

    def session(self, name):
        session = psycopg2.connect(pools.url(self.pool_.database) + f"&application_name={name}")
        session.autocommit = True
        return session

    def test_a_database_that_is_quiet(self):
        seen = self.seen()
        self.assertEqual(seen["ours"], {"processes": 0, "sessions": 0, "statements": 0})
        self.assertEqual((seen["ok"], seen["sessions_unseen"]), (True, 0), seen)
        self.assertEqual([one["statements"] for one in seen["others"] if one["kind"] == "client backend"], [0], seen)  # the test's own, which says nothing
        self.assertEqual(seen["watch"]["sessions"], 1)
        self.assertGreaterEqual(seen["watch"]["statements"], 4)
        text = self.doctor(seconds=2).stdout
        self.assertIn("ok       processes: 0 of workers of these pools\n", text)
        self.assertIn("ok       sessions: 0 sessions and 0 statements of a worker of these pools\n", text)
        self.assertIn("a database that suspends itself stayed awake for it", text)

    def test_one_that_somebody_polls(self):
        def poll():
            session = self.session("poller")
            with session.cursor() as cursor:
                while not self.done.wait(0.2):
                    cursor.execute("SELECT count(*) FROM dormouse.runs")
            session.close()

        self.beside(poll)
        seen = self.seen()
        [poller] = [one for one in seen["others"] if one["application"] == "poller"]
        self.assertEqual((poller["login"], poller["database"], poller["client"]), ("postgres", self.pool_.database, ""))
        self.assertGreaterEqual(poller["statements"], 3)
        self.assertGreater(seen["transactions"], poller["statements"])
        self.assertEqual((seen["ok"], seen["ours"]["sessions"]), (False, 0))
        self.assertRegex(self.doctor(seconds=2).stdout, r"warning  others: postgres \(poller\) in database \w+: 1 session, at least \d statements? in 2s")

    def test_one_to_which_sessions_come_and_go_between_two_looks(self):
        def come_and_go():
            while not self.done.wait(0.1):
                self.session("visitor").close()

        self.beside(come_and_go)
        seen = self.seen(seconds=5)
        self.assertGreater(seen["sessions_unseen"], 0, seen)
        self.assertFalse(seen["ok"])

    def test_a_worker_that_is_awake(self):
        worker = self.start()
        self.wait_for(lambda: self.logged("listening"))
        seen = self.seen()
        self.assertEqual((seen["ours"]["processes"], seen["ours"]["sessions"], seen["ok"]), (1, 1, False), seen)
        self.assertIn(f"failed   processes: 1 of workers, and of what they have started: {worker.pid}", self.doctor(seconds=2).stdout)
        self.assertEqual(self.end(worker), 0)

    def test_what_somebody_sends_is_counted_where_there_is_pg_stat_statements(self):
        self.assertIsNone(self.seen(seconds=2)["statements"])
        pools.administer("ALTER SYSTEM SET shared_preload_libraries = 'pg_stat_statements'")
        data = os.environ["PGHOST"]
        bin_ = subprocess.run("ls -d /usr/lib/postgresql/*/bin | sort -V | tail -n 1", shell=True, capture_output=True, text=True, check=True).stdout.strip()
        command = [bin_ + "/pg_ctl", "--pgdata=" + data, "--mode=fast", "--wait", "--log=" + data + "/log", "restart"]
        if os.getuid() == 0:
            command = ["runuser", "-u", "postgres", "--", *command]
        mode = stat.S_IMODE(os.stat(data).st_mode)
        os.chmod(data, 0o700)  # Postgres starts in no other
        subprocess.run(command, check=True, cwd="/", stdout=subprocess.DEVNULL)
        os.chmod(data, mode)
        self.pool_._session.close()  # pylint: disable=protected-access
        self.pool_.ask("CREATE EXTENSION pg_stat_statements")

        def poll():
            with self.session("poller").cursor() as cursor:
                while not self.done.wait(0.05):
                    cursor.execute("SELECT 'secret', count(*) FROM dormouse.runs")

        self.beside(poll)
        [first] = self.seen()["statements"][:1]
        self.assertGreater(first["calls"], 20)
        self.assertEqual((first["login"], first["database"], first["text"]), ("postgres", self.pool_.database, "SELECT $1, count(*) FROM dormouse.runs"))

    def test_a_login_that_is_not_told_what_others_do(self):
        pools.administer("CREATE ROLE curious LOGIN")
        seen = self.seen("--database-url", pools.url(self.pool_.database).replace("user=postgres", "user=curious"), seconds=2)
        self.assertFalse(seen["sees_all"])
        self.assertEqual(seen["ours"]["processes"], 0)

    def test_a_duration_that_is_none(self):
        for wrong in ("0", "1s", "soon"):
            end = subprocess.run([os.environ["DORMOUSE"], "doctor", "--idle", wrong], capture_output=True, text=True, timeout=60, check=False)
            self.assertEqual((end.returncode, end.stderr.count("--idle: ")), (2, 1), end.stderr)


if __name__ == "__main__":
    unittest.main(verbosity=2)
