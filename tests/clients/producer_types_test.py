"""mypy finds in producer_types.py what its comments say, and nothing else."""

import os
import re
import subprocess
import sys
import tempfile
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
CLIENT = os.path.dirname(os.path.dirname(HERE)) + "/clients/python"


def mypy(*arguments):
    with tempfile.TemporaryDirectory() as cache:
        return subprocess.run([sys.executable, "-m", "mypy", "--cache-dir", cache, "--no-error-summary",
                               *arguments], capture_output=True, text=True, cwd=HERE, env={**os.environ, "MYPYPATH": CLIENT})


class Types(unittest.TestCase):
    maxDiff = None

    def test_what_producers_write_has_the_types_that_it_should(self):
        done = mypy("--follow-imports=silent", "--disallow-untyped-calls", HERE + "/producer_types.py")
        with open(HERE + "/producer_types.py", encoding="utf-8") as file:
            wanted = {number: re.search(r"  # (.*)", line).group(1) for number, line in enumerate(file, 1)
                      if "reveal_type" in line or "  # error" in line}
        found = {}
        for number, kind, text in re.findall(r"producer_types.py:(\d+): (error|note): (.*)", done.stdout):
            if kind == "error" or text.startswith("Revealed"):
                found[int(number)] = ("error: " if kind == "error" else "") + text
        self.assertEqual(sorted(found), sorted(wanted), done.stdout + done.stderr)
        for number, text in wanted.items():
            self.assertIn(text.replace("error: ", ""), found[number], done.stdout + done.stderr)


if __name__ == "__main__":
    if subprocess.run([sys.executable, "-c", "import mypy, psycopg, asyncpg"], stderr=subprocess.DEVNULL).returncode != 0:
        print("SKIPPED: there is no mypy or a driver is missing (./dev setup installs them)")
        sys.exit(77)
    unittest.main(verbosity=2)
