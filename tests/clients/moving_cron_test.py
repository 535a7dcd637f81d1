"""docs/moving/from-cron.md, as it is written: the jobs by a worker, the lines of timer and crontab by a shell, the units by systemd's own check."""

import fcntl
import glob
import gzip
import os
import re
import shutil
import subprocess
import unittest

from moving import URL, Blocks, Page, psql


class FromCron(Blocks, Page):
    name = "from-cron"

    def setUp(self):
        super().setUp()
        self.app_env(DATABASE_URL=URL)
        os.makedirs(self.path("/var/backups/app"))
        self.write("/srv/app/incoming/a.csv", "")
        os.makedirs(self.path("/srv/app/venv/bin"))
        os.symlink("/usr/bin/python3", self.path("/srv/app/venv/bin/python"))
        self.write("/srv/app/dump.sh", self.read("/srv/app/dump.sh"))

    def enqueue(self, task):
        """What systemd makes of ExecStart=."""
        [line] = re.findall(r"^ExecStart=/bin/sh -c '(.*)'$", self.read("/etc/systemd/system/enqueue@.service"), re.M)
        return self.run_here("/bin/sh", "-c", line.replace("%i", task).replace("$$", "$").replace("%%", "%"))

    def test_what_the_timer_enqueues_is_executed_and_logged(self):
        self.enqueue("dump")
        self.enqueue("report")
        self.drain()
        self.assertEqual((self.status("dump"), self.status("report")), ("completed", "completed"))
        [dump] = glob.glob(self.path("/var/backups/app/*"))
        with gzip.open(dump, "rt", encoding="utf-8") as file:
            self.assertIn("CREATE SCHEMA dormouse", file.read())
        log = psql("SELECT string_agg(text, ' ') FROM dormouse.runs r, dormouse.logs l WHERE l.run_id = r.id")
        self.assertIn("1 files wait", log)
        self.assertIn(".sql.gz", log)
        self.assertEqual(psql("SELECT count(result) FROM dormouse.runs"), "0")

    def test_one_that_fails_leaves_no_half_a_file_and_is_tried_again(self):
        self.app_env(DATABASE_URL=URL + "/nowhere")
        self.write("/etc/dormouse/default.toml", self.read("/etc/dormouse/default.toml").replace("max_attempts", 'backoff = { base = "1ms", max = "1ms" }\nmax_attempts'))
        self.enqueue("dump")
        self.drain()
        self.assertEqual((self.status("dump"), psql("SELECT attempts FROM dormouse.runs"), os.listdir(self.path("/var/backups/app"))), ("failed", "3", []))

    def test_a_minute_is_one_run_by_timer_and_by_crontab(self):
        line = self.read("/etc/cron.d/enqueue").split(None, 6)[6].replace("\\%", "%")
        minutes = set()
        for act in (lambda: self.enqueue("dump"), lambda: self.run_here("/bin/sh", "-c", line), lambda: self.enqueue("dump")):
            minutes.add(subprocess.check_output(["date", "--utc", "+%F-%H%M"], text=True).strip())
            act()
            minutes.add(subprocess.check_output(["date", "--utc", "+%F-%H%M"], text=True).strip())
        keys = psql("SELECT string_agg(key, ' ') FROM dormouse.runs").split()
        self.assertLessEqual(set(keys), minutes)
        self.assertEqual(len(keys), len(set(keys)))

    def test_one_program_with_many_arguments(self):
        if not shutil.which("jq"):
            self.skipTest("there is no jq")
        [line] = re.findall(r"^ExecStart=(.*)$", self.read("/etc/systemd/system/enqueue-import@.service"), re.M)
        for shop in ("berlin", "paris"):
            self.run_here("/bin/sh", "-c", line.replace("%i", shop))
        self.drain("imports")
        self.assertEqual(psql("SELECT count(*), string_agg(result #>> '{}', ' ' ORDER BY key) FROM dormouse.runs WHERE status = 'completed'"), "2|import berlin import paris")

    def test_several_jobs_with_one_lock(self):
        psql("SELECT dormouse.enqueue(task, queue => 'locked') FROM unnest('{lifecycle,screener}'::text[]) task")
        with open(self.path("/var/backups/app/lock"), "w", encoding="utf-8") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            self.drain("locked")
            self.assertEqual(psql("SELECT DISTINCT status, attempts FROM dormouse.runs"), "retry|0")
        psql("UPDATE dormouse.runs SET run_at = now()")
        self.drain("locked")
        while psql("SELECT count(*) FROM dormouse.runs WHERE status = 'retry'") != "0":  # one may have met the other
            psql("UPDATE dormouse.runs SET run_at = now() WHERE status = 'retry'")
            self.drain("locked")
        self.assertEqual(psql("SELECT task, status, attempts FROM dormouse.runs ORDER BY task"), "lifecycle|completed|1\nscreener|completed|1")

    def test_a_line_of_a_shell_is_refused_with_what_to_write(self):
        self.write("/etc/dormouse/default.toml", self.read("/etc/dormouse/default.toml").replace('"venv/bin/python", "report.py"', '"cd /srv/app && venv/bin/python report.py"'))
        done = subprocess.run(["dormouse", "worker", "default", "--check"], env=self.environment, capture_output=True, text=True)
        self.assertIn('["/bin/sh", "-c", "the line"]', done.stdout + done.stderr)

    def test_the_units_are_units(self):
        if not shutil.which("systemd-analyze"):
            self.skipTest("there is no systemd-analyze")
        units = [self.path("/etc/systemd/system/" + name) for name in ("enqueue@dump.timer", "enqueue@report.timer", "enqueue@dump.service", "enqueue-import@.service")]
        self.write("/etc/systemd/system/enqueue@dump.service", self.read("/etc/systemd/system/enqueue@.service"))
        done = subprocess.run(["systemd-analyze", "verify", *units], capture_output=True, text=True)
        ours = [text for text in done.stderr.splitlines() if "enqueue@" in text]
        self.assertEqual(ours, [], done.stderr)
        for when in re.findall(r"OnCalendar=([^`\n]+)|systemd-analyze calendar '([^']*)'", self.text):
            subprocess.run(["systemd-analyze", "calendar", when[0] or when[1]], check=True, stdout=subprocess.DEVNULL)

    def test_the_old_lines_are_lines_of_a_crontab(self):
        for name in ("old/app.cron", "/etc/cron.d/enqueue"):
            for text in self.blocks[name].splitlines():
                self.assertRegex(text, r"^(\w+=\S+|(\S+\s+){5}\w+\s+\S.*)$")


if __name__ == "__main__":
    unittest.main(verbosity=2)
