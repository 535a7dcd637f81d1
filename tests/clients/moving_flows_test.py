"""docs/moving/flows.md, as it is written."""

import datetime
import sys
import unittest

try:
    import psycopg  # noqa: F401
except ImportError as missing:
    print(f"SKIPPED: {missing} (Debian package python3-psycopg)")
    sys.exit(77)

from moving import URL, Blocks, Page, psql

TABLES = "".join(f"""
[task.{name}]
handler = "warm"
command = ["/usr/bin/python3", "/srv/app/tasks.py"]
environment_file = "/etc/app.env"
""" for name in ("fetch", "count", "part", "merge"))


class Flows(Blocks, Page):
    name = "flows"

    def setUp(self):
        super().setUp()
        psql("DROP TABLE IF EXISTS public.parts, public.slots; DROP FUNCTION IF EXISTS public.part_done, public.slot")
        self.app_env(DATABASE_URL=URL)
        self.write("/etc/dormouse/default.toml", self.here(f'[database]\nurl = "postgresql:///app"\n[worker]\nqueues = ["default", "slow"]\n{TABLES}'))

    def test_one_after_another(self):
        psql("SELECT dormouse.enqueue('fetch', '{\"url\": \"x\"}', queue => 'slow')")
        self.drain()
        self.assertEqual(psql("SELECT status, queue, result FROM dormouse.runs WHERE task = 'count'"), "completed|slow|4")

    def test_when_all_parts_are_done(self):
        psql(self.blocks["parts.sql"])
        self.assertEqual([psql(self.blocks["start.sql"]) for _ in range(2)], ["3", "3"])
        self.drain()
        self.assertEqual(psql("SELECT result FROM dormouse.runs WHERE task = 'merge'"), "[10, 20, 30]\n[10, 20, 30]")
        psql("SELECT dormouse.retry(id) FROM dormouse.runs WHERE task = 'part'")  # executed twice, as after a crash
        self.drain()
        self.assertEqual(psql("SELECT count(*) FROM dormouse.runs WHERE task = 'merge'"), "2")

    def test_parts_that_end_at_the_same_moment(self):
        psql(self.blocks["parts.sql"])
        psql("INSERT INTO public.parts (job, part) SELECT '00000000-0000-4000-8000-000000000001', n FROM generate_series(1, 2) n")
        done = "SELECT public.part_done('00000000-0000-4000-8000-000000000001', %s, '1')"
        with psycopg.connect(URL) as one, psycopg.connect(URL, autocommit=True) as other:
            one.execute(done, [1])
            other.execute("SET lock_timeout = '100ms'")
            self.assertRaises(psycopg.errors.LockNotAvailable, other.execute, done, [2])  # it would not see that the first one is done
            one.commit()
            other.execute(done, [2])
        self.assertEqual(psql("SELECT count(*) FROM dormouse.runs WHERE task = 'merge'"), "1")

    def test_so_many_in_a_minute(self):
        self.slots()
        for _ in range(3):
            psql(self.blocks["rate.sql"])
        self.assertEqual(self.waits(), [0, 6, 12])
        psql("UPDATE public.slots SET at = now() - interval '1 hour'")
        self.assertEqual(psql("SELECT public.slot('mails', '6 seconds') > now() - interval '1 minute'"), "t")  # what was not used is not made up for

    def test_only_one_that_waits_or_runs(self):
        table = {"enqueued": "unchanged: it is queued already", "waits": "unchanged: it is queued already"}
        self.assertEqual([psql(self.blocks["unique.sql"]) for _ in range(2)], list(table.values()))
        self.assertIn(table["enqueued"], self.text)
        self.drain()
        self.assertEqual(psql(self.blocks["unique.sql"]), "queued: it was completed")
        self.drain()
        self.assertEqual(psql("SELECT count(*), min(status), sum(attempts) FROM dormouse.runs WHERE task = 'count'"), "1|completed|1")
        self.assertEqual(psql("SELECT count(*) FROM dormouse.attempts"), "2")

    def test_only_the_last_of_many(self):
        for _ in range(3):
            psql(self.blocks["last.sql"])
        ids, at = psql("SELECT count(*), max(run_at) AT TIME ZONE 'UTC' FROM dormouse.runs").split("|")
        self.assertIn(ids, ("1", "2"))  # 2 where a minute began meanwhile
        self.assertEqual(datetime.datetime.fromisoformat(at).second, 0)


if __name__ == "__main__":
    unittest.main(verbosity=2)
