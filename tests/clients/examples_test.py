"""examples: the files that README and docs/ show are these, and each handler greets."""

import glob
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

from warm_worker import Process, strict

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
EXAMPLES = ROOT + "/examples/handlers/"
POOLS = ["two-pools/urgent.toml", "two-pools/background.toml", "pipeline/pipeline.py", "pipeline/parse.toml"]  # postgres.examples runs them
INSTALLED, HERE = "/usr/share/dormouse/clients/", ROOT + "/clients/"


def example(name):
    with open(EXAMPLES + name, encoding="utf-8") as file:
        return file.read()


def older_than_18(node):
    return node is None or not os.path.exists(node) or int(subprocess.check_output([node, "-p", "parseInt(process.versions.node)"])) < 18


class Examples(unittest.TestCase):
    def skip(self, why):
        print(f"\nSKIPPED: {why}", flush=True)
        self.skipTest(why)

    def greet(self, *command):
        process = Process(command)
        self.addCleanup(process.close)
        self.assertEqual(process.hello["tasks"], ["hello"])
        self.assertEqual(process.execute("hello", {"name": "Zürich 🐭"})[0]["result"], {"hello": "Zürich 🐭"})
        self.assertEqual(process.execute("hello", None)[0]["type"], "failed")
        process.say_no_more()
        self.assertEqual(process.ended(), 0)

    def test_each_page_shows_the_files_as_they_are(self):
        shown = set()
        for page in [ROOT + "/README.md"] + sorted(glob.glob(ROOT + "/docs/*.md")):
            with open(page, encoding="utf-8") as file:
                blocks = re.findall(r"^<!-- file: examples/(\S+) -->\n```\w*\n(.*?)^```$", file.read(), re.M | re.S)
            for name, text in blocks:
                self.assertEqual(text, example("../" + name), f"{page} shows another examples/{name}")
                shown.add(name)
        self.assertEqual(sorted(shown), sorted(["handlers/" + name for name in os.listdir(EXAMPLES)] + POOLS))

    def test_the_first_step_is_true_in_each_language(self):
        with open(ROOT + "/docs/first-handler.md", encoding="utf-8") as file:
            tables = re.findall(r"^```toml\n(\[task\.hello\]\n.*?)^```$", file.read(), re.M | re.S)
        self.assertEqual(len(tables), 3)
        for table in tables:
            program, name = re.search(r'command = \["(?:(.*)", ")?/srv/app/(.*)"\]', table).groups()
            if program and "node" in program and older_than_18(program) or name.endswith(".sh") and not shutil.which("jq"):
                print(f"\nSKIPPED: {name}: there is no node 18 or no jq", flush=True)
                continue
            with tempfile.TemporaryDirectory() as directory:  # nothing is installed here: client and handler are the tree's
                with open(directory + "/" + name, "w", encoding="utf-8") as file:
                    file.write(example(name).replace(INSTALLED, HERE))
                os.chmod(directory + "/" + name, 0o755)
                with open(directory + "/hello.env", "w", encoding="utf-8") as file:
                    file.write(f"PYTHONPATH={HERE}python\nPYTHONDONTWRITEBYTECODE=1\n")
                with open(directory + "/default.toml", "w", encoding="utf-8") as file:
                    file.write(table.replace("/srv/app", directory) + f'environment_file = "{directory}/hello.env"\n')
                done = subprocess.run([os.environ["DORMOUSE"], "try", "hello", '{"name": "you"}'], capture_output=True, text=True,
                                      env={**os.environ, "DORMOUSE_CONFIG_DIR": directory}, timeout=60)
            self.assertEqual((done.returncode, json.loads(done.stdout or "null")), (0, {"hello": "you"}), name + ": " + done.stderr)

    def test_python_greets_as_a_program_and_as_a_module(self):
        self.greet("/usr/bin/python3", EXAMPLES + "hello.py")
        os.chdir(EXAMPLES)
        self.greet("/usr/bin/python3", "-m", "dormouse", "hello")

    def test_node_greets(self):
        node = shutil.which("node")
        if older_than_18(node):
            self.skip("the example for Node: there is no node 18 or later (Debian package nodejs)")
        with tempfile.TemporaryDirectory() as directory:  # nothing is installed here: the client is the tree's
            with open(directory + "/hello.mjs", "w", encoding="utf-8") as file:
                file.write(example("hello.mjs").replace(INSTALLED, HERE))
            self.greet(node, directory + "/hello.mjs")

    def of_the_tree(self, name, directory):
        """The example, with the tree's client in place of the one that a package installs."""
        with open(f"{directory}/{name}", "w", encoding="utf-8") as file:
            file.write(example(name).replace(INSTALLED, HERE))
        return f"{directory}/{name}"

    def test_ruby_and_php_greet(self):
        for program, name in (("ruby", "hello.rb"), ("php", "hello.php")):
            with self.subTest(name=name), tempfile.TemporaryDirectory() as directory:
                if not shutil.which(program):
                    self.skip(f"the example {name}: there is no {program}")
                file = self.of_the_tree(name, directory)
                self.greet(program, file)
                done = subprocess.run([program, file, "--run", "hello", '{"name": "you"}'], capture_output=True, text=True, timeout=60)
                self.assertEqual((done.returncode, json.loads(done.stdout)), (0, {"hello": "you"}), done.stderr)
                done = subprocess.run([program, file, "--run", "hello", "{}"], capture_output=True, text=True, timeout=60)
                self.assertEqual((done.returncode, done.stdout), (1, ""), done.stderr)

    def test_go_greets(self):
        if not shutil.which("go"):
            self.skip("the example for Go: there is no go")
        with tempfile.TemporaryDirectory() as directory:
            os.mkdir(directory + "/src")
            os.symlink(HERE + "go", directory + "/src/dormouse")
            file = self.of_the_tree("hello.go", directory)
            environment = {"PATH": os.environ["PATH"], "GO111MODULE": "off", "GOPATH": directory, "GOCACHE": directory + "/cache", "HOME": directory}
            subprocess.run(["go", "build", "-o", directory + "/hello", file], env=environment, check=True, timeout=100)
            self.greet(directory + "/hello")
            done = subprocess.run([directory + "/hello", "--run", "hello", '{"name": "you"}'], capture_output=True, text=True, timeout=60)
            self.assertEqual((done.returncode, json.loads(done.stdout)), (0, {"hello": "you"}), done.stderr)

    def test_shell_greets_and_says_how_far_it_is(self):
        if not shutil.which("jq"):
            self.skip("the example for the shell: there is no jq")
        for name, code, result, said in (("Zürich", 0, {"hello": "Zürich"}, 0.5), ("", 75, None, None)):
            ours, theirs = os.pipe()
            done = subprocess.run([EXAMPLES + "hello.sh"], env={**os.environ, "DORMOUSE_CONTROL_FD": str(theirs)}, pass_fds=[theirs],
                                  input=json.dumps({"name": name}).encode(), capture_output=True, timeout=60)
            os.close(theirs)
            with os.fdopen(ours, "rb") as pipe:
                lines = [strict(line) for line in pipe]
            self.assertEqual(done.returncode, code, done.stderr)
            self.assertEqual(json.loads(done.stdout or "null"), result)
            self.assertEqual([line["fraction"] for line in lines], [] if said is None else [said])


if __name__ == "__main__":
    unittest.main(verbosity=2, argv=sys.argv[:1])
