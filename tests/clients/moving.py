"""What the tests of docs/moving share: the blocks of a page as files of a directory, a worker for its pool, and programs that are executed there.

A block is marked by a line <!-- file: PATH --> above it. /srv/app and the other directories of the page become directories of the test, postgresql:///app
its database; the rest is executed as it is shown. old/… is the other side, of which the syntax is looked at."""

import ast
import http.server
import os
import re
import shutil
import subprocess
import tempfile
import threading
import unittest

import dormouse

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
HOST = os.environ["PGHOST"]
URL = f"postgresql://postgres@/postgres?host={HOST}"
MARKED = re.compile(r"^<!-- file: (\S+) -->\n```\w*\n(.*?)^```$", re.M | re.S)


def psql(statement):
    return subprocess.check_output(["psql", "-XAtqc", statement], text=True).strip()


def serving(test, answer):
    """The URL of a server on this host; answer(what was sent, how many have asked) gives code and text."""

    class Handler(http.server.BaseHTTPRequestHandler):
        asked = 0

        def do_GET(self):
            Handler.asked += 1
            code, text = answer(self.rfile.read(int(self.headers["Content-Length"] or 0)).decode(), Handler.asked)
            self.send_response(code)
            self.end_headers()
            self.wfile.write(text.encode())

        do_POST = do_GET

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever).start()
    test.addCleanup(server.server_close)
    test.addCleanup(server.shutdown)
    return f"http://127.0.0.1:{server.server_address[1]}/"


class Page(unittest.TestCase):
    name = ""

    def setUp(self):
        psql("TRUNCATE dormouse.runs, dormouse.keys")
        with open(f"{ROOT}/docs/moving/{self.name}.md", encoding="utf-8") as file:
            self.text = file.read()
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.root = directory.name
        self.blocks = dict(MARKED.findall(self.text))
        for name in self.blocks:
            if not name.startswith("old/"):
                self.write(name, self.here(self.blocks[name]))
        self.environment = {**os.environ, "DORMOUSE_CONFIG_DIR": self.path("/etc/dormouse"), "DATABASE_URL": URL}
        self.worker = None

    def path(self, name):
        return f"{self.root}/{name.lstrip('/')}"

    def here(self, text):
        text = text.replace("postgresql:///app", URL).replace("/usr/share/dormouse/clients/", ROOT + "/clients/")
        return re.sub(r"(?<![\w.])(/srv/|/etc/(?!passwd)|/var/backups)", self.root + r"\1", text)

    def write(self, name, text):
        path = self.path(name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        os.chmod(path, 0o755 if name.endswith(".sh") else 0o644)

    def read(self, name):
        with open(self.path(name), encoding="utf-8") as file:
            return file.read()

    def app_env(self, **more):
        """The file that the pool's tasks name; with what the tree needs in place of an installation."""
        keep = ("PYTHONPATH", "PGHOST", "PGUSER", "PGDATABASE", "NODE_PATH", "PYTHONDONTWRITEBYTECODE", "PATH")
        self.write("/etc/app.env", "".join(f"{name}={value}\n" for name, value in {**{one: os.environ[one] for one in keep if one in os.environ}, **more}.items()))

    def start(self, **settings):
        self.worker = dormouse.start(config=self.path("/etc/dormouse/default.toml"), settings=settings)
        self.addCleanup(self.worker.shutdown)

    def slots(self):
        """The table and the function of flows.md."""
        with open(f"{ROOT}/docs/moving/flows.md", encoding="utf-8") as file:
            psql("DROP TABLE IF EXISTS public.slots; DROP FUNCTION IF EXISTS public.slot; " + dict(MARKED.findall(file.read()))["slots.sql"])

    def waits(self):
        """How long after the first run the others are due, in seconds."""
        found = psql("SELECT extract(epoch FROM run_at - (SELECT min(run_at) FROM dormouse.runs)) FROM dormouse.runs ORDER BY run_at")
        return [round(float(one)) for one in found.split()]

    def drain(self, pool="default"):
        return dormouse.drain(pool, config=self.path(f"/etc/dormouse/{pool}.toml"))

    def run_here(self, *command, cwd="/srv/app", code=0, **environment):
        done = subprocess.run([part.replace("/srv/", self.root + "/srv/") if part.startswith("/srv/") else part for part in command], cwd=self.path(cwd),
                              env={**self.environment, **environment}, capture_output=True, text=True, timeout=100)
        errors = "" if done.returncode == code else psql("SELECT task, status, error, worker IS NULL FROM dormouse.runs")
        self.assertEqual(done.returncode, code, f"{command}\n{done.stdout}{done.stderr}\n{errors}")
        return done.stdout

    def status(self, task):
        return psql(f"SELECT string_agg(status, ',' ORDER BY id) FROM dormouse.runs WHERE task = '{task}'")


class Blocks:
    """What holds for each page: each block in a language is marked, and what it is called is a test's to use; the old side is a program, too."""

    def test_each_block_is_marked_and_the_old_side_is_a_program(self):
        unmarked = [text for text in re.findall(r"(?<!-->\n)^```\w+\n(.*?)^```$", self.text, re.M | re.S)]
        self.assertEqual(unmarked, [], "without a mark nobody executes it")
        for name, text in self.blocks.items():
            if name.startswith("old/") and name.endswith(".py"):
                ast.parse(text)
            if name.startswith("old/") and name.endswith(("js", ".mjs", ".cjs")) and shutil.which("node"):
                self.write(name, text)
                self.run_here("node", "--check", self.path(name), cwd="/")
            if name.endswith((".service", ".timer")):
                self.assertIn("[Unit]", text)

    def test_the_page_says_that_there_is_a_limit_of_time(self):
        """Most of what people come from has none, and a job of two hours would be ended and executed five times."""
        self.assertIn("ends after `timeout`, 1 h unless you say otherwise", self.text)
