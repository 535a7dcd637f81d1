#!/usr/bin/python3
"""The gate lets through what is as it was, and nothing that is worse, on histories that are made up."""
import json
import pathlib
import subprocess
import sys
import tempfile
import unittest

HERE = pathlib.Path(__file__).parent
LINE = {"date": "2026-01-01", "commit": "abc", "machine": "2 × X", "bench": "claims", "measure": "time", "better": "less", "ratio": 1.0}


class History(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.directory = pathlib.Path(directory.name)
        self.history = self.directory / "history"

    def program(self, *arguments):
        return subprocess.run([sys.executable, HERE / "history.py", *arguments], capture_output=True, text=True, check=False)

    def gate(self, *ratios, **others):
        """Of one measure with these ratios, one after the other."""
        with open(self.history, "a", encoding="utf-8") as file:
            for ratio in ratios:
                file.write(json.dumps({**LINE, **others, "ratio": ratio}) + "\n")
        return self.program("gate", self.history)


class Gate(History):
    def test_what_is_as_it_was_or_better_goes_through(self):
        for ratios in ([], [1.0], [1.0, 1.14], [1.0, 1.2, 1.1, 1.25], [1.0, 0.2]):
            self.history.unlink(missing_ok=True)
            self.assertEqual(self.gate(*ratios).returncode, 0, ratios)

    def test_what_is_worse_than_the_median_does_not_and_is_named(self):
        ended = self.gate(1.0, 0.9, 1.3, 1.17)
        self.assertEqual(ended.returncode, 1)
        self.assertIn("claims: time: 1.17 at abc (2026-01-01), 17% worse than 1, the median of 3 before it on 2 × X", ended.stdout)

    def test_of_more_is_better_less_is_worse(self):
        self.assertEqual(self.gate(1.0, 1.3, better="more").returncode, 0)
        self.assertEqual(self.gate(0.84, better="more", measure="rate").returncode, 0)
        self.assertEqual(self.gate(1.0, 0.84, better="more", measure="rate").returncode, 0)
        self.assertEqual(self.gate(0.7, better="more", measure="rate").returncode, 1)

    def test_another_machine_bench_or_measure_is_not_compared(self):
        self.gate(1.0)
        for other in ({"machine": "9 × Y"}, {"bench": "peers"}, {"measure": "buffers"}):
            self.assertEqual(self.gate(3.0, **other).returncode, 0, other)
        self.assertEqual(self.gate(3.0).returncode, 1)

    def test_only_the_last_one_counts(self):
        self.assertEqual(self.gate(1.0, 2.0, 1.0).returncode, 0)

    def test_a_line_that_is_none_is_named(self):
        self.history.write_text(json.dumps(LINE) + "\n{}\n", encoding="utf-8")
        ended = self.program("gate", self.history)
        self.assertEqual(ended.returncode, 1)
        self.assertIn(f"{self.history}:2: not a line of history", ended.stderr)


class Record(History):
    def record(self, load):
        measured = [{"bench": "scale", "date": "2026-01-02T03:04:05", "machine": "2 × X", "load_before": f"{load} 9.0 9.0"}]
        for size, ms in (("small", 1.0), ("large", 1.4)):
            measured.append({"what": "result(id)", "aim": "ratio=1.5 locks=40", "size": size, "ms": ms, "locks": 8})
        (self.directory / "scale.jsonl").write_text("".join(json.dumps(one) + "\n" for one in measured), encoding="utf-8")
        ended = self.program("record", self.directory, self.history)
        self.assertEqual(ended.returncode, 0, ended.stderr)
        return ended.stdout, [json.loads(line) for line in self.history.read_text(encoding="utf-8").splitlines()]

    def test_what_was_measured_is_appended_once_and_gated(self):
        for _ in range(2):
            _, (line,) = self.record(load=0.9)
        line.pop("commit")
        self.assertEqual(line, {"date": "2026-01-02T03:04:05", "machine": "2 × X", "bench": "scale", "measure": "scale: result(id): large to small",
                                "better": "less", "ratio": 1.4})
        self.assertEqual(self.gate().returncode, 0)

    def test_what_a_busy_machine_has_measured_is_not(self):
        said, lines = self.record(load=1.1)
        self.assertEqual(lines, [])
        self.assertIn("scale: not recorded: the load was 1.1 before it", said)


if __name__ == "__main__":
    unittest.main()
