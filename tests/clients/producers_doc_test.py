"""docs/producers.md: each block is a program; it is executed as it is shown, on the database of the test, and enqueues what it says."""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
URL = f"postgresql://postgres@/postgres?host={os.environ['PGHOST']}"
DJANGO = ("from django.conf import settings\nsettings.configure(DATABASES={'default': {'ENGINE': 'django.db.backends.postgresql', 'NAME': 'postgres', "
          "'USER': 'postgres', 'HOST': %r}})\n" % os.environ["PGHOST"])


def psql(statement):
    return subprocess.check_output(["psql", "-XAtqc", statement], text=True).strip()


class Producers(unittest.TestCase):
    def blocks(self, language):
        with open(ROOT + "/docs/producers.md", encoding="utf-8") as file:
            return re.findall(rf"^```{language}\n(.*?)^```$", file.read(), re.M | re.S)

    def execute(self, text, name, *command):
        psql("TRUNCATE dormouse.runs, dormouse.keys")
        text = text.replace("postgresql:///app", URL).replace("postgresql+psycopg2:///app", URL.replace("postgresql:", "postgresql+psycopg2:"))
        with tempfile.TemporaryDirectory() as directory:
            path = f"{directory}/{name}"
            with open(path, "w", encoding="utf-8") as file:
                file.write(text.replace("/usr/share/dormouse/clients/", ROOT + "/clients/"))
            with open(directory + "/pool.toml", "w", encoding="utf-8") as file:
                file.write(f'[database]\nurl = "{URL}"\n[task.thumbnail]\ncommand = ["/bin/cat"]\n')
            done = subprocess.run([*command, path], capture_output=True, text=True, timeout=100, cwd=directory)
        self.assertEqual((done.returncode, "" if "worker_pool_stopped" in done.stderr else done.stderr), (0, ""), text)
        return done.stdout, int(psql("SELECT count(*) FROM dormouse.runs"))

    def test_each_program_in_python(self):
        printed = ""
        for text in self.blocks("python"):
            with self.subTest(text):
                said, runs = self.execute(DJANGO + text if "django" in text else text, "program.py", "/usr/bin/python3")
                self.assertEqual(runs, 0 if "rollback()" in text else 2 if "enqueue_many" in text else 1)
                printed += said
        for comment in ("the payload of 'thumbnail'.file: missing", "canceled: it was queued", "queued: it was canceled", "{'file': 'a.png'}"):
            self.assertIn(comment, printed)

    def test_each_program_in_node(self):
        for text in self.blocks("js"):
            with self.subTest(text):
                said, runs = self.execute(text, "program.js", "node")
                self.assertRegex(said.strip(), "^[0-9a-f-]{36}$")
                self.assertEqual(runs, 1)


if __name__ == "__main__":
    modules = os.environ["NODE_PATH"] + "/drizzle-orm"
    python = subprocess.run(["/usr/bin/python3", "-c", "import psycopg, asyncpg, sqlalchemy, django"], stderr=subprocess.DEVNULL)
    if not shutil.which("node") or not os.path.exists(modules) or python.returncode != 0:
        print("SKIPPED: a driver of Python or Node is missing (./dev setup installs them)")
        sys.exit(77)
    unittest.main(verbosity=2)
