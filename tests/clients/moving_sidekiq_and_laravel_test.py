"""docs/moving/from-sidekiq-and-laravel.md, as it is written. The drivers of the producers are stand-ins that send their statements through psql."""

import os
import shutil
import socket
import sys
import unittest

for program in ("ruby", "php"):
    if not shutil.which(program):
        print(f"SKIPPED: there is no {program} (Debian packages ruby, php-cli)")
        sys.exit(77)

from moving import Blocks, Page, psql

RUBY = """
require 'open3'
require_relative 'enqueue'
class Pg
  def exec_params(sql, given)
    given.each_with_index { |one, at| sql = sql.sub("$#{at + 1}") { "'" + one.gsub("'", "''") + "'" } }
    [{ 'id' => Open3.capture2('psql', '-XAtqc', sql)[0].strip }]
  end
end
puts enqueue(Pg.new, 'charge', { order: 17, amount: 500, note: "it's" }), ring, ring('nowhere')
"""
PHP = """<?php
require __DIR__ . '/enqueue.php';
class Pdo_ {
    private $sql; private $given;
    public function prepare($sql) { $this->sql = $sql; return $this; }
    public function execute($given) { $this->given = $given; }
    public function fetchColumn() {
        foreach ($this->given as $one) {
            $this->sql = preg_replace('/\\\\?/', addcslashes("'" . str_replace("'", "''", $one) . "'", '\\\\$'), $this->sql, 1);
        }
        return trim(shell_exec('psql -XAtqc ' . escapeshellarg($this->sql)));
    }
}
echo enqueue(new Pdo_(), 'podcast', ['times' => 1]), "\\n", var_export(ring(), true), "\\n", var_export(ring('nowhere'), true), "\\n";
"""


class FromSidekiqAndLaravel(Blocks, Page):
    name = "from-sidekiq-and-laravel"

    def setUp(self):
        super().setUp()
        self.app_env()
        for name in ("/srv/app/enqueue.rb", "/srv/app/enqueue.php"):
            self.write(name, self.read(name).replace("/run/dormouse/", self.root + "/run/"))
        os.mkdir(self.path("/run"))
        self.bell = socket.socket(socket.AF_UNIX)
        self.addCleanup(self.bell.close)
        self.bell.bind(self.path("/run/default.sock"))
        self.bell.listen()
        self.bell.settimeout(10)

    def told(self, task):
        return psql(f"SELECT string_agg(l.text, ' ') FROM dormouse.runs r, dormouse.logs l WHERE l.run_id = r.id AND r.task = '{task}'")

    def test_what_ruby_and_php_enqueue_is_executed_and_the_pool_is_rung(self):
        self.write("/srv/app/old_ruby.rb", RUBY)
        self.write("/srv/app/old_php.php", PHP)
        for command, task in ((("ruby", "old_ruby.rb"), "charge"), (("php", "old_php.php"), "podcast")):
            run, *rung = self.run_here(*command).split()
            self.assertEqual(rung, ["true", "false"])
            self.bell.accept()[0].close()
            self.assertEqual(psql(f"SELECT task FROM dormouse.runs WHERE id = '{run}'"), task)
        self.drain()
        self.assertEqual(psql("SELECT result FROM dormouse.runs ORDER BY task"), '{"charged": 500}\n1')

    def test_the_statements(self):
        psql(self.blocks["enqueue.sql"])
        psql("UPDATE dormouse.runs SET run_at = now()")
        self.drain()
        self.assertEqual(psql("SELECT payload, status, run_at > now() + interval '5 min' FROM dormouse.runs WHERE task = 'podcast' ORDER BY id"),
                         '{"times": 3}|completed|f\n{"times": 2}|queued|t')

    def test_the_last_retry_is_told_as_what_it_was_raised_from(self):
        toml = self.read("/etc/dormouse/default.toml")
        psql("SELECT dormouse.enqueue('charge', '{\"order\": 17, \"amount\": 5000}')")
        self.drain()
        self.assertEqual(psql("SELECT status, attempts, max_attempts, error ->> 'class', run_at > now() + interval '5 s' FROM dormouse.runs"), "retry|1||Retry|t")
        self.write("/etc/dormouse/default.toml", toml.replace("max_attempts = 9", "max_attempts = 2"))
        psql("UPDATE dormouse.runs SET run_at = now()")
        self.drain()
        self.assertEqual(psql("SELECT status, attempts, error ->> 'class' FROM dormouse.runs WHERE task = 'charge'"), "failed|2|BankIsBusy")
        self.assertIn("charge: BankIsBusy: code 503", self.told("charge_failed"))

    def test_what_times_out_fails_at_once_with_one_attempt(self):
        self.write("/etc/dormouse/default.toml", self.read("/etc/dormouse/default.toml").replace("2min", "500ms"))
        self.write("/srv/app/tasks.php", self.read("/srv/app/tasks.php").replace("if ($payload", "sleep(60);\n    if ($payload"))
        psql("SELECT dormouse.enqueue('podcast', '{\"times\": 3}')")
        self.drain()
        self.assertEqual(psql("SELECT status, attempts, error ->> 'class' FROM dormouse.runs WHERE task = 'podcast'"), "failed|1|timeout")
        self.assertIn("podcast: timeout: ", self.told("podcast_failed"))

    def test_by_hand(self):
        self.assertEqual(self.run_here("ruby", "tasks.rb", "--run", "charge", '{"order": 17, "amount": 500}'), '{"charged":500}\n')


if __name__ == "__main__":
    unittest.main(verbosity=2)
