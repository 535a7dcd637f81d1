"""drive.py --out FILE [options of run.sh]: the rounds of ./dev bench peers; one JSON line for each thing measured."""
import argparse
import json
import os
import pathlib
import re
import subprocess
import sys

import figures
from meter import Stamps, command_of, first_word_after, measured, sql
from subjects import BIN, NODE, PAYLOAD, URL, Ceiling, Dormouse, Graphile, PgBoss, everybody, node, statement_file

SLOW_LIMIT = 15  # seconds for those that would take an hour


def say(text):
    print(text, file=sys.stderr, flush=True)


def load():
    with open("/proc/loadavg", encoding="utf-8") as file:
        return float(file.read().split()[0])


class Bench:
    def __init__(self, options):
        self.options = options
        self.out = open(options.out, "w", encoding="utf-8")

    def write(self, **line):
        self.out.write(json.dumps(line, ensure_ascii=False) + "\n")
        self.out.flush()
        rate = f": {line['runs'] / line['seconds']:,.0f}/s" if line.get("seconds") else ""
        say(f"  {line.get('round', '')} {line['measure']} {line.get('subject', '')}{rate}  load {line.get('load', '')} others {line.get('others', '')}")

    def empty(self, subject):
        sql(f"TRUNCATE {subject.table}")

    def run(self, subject, number, count, measure="run"):
        """Fills the queue, and has the subject work until nothing is left."""
        before = load()
        self.empty(subject)
        command_of(subject.fill(count, self.options.batch))
        sql(f"VACUUM ANALYZE {subject.table}")
        sql("CHECKPOINT")
        lines, costs = measured(subject.run(count, SLOW_LIMIT if subject.slow else 600))
        figure = lines.pop()
        if not subject.slow:
            self.check(subject, count)
        self.write(measure=measure, subject=subject.name, round=number, load=before, queued=count, runs=figure["runs"],
                   seconds=figure["seconds"], first_s=figure.get("first_s"),
                   finished_again=figure.get("finished_again"), **costs,
                   points=[[one["at_s"], one["done"]] for one in lines] if measure == "run" else [])

    def check(self, subject, count):
        if subject.completed is not None:
            found = int(sql(subject.completed))
        else:
            found = count - int(sql(subject.left))
        if found != count:
            sys.exit(f"bench: {subject.name}: {found} of {count} are completed")

    def latency(self, subject, number):
        """One insert after another; from before it is sent to the handler's first statement."""
        before = load()
        self.empty(subject)
        statement, text = subject.statement
        if not isinstance(statement, str):
            statement = subprocess.run([str(word) for word in statement], check=True, capture_output=True, text=True).stdout
        produce = [BIN / "produce", URL, statement_file(statement), "each"]
        count = self.options.inserts * 20 // max(20, subject.pause_ms // 5)
        with Stamps(subject.stamps()) as stamps:
            command_of([*produce, 3, subject.pause_ms, text])
            stamps.wait(3)  # it is awake
            sent = dict(map(int, line.split()) for line in command_of([*produce, count, subject.pause_ms, text]).splitlines())
            started = stamps.wait(3 + count)
        us = [[(acknowledged - at) / 1e3, (started[at] - at) / 1e3] for at, acknowledged in sent.items() if at in started]
        if len(us) < len(sent):
            say(f"  {subject.name}: {len(sent) - len(us)} of {len(sent)} have not started within a minute")
        if not us:
            sys.exit(f"bench: {subject.name}: nothing has started")
        self.write(measure="latency", subject=subject.name, round=number, load=before, missing=len(sent) - len(us), us=us)

    def start(self, number):
        """From the program's start to its LISTEN, a bare one and dormouse's worker in turn."""
        pool = pathlib.Path(os.environ["BENCH_WORK"], "pool.toml")
        pool.write_text(f'[database]\nurl = "{URL}"\n[task.nothing]\nhandler = "exec"\ncommand = ["/bin/true"]\n', encoding="utf-8")
        kinds = {"C and libpq": [BIN / "listener", URL, "dormouse:bench"],
                 "dormouse worker": [BIN / "dormouse", "worker", "bench", "--config", pool]}
        before = load()
        ms = {kind: [] for kind in kinds}
        for _ in range(self.options.starts):
            for kind, command in kinds.items():
                ms[kind].append(first_word_after(command, "listening") * 1e3)
        for kind, values in ms.items():
            self.write(measure="start", subject=kind, round=number, load=before, ms=values)

    def enqueue(self, number):
        """Batches by one session; each product's own call, and dormouse's through libpq and through the peers' client library."""
        count, batch = self.options.count, self.options.batch
        ways = [("dormouse.enqueue_many, libpq", Dormouse("", 1), None),
                ("dormouse.enqueue_many, node-postgres", Dormouse("", 1), node("dormouse.mjs", "fill", count, batch, PAYLOAD))]
        if "--from" in subprocess.run([BIN / "dormouse", "enqueue", "--help"], capture_output=True, text=True, check=True).stdout:
            lines = pathlib.Path(os.environ["BENCH_WORK"], "runs.jsonl")
            lines.write_text(f'{{"task": "nothing", "payload": {PAYLOAD}}}\n' * count, encoding="utf-8")
            ways.append(("dormouse enqueue --from (COPY)", Dormouse("", 1),
                         [BIN / "dormouse", "enqueue", "--from", lines, "--database-url", URL]))
        ways += [(name, subject, None) for name, subject in (("graphile-worker: addJobs", Graphile("tuned")), ("pg-boss: insert", PgBoss("tuned")))
                 if re.search(self.options.only, subject.name)]
        for name, subject, command in ways:
            self.empty(subject)
            sql("CHECKPOINT")
            before = load()
            lines, costs = measured(command or subject.fill(count, batch))
            took = lines[-1].get("seconds", costs["wall_s"]) if lines else costs["wall_s"]
            self.write(measure="enqueue", subject=name, round=number, load=before, runs=count, seconds=took, **costs)

    def rounds(self):
        options = self.options
        self.subjects = [one for one in everybody(options.batch) if re.search(options.only, one.name)]
        about = figures.environment("peers")
        versions = {name: json.loads((NODE / f"node_modules/{name}/package.json").read_text())["version"]
                    for name in ("graphile-worker", "pg-boss", "pg", "node")}
        print("- peers: " + ", ".join(f"{name} {version}" for name, version in versions.items()), flush=True)
        self.write(measure="about", **about, versions=versions, count=options.count, batch=options.batch)
        for subject in {type(one): one for one in self.subjects}.values():
            if subject.prepare:
                command_of(node(*subject.prepare))
        for number in range(1, options.rounds + 1):
            shift = number % max(1, len(self.subjects))
            subjects = self.subjects[shift:] + self.subjects[:shift]  # another one goes first each time
            for measure in options.measures.split(","):
                if measure in ("start", "enqueue"):
                    getattr(self, measure)(number)
                    continue
                for subject in subjects:
                    if measure == "run":
                        self.run(subject, number, options.count)
                    elif measure == "latency" and subject.latency:
                        self.latency(subject, number)
                    elif measure == "backlog" and subject.latency and not subject.slow:
                        for count in (options.count // 10, options.count * 5):
                            self.run(subject, number, count, "backlog")

    def short(self):
        """Seconds, and asserts: nothing is missing and the history says what happened."""
        count, said = 4000, "{\"customer\": \"somebody\"}"
        whole = f"""SELECT count(*) FROM dormouse.runs r JOIN dormouse.attempts a ON a.run_id = r.id
                     WHERE r.status = 'completed' AND r.payload = '{said}' AND r.result = '{said}' AND r.attempts = 1 AND r.error IS NULL
                       AND a.attempt = 1 AND a.outcome = 'completed' AND a.fence IS NOT NULL AND a.worker IS NOT NULL
                       AND r.created_at <= a.started_at AND a.started_at <= a.ended_at"""
        subjects = [Dormouse("dormouse default", "default", "echo"), Dormouse("dormouse tuned", "1000", "echo"),
                    Ceiling("dormouse", 1, 2, 1000, said), Ceiling("dormouse", 2, 1, 300, said), Ceiling("bare", 1, 1, 300)]
        for subject in subjects:
            self.run(subject, 1, count)
            if subject.table == "dormouse.runs" and (found := int(sql(whole))) != count:
                sys.exit(f"bench: {subject.name}: {found} of {count} have their payload, their result and one attempt")
            if (rows := int(sql(f"SELECT count(*) FROM {subject.table}"))) != count:
                sys.exit(f"bench: {subject.name}: {rows} rows are there, {count} were queued")
        say("nothing is missing")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--out")
    parser.add_argument("--short", action="store_true")
    parser.add_argument("--only", default="")
    parser.add_argument("--measures", default="run,latency,start,enqueue,backlog")
    for name, default in (("count", 200_000), ("rounds", 3), ("batch", 1000), ("inserts", 300), ("starts", 20)):
        parser.add_argument(f"--{name}", type=int, default=default)
    bench = Bench(parser.parse_args())
    sql((pathlib.Path(__file__).parent / "bare.sql").read_text(encoding="utf-8"))
    bench.short() if bench.options.short else bench.rounds()


main()
