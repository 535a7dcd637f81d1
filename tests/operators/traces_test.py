"""Spans of attempts as lines of OTLP/JSON: what is in them, and that no file, full or blocked, holds up a run. Run by run.sh."""
import fcntl
import json
import os
import re
import time
import unittest

from foreground import ForegroundCase, eventually

TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
TELL = 'command = ["/bin/sh", "-c", "printf \'\\"%s\\"\' $TRACEPARENT"]'


def attributes(of):
    return {one["key"]: one["value"].get("stringValue", one["value"].get("intValue")) for one in of["attributes"]}


class Traces(ForegroundCase):
    def pool(self, tasks, file=None, traces=True):
        self.spans_file = file or os.path.join(self.directory, "spans.jsonl")
        settings = {"worker": {"idle_exit": '"1h"', "look_exit": '"1h"'}}
        if traces:
            settings["traces"] = {"file": f'"{self.spans_file}"'}
        return self.make_pool(settings, tasks)

    def run_of(self, task, flags="01", trace=True):
        parent = f"00-{TRACE}-{PARENT}-{flags}" if trace else None
        return self.pool_.ask("SELECT dormouse.enqueue(%s, '{}', queue => %s, traceparent => %s)::text", task, self.pool_.name, parent)[0][0]

    def result_of(self, run):
        return self.pool_.ask("SELECT result #>> '{}' FROM dormouse.runs WHERE id = %s::uuid", run)[0][0]

    def requests(self, file=None):
        with open(file or self.spans_file, encoding="utf-8") as lines:
            return [json.loads(line) for line in lines]

    def spans(self, file=None):
        found = []
        for request in self.requests(file):
            self.assertEqual(list(request), ["resourceSpans"])
            for resource in request["resourceSpans"]:
                for scope in resource["scopeSpans"]:
                    found += scope["spans"]
        return found

    def check(self, span):
        """As the fields of opentelemetry/proto/trace/v1/trace.proto are in JSON."""
        self.assertEqual(set(span) - {"parentSpanId", "links"},
                         {"traceId", "spanId", "flags", "name", "kind", "startTimeUnixNano", "endTimeUnixNano", "attributes", "status"})
        self.assertRegex(span["traceId"], "^[0-9a-f]{32}$")
        self.assertRegex(span["spanId"], "^[0-9a-f]{16}$")
        for time_ in (span["startTimeUnixNano"], span["endTimeUnixNano"]):
            self.assertRegex(time_, "^[0-9]{19}$")
            self.assertLess(abs(int(time_) / 1e9 - time.time()), 120)
        self.assertLessEqual(int(span["startTimeUnixNano"]), int(span["endTimeUnixNano"]))
        for one in span["attributes"]:
            self.assertRegex(json.dumps(one), r'^\{"key": "[a-z_.]+", "value": \{"(stringValue|intValue)": ".*"\}\}$')

    def test_a_span_has_the_producer_as_parent_and_link_and_the_handler_gets_the_span(self):
        self.pool({"tell": TELL})
        worker = self.start(environment={"OTEL_SERVICE_NAME": "shop"})
        with_trace, without = self.run_of("tell"), self.run_of("tell", trace=False)
        self.ended(2)
        self.assertEqual(self.end(worker), 0)
        spans = {attributes(span)["dormouse.run.id"]: span for span in self.spans()}
        for span in spans.values():
            self.check(span)
        ours, root = spans[with_trace], spans[without]
        self.assertEqual((ours["name"], ours["kind"], ours["status"]), ("tell", 5, {}))
        self.assertEqual((ours["traceId"], ours["parentSpanId"]), (TRACE, PARENT))
        self.assertEqual([(link["traceId"], link["spanId"]) for link in ours["links"]], [(TRACE, PARENT)])
        self.assertEqual(attributes(ours) | {"x": 1},
                         {"messaging.system": "dormouse", "messaging.operation.type": "process", "messaging.operation.name": "process",
                          "messaging.destination.name": self.pool_.name, "messaging.message.id": with_trace, "dormouse.run.id": with_trace,
                          "dormouse.task": "tell", "dormouse.attempt": "1", "dormouse.outcome": "completed", "process.exit.code": "0", "x": 1})
        self.assertEqual(self.result_of(with_trace), f"00-{TRACE}-{ours['spanId']}-01")
        self.assertEqual(root["traceId"], without.replace("-", ""))
        self.assertNotIn("parentSpanId", root)
        self.assertNotIn("links", root)
        self.assertEqual(self.result_of(without), f"00-{root['traceId']}-{root['spanId']}-01")
        resource = attributes(self.requests()[0]["resourceSpans"][0]["resource"])
        self.assertEqual((resource["service.name"], resource["dormouse.pool"]), ("shop", self.pool_.name))

    def test_a_retry_is_a_trace_of_its_own_with_a_link_to_the_producer_and_each_span_has_its_error(self):
        self.pool({"bad": 'command = ["/bin/sh", "-c", "echo no such invoice >&2; exit 3"]\nmax_attempts = 2\nbackoff = { base = "0s", max = "0s" }'})
        worker = self.start()
        with_trace, without = self.run_of("bad"), self.run_of("bad", trace=False)
        self.ended(2, "failed")
        self.assertEqual(self.end(worker), 0)
        for span in self.spans():
            self.check(span)
            self.assertEqual(span["status"]["code"], 2)
            self.assertIn("no such invoice", span["status"]["message"])
            self.assertEqual((attributes(span)["error.type"], attributes(span)["process.exit.code"]), ("exit", "3"))
        own = without.replace("-", "")
        for run, trace, producer in ((with_trace, TRACE, PARENT), (without, own, own[16:])):
            first, retry = [span for span in self.spans() if attributes(span)["dormouse.run.id"] == run]
            self.assertEqual([(attributes(span)["dormouse.attempt"], attributes(span)["dormouse.outcome"]) for span in (first, retry)],
                             [("1", "retry"), ("2", "failed")])
            self.assertEqual(first["traceId"], trace)
            self.assertNotEqual(retry["traceId"], trace)
            self.assertNotIn("parentSpanId", retry)
            self.assertEqual(retry["links"], [{"traceId": trace, "spanId": producer, "flags": 0x301}])

    def test_a_trace_that_its_producer_does_not_record_has_no_span_here(self):
        self.pool({"tell": TELL})
        worker = self.start()
        run = self.run_of("tell", flags="00")
        self.ended(1)
        self.assertEqual(self.end(worker), 0)
        self.assertEqual(self.result_of(run), f"00-{TRACE}-{PARENT}-00")
        self.assertFalse(os.path.exists(self.spans_file))

    def test_without_traces_the_handler_gets_what_the_producer_gave_and_nothing_is_written(self):
        self.pool({"tell": TELL}, traces=False)
        worker = self.start()
        run = self.run_of("tell")
        self.ended(1)
        self.assertEqual(self.end(worker), 0)
        self.assertEqual(self.result_of(run), f"00-{TRACE}-{PARENT}-01")
        self.assertFalse(os.path.exists(self.spans_file))

    def test_a_disk_that_is_full_costs_spans_and_is_said(self):
        self.pool({"true": 'command = ["/bin/true"]'}, "/dev/full")
        worker = self.start()
        self.enqueue("true", 30)
        self.ended(30)
        self.wait_for(lambda: self.logged("traces"))
        self.enqueue("true", 30)
        self.ended(60)
        self.assertEqual(self.end(worker), 0)
        dropped = [int(re.search(r"(\d+) spans? dropped: /dev/full: No space left on device", line)[1]) for line in self.logged("traces")]
        self.assertEqual(sum(dropped), 60)
        self.assertLessEqual(len(dropped), 2)

    def test_a_fifo_that_nobody_reads_holds_up_nothing_and_its_reader_gets_whole_lines_later(self):
        fifo = os.path.join(self.directory, "fifo")
        os.mkfifo(fifo)
        self.pool({"true": 'command = ["/bin/true"]'}, fifo)
        worker = self.start()
        self.enqueue("true")
        self.ended(1)
        self.wait_for(lambda: self.logged("traces"))
        self.assertIn(f"1 span dropped: {fifo}: nobody reads it", self.logged("traces")[0])
        reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
        self.addCleanup(os.close, reader)
        fcntl.fcntl(reader, fcntl.F_SETPIPE_SZ, 4096)
        self.enqueue("true", 200)
        self.ended(201)
        self.wait_for(lambda: len(self.logged("traces")) == 2)
        self.assertIn("Resource temporarily unavailable", self.logged("traces")[1])
        text, runs = b"", 201
        while not eventually(lambda: "spans are written again" in self.text(), 3) and runs < 211:
            try:
                text += os.read(reader, 1 << 20)
            except BlockingIOError:
                pass
            runs += 1
            self.enqueue("true")
            self.ended(runs)
        lines = (text + os.read(reader, 1 << 20)).split(b"\n")
        self.assertEqual(json.loads(lines[-2])["resourceSpans"][0]["scopeSpans"][0]["spans"][0]["name"], "true")
        self.assertEqual(self.end(worker), 0)

    def test_the_file_may_be_renamed_at_any_time_and_a_line_that_was_cut_spoils_no_other(self):
        self.pool({"true": 'command = ["/bin/true"]'})
        with open(self.spans_file, "w", encoding="utf-8") as file:
            file.write('{"resourceSpans":[{"reso')  # the disk was full here
        worker = self.start()
        self.enqueue("true")
        self.ended(1)
        self.wait_for(lambda: os.path.getsize(self.spans_file) > 100)
        os.rename(self.spans_file, self.spans_file + ".1")
        self.enqueue("true", 20)
        self.ended(21)
        self.assertEqual(self.end(worker), 0)
        with open(self.spans_file + ".1", encoding="utf-8") as file:
            lines = file.read().splitlines()
        self.assertEqual(len(lines), 2)
        self.assertIn("spans", lines[1])
        json.loads(lines[1])
        self.assertEqual(len(self.spans()), 20)
        self.assertEqual(self.logged("traces"), [])


if __name__ == "__main__":
    unittest.main(verbosity=2)
