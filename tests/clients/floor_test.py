"""What the clients, the examples and the pages need is there in the oldest Python and Node that they name: 3.9 and 18.

Syntax is looked at by the parser of that version, the standard library by mypy and tsc: what they find for the old version and not for that of this
machine is too new. Each Python of this machine imports the modules."""

import ast
import glob
import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
CLIENTS = ROOT + "/clients/"
PAGES = sorted(glob.glob(ROOT + "/*.md") + glob.glob(ROOT + "/docs/**/*.md", recursive=True))
OLDEST, HERE = (3, 9), "%d.%d" % sys.version_info[:2]
TSC = os.environ.get("NODE_PATH", "") + "/typescript/bin/tsc"


def programs(pattern, language):
    """name and text, of files and of blocks."""
    for path in sorted(glob.glob(CLIENTS + pattern, recursive=True) + glob.glob(ROOT + "/examples/" + pattern, recursive=True)):
        with open(path, encoding="utf-8") as file:
            yield os.path.relpath(path, ROOT), file.read()
    for page in PAGES:
        with open(page, encoding="utf-8") as file:
            for number, text in enumerate(re.findall(rf"^```{language}\n(.*?)^```$", file.read(), re.M | re.S)):
                yield f"{os.path.relpath(page, ROOT)}, block {number}", text


class Floor(unittest.TestCase):
    maxDiff = None

    def test_python_3_9_reads_it(self):
        seen = 0
        for name, text in programs("**/*.py", "python"):
            with self.subTest(name):
                ast.parse(text, name, feature_version=OLDEST)
                seen += 1
        self.assertGreater(seen, 30)

    def test_the_parser_is_that_of_3_9(self):
        with self.assertRaises(SyntaxError):
            ast.parse("match 1:\n    case 1: pass\n", feature_version=OLDEST)

    def of_mypy(self, version, *targets):
        with tempfile.TemporaryDirectory() as cache:
            done = subprocess.run([sys.executable, "-m", "mypy", "--cache-dir", cache, "--no-error-summary", "--python-version", version, "--check-untyped-defs",
                                   "--ignore-missing-imports", "--follow-imports=silent", *targets], capture_output=True, text=True, cwd=ROOT)
        self.assertNotIn("usage: mypy", done.stderr)
        return set(done.stdout.splitlines())

    @staticmethod
    def kind(line):
        """file:line and [kind] of what mypy says."""
        return re.sub(r": error: .*(\[[a-z-]+\])$", r" \1", line)

    def test_the_standard_library_of_3_9_has_what_it_uses(self):
        if subprocess.run([sys.executable, "-c", "import mypy"], stderr=subprocess.DEVNULL).returncode != 0:
            self.skipTest("there is no mypy (Debian package mypy)")
        with tempfile.TemporaryDirectory() as directory:
            newer = directory + "/newer.py"
            with open(newer, "w", encoding="utf-8") as file:
                file.write("import tomllib\nimport asyncio\nasyncio.TaskGroup\n")  # of 3.11
            targets = (CLIENTS + "python/dormouse", newer)
            # By place and kind: a type has another name for another version.
            here = {self.kind(one) for one in self.of_mypy(HERE, *targets)}
            found = {one for one in self.of_mypy("3.9", *targets) if self.kind(one) not in here}
        self.assertTrue(any("newer.py" in one for one in found), found)
        self.assertEqual([one for one in found if "newer.py" not in one], [])

    def test_each_python_of_this_machine_imports_it(self):
        pythons = sorted({os.path.realpath(path) for path in glob.glob("/usr/bin/python3.*") + ["/usr/bin/python3"] if re.search(r"python3(\.\d+)?$", path)})
        for python in pythons:
            program = "import dormouse, dormouse.celery, sys; print(sys.version_info >= (3, 9))"
            done = subprocess.run([python, "-W", "error", "-c", program], capture_output=True, text=True, env={**os.environ, "PYTHONPATH": CLIENTS + "python"})
            self.assertEqual((done.stdout, done.stderr), ("True\n", ""), python)

    def test_node_reads_it(self):
        if not shutil.which("node"):
            self.skipTest("there is no node")
        with tempfile.TemporaryDirectory() as directory:
            for number, (name, text) in enumerate(programs("**/*.[mc]js", "js")):
                path = f"{directory}/{number}.{'mjs' if re.search(r'^import ', text, re.M) else 'js'}"
                with open(path, "w", encoding="utf-8") as file:
                    file.write(text if "await" not in text or path.endswith("mjs") else f"async () => {{\n{text}\n}};")
                done = subprocess.run(["node", "--check", path], capture_output=True, text=True)
                self.assertEqual(done.returncode, 0, f"{name}: {done.stderr}")

    def of_tsc(self, lib, *files):
        done = subprocess.run(["node", TSC, "--noEmit", "--allowJs", "--checkJs", "--skipLibCheck", "--module", "node16", "--moduleResolution", "node16",
                               "--target", "es2022", "--lib", lib, "--typeRoots", os.environ["NODE_PATH"] + "/@types", "--types", "node", *files],
                              capture_output=True, text=True, cwd=CLIENTS)
        self.assertNotIn("TS5", done.stdout)  # an option that it does not know
        return set(re.sub(r"\(\d+,\d+\)", "", one) for one in done.stdout.splitlines())

    def test_javascript_of_node_18_has_what_it_uses(self):
        if not shutil.which("node") or not os.path.exists(TSC):
            self.skipTest("there is no typescript in NODE_PATH (./dev setup installs it)")
        with tempfile.TemporaryDirectory() as directory:
            newer = directory + "/newer.js"
            with open(newer, "w", encoding="utf-8") as file:
                file.write("console.log([2, 1].toSorted());\n")  # of Node 20
            files = (*sorted(glob.glob(CLIENTS + "node/*.js")), newer)
            found = self.of_tsc("es2022", *files) - self.of_tsc("esnext", *files)
        self.assertTrue(any("newer.js" in one for one in found), found)
        self.assertEqual([one for one in found if "newer.js" not in one], [])


if __name__ == "__main__":
    unittest.main(verbosity=2)
