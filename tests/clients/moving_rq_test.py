"""docs/moving/from-rq.md, as it is written."""

import asyncio
import json
import socket
import sys
import threading
import unittest

try:
    import psycopg
    from aiosmtpd.smtp import SMTP
except ImportError as missing:
    print(f"SKIPPED: {missing} (Debian packages python3-psycopg, python3-aiosmtpd)")
    sys.exit(77)

import dormouse
from moving import URL, Blocks, Page, psql, serving


class Mails:
    def __init__(self):
        self.subjects = []

    async def handle_DATA(self, server, session, envelope):
        self.subjects.append([line for line in envelope.content.decode().splitlines() if line.startswith("Subject")])
        return "250 taken"


class FromRq(Blocks, Page):
    name = "from-rq"

    def test_the_callers_runs_are_executed_with_the_pauses_that_they_had(self):
        url = serving(self, lambda request, nth: (503, "") if nth == 1 else (200, "three words here"))
        self.write("/srv/app/caller.py", self.read("/srv/app/caller.py").replace("http://127.0.0.1:8000/", url))
        self.app_env()
        self.start()
        self.assertRegex(self.run_here("/usr/bin/python3", "caller.py"), "^[0-9a-f-]{36} 3\n$")
        self.assertEqual(psql("SELECT attempts, queue FROM dormouse.runs WHERE task = 'count_words'"), "2|high")
        self.assertEqual(psql("SELECT status, run_at - created_at FROM dormouse.runs WHERE task = 'send_mail'"), "queued|00:10:00")

    def test_mails_are_sent_and_what_fails_fails_for_good(self):
        mails = Mails()
        loop = asyncio.new_event_loop()
        server = loop.run_until_complete(loop.create_server(lambda: SMTP(mails), "127.0.0.1", 0))
        thread = threading.Thread(target=loop.run_forever)
        thread.start()
        self.addCleanup(thread.join)
        self.addCleanup(loop.call_soon_threadsafe, loop.stop)
        port = server.sockets[0].getsockname()[1]
        self.app_env()
        for to in (port, 1):
            psql(f"SELECT dormouse.enqueue('send_mail', '{json.dumps({'to': 'you@example.org', 'subject': 'S', 'host': '127.0.0.1', 'port': to})}')")
        self.drain()
        self.assertEqual((mails.subjects, self.status("send_mail")), ([["Subject: S"]], "completed,failed"))
        self.assertEqual(psql("SELECT sum(attempts) FROM dormouse.runs"), "2")

    def test_one_that_takes_too_long_has_failed_for_good_too(self):
        silent = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(silent.close)
        self.write("/etc/dormouse/default.toml", self.read("/etc/dormouse/default.toml").replace('"2min"', '"1s"'))
        self.app_env()
        psql(f"SELECT dormouse.enqueue('send_mail', '{json.dumps({'to': 'you@example.org', 'subject': 'S', 'host': '127.0.0.1', 'port': silent.getsockname()[1]})}')")
        self.drain()
        self.assertEqual(psql("SELECT status, attempts, error ->> 'class' FROM dormouse.runs"), "failed|1|timeout")

    def test_a_function_in_place_of_a_name_is_told_what_to_do(self):
        with psycopg.connect(URL) as conn, self.assertRaisesRegex(TypeError, r"the name of its task; a function below @task has \.enqueue\(conn, payload\)"):
            dormouse.enqueue(conn, print, "payload")

    def test_one_after_another(self):
        self.app_env()
        tables = "".join(f'[task.{name}]\nhandler = "warm"\ncommand = ["/usr/bin/python3", "{self.path("/srv/app/more.py")}"]\nenvironment_file = "{self.path("/etc/app.env")}"\n'
                         for name in ("fetch", "count", "poll"))
        self.write("/etc/dormouse/default.toml", f'[database]\nurl = "{URL}"\n{tables}')
        psql("SELECT dormouse.enqueue('fetch', '{\"url\": \"x\"}'), dormouse.enqueue('poll', '{\"times\": 3}')")
        self.drain()
        self.assertEqual(psql("SELECT status, result FROM dormouse.runs WHERE task = 'count'"), "completed|4")
        self.assertEqual(psql("SELECT payload, status, run_at > now() + interval '30 s' FROM dormouse.runs WHERE task = 'poll' ORDER BY id"),
                         '{"times": 3}|completed|f\n{"times": 2}|queued|t')

    def test_an_option_of_rq_is_told_what_it_is_here(self):
        with psycopg.connect(URL) as conn:
            for given, told in (({"job_timeout": 5}, "timeout"), ({"job_id": "x"}, "key"), ({"at_front": True}, "priority=-10"), ({"retry": 3}, "max_attempts, the first"),
                                ({"depends_on": "x"}, "docs/moving/flows.md"), ({"on_failure": print}, "on_failure in the task's table"), ({"result_ttl": 5}, r"finished in \[retention\]")):
                for call in (dormouse.enqueue, dormouse.enqueue_many):
                    with self.assertRaisesRegex(TypeError, rf"{call.__name__}\(\) has no {list(given)[0]}=; here it is {told}.*It has keys?, run_at"):
                        call(conn, "x", [], **given)
            self.assertRaisesRegex(TypeError, r"has no of_no_queue=\. It has key", dormouse.enqueue, conn, "x", of_no_queue=1)

    def test_by_hand(self):
        url = serving(self, lambda request, nth: (200, "two words"))
        self.assertEqual(self.run_here("/usr/bin/python3", "tasks.py", "--run", "count_words", json.dumps({"url": url})), "2\n")


if __name__ == "__main__":
    unittest.main(verbosity=2)
