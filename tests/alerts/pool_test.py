"""Pools that have trouble, as people hear of it: the real worker, a real Postgres, a real web server. Run by run.sh."""
import os
import subprocess
import threading
import time
import unittest

from case import PoolCase, eventually, pools
from servers import Silent


class Trouble(PoolCase):
    def test_four_hundred_runs_that_fail_alike_are_one_message(self):
        pool = self.pool({"bad": 'command = ["/bin/sh", "-c", "echo no invoice $DORMOUSE_RUN_ID $$ >&2; exit 3"]\nmax_attempts = 1'},
                         alerts={"gather": '"3s"'}, concurrency=16)
        self.enqueue("bad", 400)
        worker = self.start()
        count = "SELECT count(*) FROM dormouse.runs WHERE status = 'failed' AND queue = %s"
        self.assertTrue(eventually(lambda: pool.ask(count, pool.name)[0][0] == 400, 120))
        self.assertTrue(eventually(lambda: self.web.posts))
        self.assertEqual(self.end(worker), 0)
        self.assertEqual(self.kinds(), [("failed", "trouble")])
        self.assertGreater(self.web.posts[0]["count"], 1)
        self.assertIn("runs of task bad fail for good", self.web.posts[0]["subject"])
        self.assertEqual(len(self.logged("alert_sent")), 1)

    def test_a_handler_that_cannot_start_and_then_does(self):
        program = os.path.join(self.directory, "later")
        self.pool({"later": f'command = ["{program}"]'})
        self.enqueue("later")
        self.start()
        self.assertTrue(eventually(lambda: self.kinds() == [("start", "trouble")]))
        self.assertIn(program, self.web.posts[0]["text"])
        with open(program + ".new", "w", encoding="utf-8") as file:
            file.write("#!/bin/sh\nexit 0\n")
        os.chmod(program + ".new", 0o755)
        os.rename(program + ".new", program)
        self.assertTrue(eventually(lambda: self.kinds() == [("start", "trouble"), ("start", "well")], 60))

    def test_a_database_that_is_lost_for_long_and_comes_back(self):
        pool = self.pool({"nap": ""}, alerts={"database_lost": '"2s"'}, idle_exit='"1h"', look_exit='"1h"')
        self.start()
        self.assertTrue(eventually(lambda: self.logged("listening")))
        admin = "ALTER DATABASE {} ALLOW_CONNECTIONS {}"
        pools.administer(admin.format(pool.database, "false"))
        pools.administer(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{pool.database}'")
        self.assertTrue(eventually(lambda: self.kinds() == [("database", "trouble")], 30))
        pools.administer(admin.format(pool.database, "true"))
        self.assertTrue(eventually(lambda: self.kinds() == [("database", "trouble"), ("database", "well")], 60))

    def test_an_outage_that_is_short_is_not_told(self):
        pool = self.pool({"nap": ""}, alerts={"database_lost": '"1h"'}, idle_exit='"1h"', look_exit='"1h"')
        worker = self.start()
        self.assertTrue(eventually(lambda: self.logged("listening")))
        pools.administer(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{pool.database}'")
        self.assertTrue(eventually(lambda: self.logged("database_back")))
        self.end(worker)
        self.assertEqual(self.web.tries, 0)

    def late(self, hold, alerts=None, **more):
        """A pool of one slot, which `hold` has taken, and three runs that have been due for an hour."""
        pool = self.pool({"nap": "", "hold": f'command = ["/bin/sh", "-c", "{hold}"]'},
                         alerts={"backlog_age": '"5min"', **(alerts or {})}, concurrency=1, lease='"10s"', idle_exit='"1h"', look_exit='"1h"', **more)
        self.enqueue("hold")
        worker = self.start()
        self.assertTrue(eventually(lambda: self.logged("run_dispatched")))
        pool.ask("INSERT INTO dormouse.runs (task, queue, payload, run_at) SELECT 'nap', %s, '0', now() - interval '1 hour' FROM generate_series(1, 3)",
                 pool.name)
        return worker

    def test_runs_that_wait_while_all_slots_are_held_and_then_do_not(self):
        go_on = os.path.join(self.directory, "go_on")
        os.mkfifo(go_on)
        self.late(f"read line <{go_on}")
        self.assertTrue(eventually(lambda: self.kinds() == [("backlog", "trouble")], 90), self.kinds())
        self.assertRegex(self.web.posts[0]["text"], f"queue {self.pool_.name}: 3 runs are due, the first one for (1h|[56].min)")
        with open(go_on, "w", encoding="utf-8") as line:
            line.write("\n")
        self.assertTrue(eventually(lambda: self.kinds() == [("backlog", "trouble"), ("backlog", "well")], 90), self.kinds())
        self.assertEqual(len(self.logged("backlog")) + len(self.logged("backlog_over")), 2)

    def test_runs_that_still_wait_are_told_again_after_a_while(self):
        self.late("sleep 600", alerts={"repeat": '"2s"', "backlog_age": '"1s"'}, shutdown_grace='"0s"')
        self.assertTrue(eventually(lambda: len(self.kinds()) >= 2, 90), self.kinds())
        self.assertEqual(set(self.kinds()), {("backlog", "trouble")})
        self.assertNotIn("like this", self.web.posts[1]["text"])
        self.assertEqual(len(self.logged("backlog")), 1)

    def test_a_backlog_is_not_asked_for_where_nobody_wants_to_know(self):
        worker = self.late("sleep 600", alerts={"backlog_age": '"0"'}, shutdown_grace='"0s"')
        lease = "SELECT max(lease_until) FROM dormouse.runs WHERE queue = %s"
        [(first,)] = self.pool_.ask(lease, self.pool_.name)
        self.assertTrue(eventually(lambda: self.pool_.ask(lease, self.pool_.name)[0][0] > first, 60))  # a round has gone
        self.assertEqual(self.end(worker), 0)
        self.assertEqual(self.logged("backlog"), [])
        self.assertEqual(self.kinds(), [])

    def test_a_server_that_hangs_delays_no_run_and_an_exit_by_ten_seconds(self):
        silent = Silent()
        self.addCleanup(silent.stop)
        pool = self.pool({"bad": 'command = ["/bin/false"]\nmax_attempts = 1', "nap": ""},
                         alerts={"webhook": f'"http://127.0.0.1:{silent.port}/"'})
        self.enqueue("bad")
        worker = self.start()
        self.assertTrue(eventually(lambda: self.logged("run_failed")))
        threading.Event().wait(0.7)  # until dormouse-alert has been started: GATHER
        pool.ask("SELECT dormouse.enqueue('nap', '0', queue => %s)", pool.name)
        self.assertTrue(eventually(lambda: self.logged("run_completed"), 5))
        begin = time.monotonic()
        self.assertEqual(self.end(worker), 0)
        self.assertLess(time.monotonic() - begin, 15)

    def test_a_worker_that_leaves_tells_first_and_nothing_is_sent_while_it_sleeps(self):
        self.pool({"bad": 'command = ["/bin/false"]\nmax_attempts = 1'}, alerts={"gather": '"1h"'}, idle_exit='"1s"', look_exit='"1s"')
        self.enqueue("bad")
        worker = self.start()
        self.assertEqual(worker.wait(timeout=60), 0)
        self.assertEqual(self.kinds(), [("failed", "trouble")])
        ours = subprocess.run(["pgrep", "-f", f"dormouse-alert.*{self.pool_.name}"], capture_output=True, text=True, check=False)
        self.assertEqual(ours.stdout, "")

    def test_a_pool_that_has_no_trouble_starts_nothing(self):
        self.pool({"nap": ""}, idle_exit='"1s"', look_exit='"1s"')
        self.pool_.ask("SELECT dormouse.enqueue('nap', '0', queue => %s)", self.pool_.name)
        self.assertEqual(self.start().wait(timeout=60), 0)
        self.assertEqual(self.web.tries, 0)
        self.assertEqual(self.logged("alert_sent") + self.logged("alert_failed"), [])


if __name__ == "__main__":
    unittest.main(verbosity=2)
