"""moving_node_test.py bullmq|pg_boss|graphile_worker: docs/moving/from-….md, as it is written."""

import json
import os
import shutil
import subprocess
import sys
import unittest

NODE = shutil.which("node")
if not NODE or not os.path.exists(os.environ["NODE_PATH"] + "/pg"):
    print("SKIPPED: there is no node, or no pg in NODE_PATH (./dev setup installs them)")
    sys.exit(77)

from moving import ROOT, URL, Blocks, Page, psql

PEERS = ROOT + "/build/bench/node/node_modules"  # ./dev bench peers installs them


class Node(Blocks, Page):
    def setUp(self):
        super().setUp()
        self.app_env(DATABASE_URL=URL)
        os.symlink(os.environ["NODE_PATH"], self.path("/srv/app/node_modules"))
        self.write("/etc/dormouse/default.toml", self.read("/etc/dormouse/default.toml").replace('"/usr/bin/node"', json.dumps(NODE)))

    def peer(self, name, program):
        """Executes a program of the other library, if it is here."""
        if not os.path.exists(f"{PEERS}/{name}"):
            self.skipTest(f"there is no {name} in {PEERS} (./dev bench peers)")
        self.write("/peer/program.mjs", program)
        os.symlink(PEERS, self.path("/peer/node_modules"))
        return self.run_here("node", "program.mjs", cwd="/peer", URL=URL)


class Bullmq(Node):
    name = "from-bullmq"

    def test_jobs_are_added_executed_and_waited_for(self):
        self.write("/srv/app/a.png", "0123456789")
        self.start()
        self.assertEqual(self.run_here("node", "add.js"), "{ bytes: 10 }\nWelcome, you@example.org\n")
        self.assertTrue(os.path.exists(self.path("/srv/app/a.png.200")))
        self.assertIn("10 bytes", psql("SELECT string_agg(text, ' ') FROM dormouse.logs"))

    def test_what_fails_is_told(self):
        psql("""SELECT dormouse.enqueue('thumbnails', '{"name": "t", "data": {"file": "gone.png"}, "attempts": 3}')""")
        self.drain()
        self.assertEqual(psql("SELECT status, attempts, error ->> 'class' FROM dormouse.runs"), "failed|2|UnrecoverableError")
        self.assertIn("ENOENT", psql("SELECT string_agg(text, ' ') FROM dormouse.logs"))

    def test_one_job_after_another(self):
        tables = "".join(f'[task.{name}]\nhandler = "warm"\ncommand = ["{NODE}", "{self.path("/srv/app/flow.js")}"]\n' for name in ("fetch", "count"))
        self.write("/etc/dormouse/default.toml", f'[database]\nurl = "{URL}"\n{tables}')
        psql("""SELECT dormouse.enqueue('fetch', '{"name": "any", "data": {"url": "x"}}')""")
        self.drain()
        self.assertEqual(psql("SELECT status, result FROM dormouse.runs WHERE task = 'count'"), "completed|4")

    def test_rates(self):
        self.slots()
        self.run_here("node", "limited.js")
        self.assertEqual(self.status("count"), "queued,queued,queued")
        for wait, seconds in zip(self.waits(), (0, 6, 12)):
            self.assertAlmostEqual(wait, seconds, delta=3)  # a delay counts from when it is added

    def test_by_hand_and_by_one_line(self):
        self.assertEqual(self.run_here("node", "worker.js", "--run", "mails", '{"name": "welcome", "data": {"to": "you"}}'), '"Welcome, you"\n')
        self.assertEqual(self.run_here("node", "-p", "typeof require('./queues.js').Queue"), "function\n")
        if os.path.exists(os.environ["NODE_PATH"] + "/bullmq"):
            theirs = "const { Queue } = require('./queues.js'); console.log(Queue === require('bullmq').Queue); process.exit()"
            self.assertEqual(self.run_here("node", "-e", theirs, QUEUES="bullmq"), "true\n")


class PgBoss(Node):
    name = "from-pg-boss"

    def test_what_is_sent_is_executed(self):
        self.write("/srv/app/orders.csv", "a\nb\nc\n")
        self.start()
        self.assertEqual(self.run_here("node", "send.mjs"), "{ lines: 3 }\n")
        self.assertEqual(psql("SELECT max_attempts, priority, timeout_ms, progress_text FROM dormouse.runs"), "4|-10|600000|3 lines")

    def test_an_option_of_pg_boss_is_told_what_it_is_here(self):
        program = f"""const {{ enqueue, serve, task }} = require('{ROOT}/clients/node/dormouse.js');
const pool = new (require('pg').Pool)();
(async () => {{
  for (const [given, told] of Object.entries({{ retryLimit: 'maxAttempts', startAfter: 'delay', singletonKey: 'key', expireInSeconds: 'timeout', retryDelay: 'backoff in the task', deadLetter: 'on_failure',
    singletonSeconds: 'docs/moving/flows.md', db: 'the connection', run_at: 'runAt' }}))
    await enqueue(pool, 'x', {{}}, {{ [given]: 1 }}).then(() => console.log(given), ({{ message }}) => message.includes(`no option ${{given}}; here it is ${{told}}`) || console.log(message));
  for (const attempt of [() => task('x', {{ batchSize: 5 }}, () => 1), () => serve({{ teamSize: 5 }})])
    try {{ attempt(); console.log('silent'); }} catch (error) {{ console.log(error.message.split(';')[0]); }}
  process.exit();
}})();"""
        self.assertEqual(self.run_here("node", "-e", program), "task x: there is no option batchSize\nserve(): there is no option teamSize\n")

    def test_a_failure_is_told(self):
        psql("""SELECT dormouse.enqueue('import', '{"file": "gone"}', max_attempts => 1)""")
        self.drain()
        self.assertEqual((self.status("import"), self.status("import_failed")), ("failed", "completed"))

    def test_the_backlog_of_pg_boss(self):
        self.peer("pg-boss", self.blocks["old/send.mjs"].replace("'postgresql:///app'", "process.env.URL").replace("startAfter: 1", "startAfter: 3600")
                  + "await boss.stop({ graceful: false });\nprocess.exit(0);\n")
        psql(self.blocks["backlog.sql"])
        self.assertEqual(psql("SELECT task, payload, priority, max_attempts, run_at > now() + interval '50 minutes', key LIKE 'pgboss ________-%' FROM dormouse.runs"),
                         'import|{"file": "orders.csv"}|-10|4|t|t')
        self.assertEqual(psql("SELECT count(*) FROM pgboss.job WHERE name = 'import'"), "0")


class GraphileWorker(Node):
    name = "from-graphile-worker"

    def test_the_files_in_tasks_are_executed(self):
        psql(self.blocks["add.sql"])
        self.start()
        program = f"require('{ROOT}/clients/node/dormouse.js').wait(new (require('pg').Pool)(), process.argv[1], {{ timeout: 60 }}).then((run) => {{ console.log(run.result); process.exit(); }})"
        self.assertEqual(self.run_here("node", "-e", program, psql("SELECT id FROM dormouse.runs WHERE task = 'send_mail'")), "{ sent: 'you@example.org' }\n")
        self.worker.shutdown()
        self.drain()
        self.assertEqual((psql("SELECT what FROM audit"), self.status("audit")), ("you@example.org", "completed"))
        self.assertIn("attempt 1 for you@example.org", psql("SELECT string_agg(text, ' ') FROM dormouse.logs"))

    def test_one_at_a_time_for_each_key(self):
        psql("SELECT dormouse.enqueue_many('sync', ARRAY['{\"customer\": 1}', '{\"customer\": 1}', '{\"customer\": 2}']::jsonb[])")
        self.start()
        for _ in range(600):
            if self.status("sync") == "completed,completed,completed":
                break
            self.run_here("sleep", "0.1", cwd="/")
        self.assertEqual(psql("SELECT sum(attempts) FROM dormouse.runs WHERE task = 'sync' AND status = 'completed'"), "3")
        beside = "SELECT count(*) FROM syncs a JOIN syncs b ON a.ctid < b.ctid AND a.began < b.ended AND b.began < a.ended WHERE a.customer {} b.customer"
        self.assertEqual((psql(beside.format("=")), psql("SELECT count(*) FROM syncs")), ("0", "3"))
        psql("DROP TABLE syncs")

    def test_remove_job(self):
        psql("SELECT dormouse.enqueue('send_mail', key => 'mail-17')")
        self.assertEqual(psql("SELECT changed FROM dormouse.cancel_runs(task => 'send_mail', key => 'mail-17')"), "1")

    def test_an_option_without_a_counterpart_is_named(self):
        self.write("/srv/app/tasks/audit.mjs", "export default (payload, { addJob }) => addJob('send_mail', {}, { queueName: 'customer-17' });")
        psql("SELECT dormouse.enqueue('audit', '{}', max_attempts => 1)")
        self.drain()
        self.assertIn("addJob('send_mail'): queueName", psql("SELECT error ->> 'message' FROM dormouse.runs"))

    def test_the_backlog_of_graphile_worker(self):
        self.peer("graphile-worker", "import { runMigrations } from 'graphile-worker';\nawait runMigrations({ connectionString: process.env.URL });\nprocess.exit(0);\n")
        psql(self.blocks["old/add.sql"])
        psql("SELECT graphile_worker.add_job('audit', '{\"sent\": \"1\"}')")
        psql(self.blocks["backlog.sql"])
        self.assertEqual(psql("SELECT task, payload, priority, max_attempts, key LIKE 'graphile _%' OR key = 'mail-17' FROM dormouse.runs ORDER BY task DESC"),
                         'send_mail|{"to": "you@example.org"}|3|5|t\naudit|{"sent": "1"}|0|25|t')
        self.assertEqual(psql("SELECT count(*) FROM graphile_worker._private_jobs"), "0")


if __name__ == "__main__":
    classes = {"bullmq": Bullmq, "pg_boss": PgBoss, "graphile_worker": GraphileWorker}
    suite = unittest.defaultTestLoader.loadTestsFromTestCase(classes[sys.argv[1]])
    sys.exit(not unittest.TextTestRunner(verbosity=2).run(suite).wasSuccessful())
