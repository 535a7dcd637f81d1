"""moving_hosts_test.py supervisor|compose: docs/moving/from-….md, as it is written."""

import configparser
import os
import shutil
import subprocess
import sys
import unittest

try:
    import psycopg  # noqa: F401
    import yaml
except ImportError as missing:
    print(f"SKIPPED: {missing} (Debian packages python3-psycopg, python3-yaml)")
    sys.exit(77)

from moving import URL, Blocks, Page, psql


class Supervisor(Blocks, Page):
    name = "from-supervisor"

    def test_what_the_loops_did_is_done(self):
        if not shutil.which("node"):
            self.skipTest("there is no node")
        toml = self.read("/etc/dormouse/default.toml").replace('"/usr/bin/node"', f'"{shutil.which("node")}"')
        self.write("/etc/dormouse/default.toml", toml)
        self.write("/srv/app/a.wav", "sound" * 100)
        psql(self.blocks["enqueue.sql"])
        self.drain()
        self.assertEqual(psql("SELECT task, status, result FROM dormouse.runs ORDER BY task"),
                         'encode|completed|{"file": "a.wav.gz"}\nmail|completed|{"to": "you@example.org"}')
        self.assertTrue(os.path.exists(self.path("/srv/app/a.wav.gz")))
        self.assertIn("shop@example.org writes to you", psql("SELECT string_agg(text, ' ') FROM dormouse.logs"))

    def test_the_unit_is_a_unit_and_the_old_file_one_of_supervisor(self):
        configparser.RawConfigParser().read_string(self.blocks["old/encode.conf"])
        if not shutil.which("systemd-analyze"):
            self.skipTest("there is no systemd-analyze")
        self.write("/etc/systemd/system/web.service", self.blocks["/etc/systemd/system/web.service"])
        done = subprocess.run(["systemd-analyze", "verify", self.path("/etc/systemd/system/web.service")], capture_output=True, text=True)
        self.assertEqual([line for line in done.stderr.splitlines() if "web.service" in line], [])


class Compose(Blocks, Page):
    name = "from-compose"

    def test_the_worker_of_the_file_executes_what_the_web_enqueues(self):
        services = yaml.safe_load(self.blocks["compose.yaml"])["services"]
        self.assertLessEqual({one for service in services.values() for one in service.get("depends_on", {})}, set(services))
        self.assertLessEqual({"web", "worker", "db"}, set(services) & set(yaml.safe_load(self.blocks["old/compose.yaml"])["services"]))
        inside = {"DATABASE_URL": services["worker"]["environment"]["DATABASE_URL"].replace("postgresql://postgres@db/app", URL)}
        self.assertEqual(services["web"]["environment"], services["worker"]["environment"])
        self.write("/srv/app/orders.csv", "id,price\n1,2.50\n2,3\n")
        self.assertIn("schema", self.run_here("dormouse", *services["migrate"]["command"], **inside))
        self.run_here("dormouse", *services["worker"]["command"], "--check", **inside)
        environment = {**self.environment, **inside}
        with subprocess.Popen(["dormouse", *services["worker"]["command"]], env=environment, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL) as worker:
            try:
                self.assertEqual(self.run_here("/usr/bin/python3", "-m", "shop.web", **inside), "2\n")
            finally:
                worker.terminate()
        self.assertEqual((worker.returncode, psql("SELECT sum(price) FROM orders")), (0, "5.50"))

    def test_the_file_for_the_image_copies_what_the_page_shows(self):
        copied = [line.split()[1] for line in self.blocks["Dockerfile"].splitlines() if line.startswith("COPY")]
        self.assertEqual(copied, ["shop", "default.toml"])


if __name__ == "__main__":
    classes = {"supervisor": Supervisor, "compose": Compose}
    suite = unittest.defaultTestLoader.loadTestsFromTestCase(classes[sys.argv[1]])
    sys.exit(not unittest.TextTestRunner(verbosity=2).run(suite).wasSuccessful())
