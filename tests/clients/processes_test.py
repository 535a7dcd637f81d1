"""What processes do that are not the one that the worker speaks to: forks before serve() and in a run, exec, cluster, threads."""

import json
import os
import shutil
import sys
import tempfile
import time
import unittest

from warm_worker import Process

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
CLIENTS = ROOT + "/clients"

# In each: tasks echo, forks (a child that does what the payload says; the result is its exit code), leaves (os._exit), becomes (exec of another program).
PYTHON = """
import os, sys, threading, time
from dormouse import serve, task
@task
def echo(payload): return [payload, os.getpid()]
@task
def forks(payload):
    pid = os.fork()
    if pid == 0:
        if payload == "raises": raise ValueError("from the child")
        if payload == "exits": sys.exit(7)
        return "twice"
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
@task
def leaves(payload): os._exit(3)
@task
def becomes(payload): os.execv("/bin/true", ["true"])
@task
def lasting(payload):
    if os.fork() == 0:
        time.sleep(0.3)  # beyond the parent's answer
        return "twice"
    return "once"
@task
def daemon(payload):
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0: time.sleep(0.3)  # the same
        os._exit(0)
    os.wait()
    return "once"
"""
RUBY = f"""
require '{CLIENTS}/ruby/dormouse'
Dormouse.task('echo') {{ |payload| [payload, Process.pid] }}
Dormouse.task('forks') do |payload|
  if (pid = fork)
    Process.wait(pid)
    next $?.exitstatus
  end
  raise ArgumentError, 'from the child' if payload == 'raises'
  exit 7 if payload == 'exits'
  'twice'
end
Dormouse.task('leaves') {{ exit!(3) }}
Dormouse.task('becomes') {{ exec '/bin/true' }}
Dormouse.task('lasting') {{ fork ? 'once' : (sleep 0.3; 'twice') }}
Dormouse.task('daemon') {{ Process.wait(fork {{ Process.daemon; sleep 0.3 }}); 'once' }}
"""
PHP = f"""<?php
require '{CLIENTS}/php/dormouse.php';
use function dormouse\\task;
task('echo', fn ($payload) => [$payload, getmypid()]);
task('forks', function ($payload) {{
    if ($pid = pcntl_fork()) {{
        pcntl_waitpid($pid, $status);
        return pcntl_wexitstatus($status);
    }}
    if ($payload === 'raises') throw new ValueError('from the child');
    if ($payload === 'exits') exit(7);
    return 'twice';
}});
task('leaves', fn () => posix_kill(getmypid(), 9));
task('becomes', fn () => pcntl_exec('/bin/true'));
task('lasting', fn () => pcntl_fork() ? 'once' : (usleep(300_000) ?? 'twice'));
task('daemon', function () {{
    if ($pid = pcntl_fork()) {{
        pcntl_waitpid($pid, $status);
        return 'once';
    }}
    posix_setsid();
    if (pcntl_fork() === 0) usleep(300_000);
    posix_kill(getmypid(), 9);
}});
"""
NODE = f"""
const {{ task, serve }} = require('{CLIENTS}/node/dormouse.js');
task('echo', (payload) => [payload, process.pid]);
task('leaves', () => process.exit(3));
"""


class Forking:
    def start(self, end):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        path = directory.name + "/tasks" + self.ending
        with open(path, "w", encoding="utf-8") as file:
            file.write(self.tasks + end)
        process = Process([self.program, path], PYTHONPATH=CLIENTS + "/python")
        self.addCleanup(process.close)
        return process

    def test_of_two_that_were_forked_before_the_first_serves_and_the_other_says_whose_it_is(self):
        process = self.start(self.prefork)
        pids = set()
        for n in range(30):
            answer, pid = process.execute("echo", n)[0]["result"]
            self.assertEqual(answer, n)
            pids.add(pid)
        self.assertEqual(len(pids), 1)
        end = time.monotonic() + 30
        while "already" not in process.printed() and time.monotonic() < end:
            time.sleep(0.02)
        self.assertIn(f"process {pids.pop()} serves this worker already", process.printed())
        process.say_no_more()
        self.assertEqual(process.ended(), 0)
        self.assertIsNone(process.read())

    def test_a_child_ends_with_the_code_that_its_language_gives_and_the_parent_answers(self):
        process = self.start(self.serve)
        for what, code in (("returns", 0), ("exits", 7), ("raises", 1)) * 2:
            run = process.give("forks", json.dumps(what))
            self.assertEqual(process.answer(run), [{"type": "completed", "id": run["id"], "result": code}], what)
        self.assertIn("from the child", process.printed())

    def test_a_child_that_ends_after_its_parents_answer_says_nothing(self):
        process = self.start(self.serve)
        for task in ("lasting", "daemon") * 2:
            self.assertEqual(process.execute(task)[0].get("result"), "once", task)
        time.sleep(0.6)  # nothing is to come
        for n in range(3):
            self.assertEqual(process.execute("echo", n)[0]["result"][0], n)

    def test_a_process_that_ends_or_becomes_another_in_a_run_says_no_more(self):
        for task in ("leaves", "becomes"):
            process = self.start(self.serve)
            process.give(task)
            self.assertIsNone(process.read(), task)
            process.ended()


class Python(Forking, unittest.TestCase):
    program, ending, tasks = "/usr/bin/python3", ".py", PYTHON
    serve = "serve()\n"
    prefork = """
children = []
for _ in range(2):
    pid = os.fork()
    if pid == 0:
        serve()
        sys.exit()
    children.append(pid)
for pid in children: os.waitpid(pid, 0)
"""


class Ruby(Forking, unittest.TestCase):
    program, ending, tasks = "/usr/bin/ruby", ".rb", RUBY
    serve = "Dormouse.serve\n"
    prefork = "2.times { fork { Dormouse.serve } }\nProcess.waitall\n"


class Php(Forking, unittest.TestCase):
    program, ending, tasks = "/usr/bin/php", ".php", PHP
    serve = "dormouse\\serve();\n"
    prefork = """
for ($i = 0; $i < 2; $i++) {
    if (pcntl_fork() === 0) {
        dormouse\\serve();
        exit;
    }
}
while (pcntl_wait($status) > 0);
"""


@unittest.skipUnless(shutil.which("node"), "no node")
class Node(unittest.TestCase):
    def run_alone(self, end):
        """What it says to the worker and on stderr until it is over."""
        with tempfile.TemporaryDirectory() as directory:
            path = directory + "/tasks.js"
            with open(path, "w", encoding="utf-8") as file:
                file.write(NODE + end)
            process = Process(["node", path])
            try:
                said = process.execute("echo", 1)[0]["result"][0] if process.hello else None
                end = time.monotonic() + 30
                while process.hello and not process.printed() and time.monotonic() < end:
                    time.sleep(0.02)
                process.say_no_more()
                process.ended()
                return said, process.printed()
            finally:
                process.close()

    def test_cluster_and_fork_are_refused_where_they_serve_too(self):
        for module, start in (("cluster", "cluster.isPrimary ? cluster.fork().on('exit', (code) => console.log('it left', code)) : serve();"),
                              ("child_process", "process.send ? serve() : child_process.fork(__filename).on('exit', (code) => console.log('it left', code));")):
            said, printed = self.run_alone(f"const {module} = require('node:{module}');\n{start}\n")
            self.assertIsNone(said)
            self.assertRegex(printed, r"process \d+ has started this one \(\d+\), by child_process or cluster")
            self.assertIn("it left 1", printed)

    def test_the_primary_serves_beside_what_it_has_forked(self):
        said, printed = self.run_alone("const cluster = require('node:cluster');\n"
                                       "if (cluster.isPrimary) cluster.fork();\nserve();\n")
        self.assertEqual(said, 1)
        self.assertIn("by child_process or cluster", printed)

    def test_a_worker_thread_does_not_serve(self):
        said, printed = self.run_alone("const { Worker, isMainThread } = require('node:worker_threads');\n"
                                       "if (isMainThread) new Worker(__filename).on('error', (error) => console.log(error.message));\nserve();\n")
        self.assertEqual(said, 1)
        self.assertIn("serve() is called in a worker thread", printed)


for missing in [name for name, program in (("Ruby", "/usr/bin/ruby"), ("Php", "/usr/bin/php")) if not os.access(program, os.X_OK)]:
    print(f"SKIPPED: {missing} is not on this machine")
    del globals()[missing]

if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=2)
