"""dormouse-alert on real servers: what is sent, what is not sent twice, what is kept, and that nothing of it takes long."""
import json
import os
import stat
import subprocess
import tempfile
import time
import unittest

from servers import PASSWORD, USER, Mail, Silent, Web

ALERT = os.path.join(os.path.dirname(os.environ["DORMOUSE"]), "dormouse-alert")
NOW = int(time.time())


def notice(kind="failed", task="invoice", text="ValueError: no customer", count=1, over=False, fingerprint=None, last=NOW):
    return {"fingerprint": fingerprint or f"{kind}|{task}|{text}", "kind": kind, "task": task, "text": text, "run": "", "count": count,
            "first": NOW, "last": last, "over": over}


class Ways(unittest.TestCase):
    def setUp(self):
        self._directory = tempfile.TemporaryDirectory(prefix="dormouse-alerts.")
        self.addCleanup(self._directory.cleanup)
        self.directory = self._directory.name
        self.state = os.path.join(self.directory, "state")
        os.mkdir(self.state)
        self.environment = {"PATH": os.environ["PATH"], "DORMOUSE_PATHS_RUNTIME_DIRECTORY": self.directory}
        self.secret = self.write("secret", PASSWORD + "\n")

    def write(self, name, text, mode=0o600):
        path = os.path.join(self.directory, name)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        os.chmod(path, mode)
        return path

    def configure(self, **keys):
        self.config = self.write("night.toml", "[alerts]\n" + "".join(f"{key} = {json.dumps(value)}\n" for key, value in keys.items()))

    def web(self):
        web = Web()
        self.addCleanup(web.stop)
        return web

    def mail(self, **options):
        mail = Mail(self.directory, **options)
        self.addCleanup(mail.stop)
        return mail

    def mail_keys(self, mail):
        return {"mail_to": ["ops@example.org"], "smtp_host": "localhost", "smtp_port": mail.port, "smtp_user": USER,
                "smtp_password_file": self.secret, "ca_file": mail.cert}

    def run_alert(self, *arguments, given=""):
        return subprocess.run([ALERT, "--config", self.config, *arguments, "night"], input=given, env=self.environment, text=True,
                              capture_output=True, timeout=60, check=False)

    def call(self, *notices):
        """As the worker calls it."""
        ended = self.run_alert("--state", self.state, given=json.dumps(notices) + "\n")
        self.assertEqual(ended.returncode, 0, ended.stderr + ended.stdout)
        return json.loads(ended.stdout)

    def test_a_mail_goes_over_tls_with_a_login_and_says_what_happened(self):
        mail = self.mail()
        self.configure(**self.mail_keys(mail))
        answer = self.call(notice(count=412, text="ValueError: Kundé fehlt\nTraceback"))
        self.assertEqual(answer["failed"], "")
        self.assertEqual(len(mail.mails), 1)
        message = mail.mails[0]
        self.assertEqual(message.envelope, (USER, ["ops@example.org"]))
        self.assertIn("night: runs of task invoice fail for good, 412 like this: ValueError: Kundé", message["Subject"])
        for part in ("Task:       invoice", "ValueError: Kundé fehlt\nTraceback", "First seen: ", "Last seen:  ", "dormouse retry"):
            self.assertIn(part, message.get_content().replace("\r\n", "\n"))

    def test_no_password_goes_in_clear_or_to_a_stranger_or_into_the_answer(self):
        bare = self.mail(bare=True)
        self.configure(mail_to=["ops@example.org"], smtp_port=bare.port, smtp_user=USER, smtp_password_file=self.secret)
        self.assertNotEqual(self.call(notice())["failed"], "")
        mail = self.mail()
        self.configure(**{**self.mail_keys(mail), "ca_file": "/etc/ssl/certs/ca-certificates.crt"})
        self.assertIn("certificate", self.call(notice())["failed"])
        self.write("secret", "wrong-word\n")
        self.configure(**self.mail_keys(mail))
        answer = self.call(notice())["failed"]
        self.assertNotEqual(answer, "")
        self.assertNotIn("wrong-word", answer)
        self.assertEqual(bare.mails + mail.mails, [])

    def test_a_server_on_this_host_without_a_login_needs_no_tls(self):
        mail = self.mail(bare=True)
        self.configure(mail_to=["ops@example.org"], smtp_port=mail.port)
        self.assertEqual(self.call(notice())["failed"], "")
        self.assertEqual(len(mail.mails), 1)

    def test_the_names_of_old_variables_are_understood(self):
        mail = self.mail()
        self.configure(ca_file=mail.cert)
        self.environment |= {"SMTP_HOST": "localhost", "SMTP_PORT": str(mail.port), "SMTP_USER": USER, "SMTP_PASSWORD": PASSWORD,
                             "EMAIL_FROM": "Night <night@example.org>", "HEARTBEAT_MONITOR_ALERT_EMAIL": "a@example.org,b@example.org"}
        self.assertEqual(self.call(notice())["failed"], "")
        self.assertEqual(mail.mails[0].envelope, ("night@example.org", ["a@example.org", "b@example.org"]))

    def test_a_webhook_gets_json_with_a_text(self):
        web = self.web()
        self.configure(webhook=web.url)
        self.call(notice(count=3))
        post = web.posts[0]
        self.assertIn("night: runs of task invoice fail for good, 3 like this", post["text"])
        self.assertEqual((post["pool"], post["kind"], post["state"], post["count"]), ("night", "failed", "trouble", 3))

    def test_a_server_that_answers_500_gets_it_later_and_nobody_gets_it_twice(self):
        web, mail = self.web(), self.mail()
        self.configure(webhook=web.url, **self.mail_keys(mail))
        web.status = 500
        answer = self.call(notice())
        self.assertIn("HTTP 500", answer["failed"])
        self.assertNotIn("SECRET", answer["failed"])
        self.assertGreater(answer["again_ms"], 0)
        self.assertTrue(os.path.exists(self.state + "/alerts.unsent"))
        pauses = [self.call()["again_ms"] for _ in range(3)]
        self.assertGreater(pauses[-1], answer["again_ms"])
        web.status = 200
        self.assertEqual(self.call()["failed"], "")
        self.call()
        self.assertEqual((len(web.posts), len(mail.mails)), (1, 1))
        self.assertFalse(os.path.exists(self.state + "/alerts.unsent"))

    def test_what_cannot_be_sent_for_long_is_bounded(self):
        web = self.web()
        web.status = 500
        self.configure(webhook=web.url)
        for number in range(10):
            self.call(*(notice(text=f"error {number} {kind}") for kind in range(30)))
        self.assertLess(os.path.getsize(self.state + "/alerts.json"), 300_000)
        web.status = 200
        self.call()
        self.assertLessEqual(len(web.posts), 50)

    def until(self, happened):
        """Asks again and again: each time a program runs. Fails after 20 s."""
        last = time.monotonic() + 20
        while not happened():
            self.assertLess(time.monotonic(), last, "it has not happened")

    def test_a_server_that_hangs_holds_up_neither_the_call_nor_the_other_ways(self):
        silent, web = Silent(), self.web()
        self.addCleanup(silent.stop)
        self.configure(webhook=web.url, mail_to=["ops@example.org"], smtp_port=silent.port, command=["/bin/sleep", "1000"])
        begin = time.monotonic()
        answer = self.call(notice())
        self.assertLess(time.monotonic() - begin, 20)
        self.assertEqual(len(web.posts), 1)
        self.assertIn("mail", answer["failed"])
        self.assertIn("/bin/sleep", answer["failed"])

    def test_of_one_fingerprint_there_is_one_message_and_the_next_counts(self):
        web = self.web()
        self.configure(webhook=web.url)
        for _ in range(5):
            answer = self.call(notice(count=100))
        self.assertEqual(len(web.posts), 1)
        self.assertGreater(answer["again_ms"], 3_000_000)
        self.configure(webhook=web.url, repeat="1s")
        self.call(notice(count=12))
        self.until(lambda: self.call() and len(web.posts) == 2)
        self.assertEqual([post["count"] for post in web.posts], [100, 412])
        self.assertIn("412 like this", web.posts[1]["text"])

    def an_hour_passes(self):
        """For what is remembered: all of it is an hour older."""
        with open(self.state + "/alerts.json", encoding="utf-8") as file:
            book = json.load(file)
        for one in book["troubles"] + book["others"]:
            one["told"] -= 3600
        for one in book["told"]:
            one["at"] -= 3600
        with open(self.state + "/alerts.json", "w", encoding="utf-8") as file:
            json.dump(book, file)

    def test_a_storm_of_kinds_is_ten_messages_of_a_task_within_an_hour_and_one_of_the_others(self):
        web = self.web()
        self.configure(webhook=web.url)
        for call in range(10):
            self.call(*(notice(text=f"no such user {call}x{number}") for number in range(40)))
        self.assertEqual([post["kind"] for post in web.posts], ["failed"] * 10 + ["others"])
        self.assertIn("30 other kinds", web.posts[10]["text"])
        self.assertEqual(web.posts[10]["count"], 30)
        answer = self.call(notice(task="another", text="of another task"))
        self.assertEqual(web.posts[11]["task"], "another")
        self.assertLessEqual(answer["again_ms"], 3_600_000)
        self.an_hour_passes()
        self.call()
        self.assertEqual([post["kind"] for post in web.posts[12:]], ["others"])
        self.assertIn("360 other kinds", web.posts[12]["text"])

    def test_many_tasks_that_fail_are_twenty_messages_within_an_hour_and_one_of_the_others(self):
        web = self.web()
        self.configure(webhook=web.url)
        for call in range(10):
            self.call(*(notice(task=f"task{call}x{number}") for number in range(30)))
        self.assertEqual([post["kind"] for post in web.posts], ["failed"] * 20 + ["others"])
        self.assertIn("10 other kinds", web.posts[20]["text"])

    def test_what_was_told_is_not_told_again_however_many_kinds_come_meanwhile(self):
        web = self.web()
        self.configure(webhook=web.url)
        self.call(notice(text="the first"))
        for call in range(10):
            self.call(notice(text="the first"), *(notice(text=f"other {call} {number}", last=NOW + 1 + call) for number in range(60)))
        self.assertEqual(sum("the first" in post["error"] for post in web.posts if post["kind"] == "failed"), 1)

    def test_a_server_that_speaks_tls_from_the_first_byte_is_465(self):
        if os.getuid() != 0:
            self.skipTest("port 465 is root's")
        mail = self.mail(port=465)
        self.configure(**self.mail_keys(mail))
        self.assertEqual(self.call(notice())["failed"], "")
        self.assertEqual([one.envelope for one in mail.mails], [(USER, ["ops@example.org"])])

    def test_a_recipient_whom_the_server_does_not_know_keeps_it_from_nobody_else(self):
        mail = self.mail()
        mail.unknown = {"gone@example.org"}
        self.configure(**{**self.mail_keys(mail), "mail_to": ["gone@example.org", "ops@example.org"]})
        self.assertEqual(self.call(notice())["failed"], "")
        self.assertEqual([one.envelope[1] for one in mail.mails], [["ops@example.org"]])
        mail.unknown = {"gone@example.org", "ops@example.org"}
        answer = self.call(notice(text="another"))
        self.assertIn("550", answer["failed"])
        self.assertGreater(answer["again_ms"], 0)

    def test_that_it_is_well_again_is_told_once_of_what_was_told(self):
        web = self.web()
        self.configure(webhook=web.url)
        trouble = notice(kind="database", task="", text="connection refused")
        well = notice(kind="database", task="", text="", over=True, fingerprint=trouble["fingerprint"])
        self.call(well)
        self.assertEqual(web.posts, [])
        self.assertEqual(self.call(trouble)["open"], [trouble["fingerprint"]])
        self.assertEqual(self.call(well)["open"], [])
        self.call(well)
        self.assertEqual([post["state"] for post in web.posts], ["trouble", "well"])
        self.assertIn("the database is back", web.posts[1]["text"])

    def test_a_command_gets_json_and_no_secret(self):
        seen = os.path.join(self.directory, "seen")
        tell = self.write("tell", f"#!/bin/sh\nenv >{seen}.env\ncat >{seen}\necho noise\n", 0o755)
        self.configure(command=[tell])
        self.environment |= {"SMTP_PASSWORD": PASSWORD, "DORMOUSE_ALERTS_WEBHOOK": "https://example.org/SECRET", "HOME": "/nowhere",
                             "DATABASE_URL": "postgresql://u:SECRET@h/d", "PGPASSWORD": "SECRET", "API_KEY": "SECRET"}
        self.run_alert("--state", self.state, given=json.dumps([notice()]) + "\n")
        with open(seen, encoding="utf-8") as file:
            self.assertEqual(json.load(file)["task"], "invoice")
        with open(seen + ".env", encoding="utf-8") as file:
            text = file.read()
        self.assertIn("HOME=/nowhere\n", text)
        self.assertNotIn(PASSWORD, text)
        self.assertNotIn("SECRET", text)

    def test_what_a_handler_has_put_in_the_way_of_the_state_silences_nobody(self):
        web = self.web()
        self.configure(webhook=web.url)
        os.mkfifo(os.path.join(self.state, "alerts.json"))
        os.mkfifo(os.path.join(self.state, "alerts.json.new"))
        self.call(notice())
        self.assertEqual(len(web.posts), 1)
        os.mkdir(os.path.join(self.state, "alerts.json.new"))
        self.call(notice(text="another"))
        self.assertEqual(len(web.posts), 2)
        self.write("night.ended", "the worker ended with core-dump\n")
        os.mkfifo(os.path.join(self.state, "alerts.ended"))
        self.assertEqual(self.run_alert("--ended", "--state", self.state).returncode, 0)
        self.assertIn("core-dump", web.posts[2]["text"])

    def test_without_a_state_directory_the_caller_keeps_the_state(self):
        web = self.web()
        self.configure(webhook=web.url)
        given, state = json.dumps([notice()]), ""
        for _ in range(2):
            state = json.dumps(json.loads(self.run_alert(given=given + "\n" + state).stdout)["state"])
        self.assertEqual(len(web.posts), 1)

    def test_a_state_that_is_broken_is_no_reason_to_be_silent(self):
        web = self.web()
        self.configure(webhook=web.url)
        for broken in ("", "{", "[]", '{"troubles":[{}],"waiting":[]}', '{"troubles":7}', "\0\0"):
            with open(self.state + "/alerts.json", "w", encoding="utf-8") as file:
                file.write(broken)
            self.call(notice(text=f"after {len(web.posts)}"))
        self.assertEqual(len(web.posts), 6)

    def test_the_worker_s_death_is_told_once_by_whoever_comes_after_it(self):
        web = self.web()
        self.configure(webhook=web.url)
        self.write("night.ended", "the worker ended with core-dump (killed SEGV), 3 times in a row")
        self.environment["STATE_DIRECTORY"] = self.state
        for _ in range(2):
            self.assertEqual(self.run_alert("--ended").returncode, 0)
        self.assertEqual([post["kind"] for post in web.posts], ["worker"])
        self.assertIn("killed SEGV), 3 times in a row", web.posts[0]["text"])
        web.status = 500
        self.write("night.ended", "again")
        self.configure(webhook=web.url, repeat="1s")
        self.until(lambda: self.run_alert("--ended").returncode == 75)  # the unit tries again

    def test_a_test_says_what_became_of_it_on_each_way(self):
        web, mail = self.web(), self.mail()
        command = [os.environ["DORMOUSE"], "alert", "--test", "night", "--config"]

        def test():
            return subprocess.run([*command, self.config], env=self.environment, text=True, capture_output=True, timeout=60, check=False)

        self.configure(webhook=web.url, **self.mail_keys(mail))
        ended = test()
        self.assertEqual((ended.returncode, len(web.posts), len(mail.mails)), (0, 1, 1), ended.stdout + ended.stderr)
        self.assertIn(f"mail to ops@example.org by localhost:{mail.port}: sent\nwebhook at 127.0.0.1", ended.stdout)
        web.status = 503
        ended = test()
        self.assertEqual((ended.returncode, len(mail.mails)), (14, 2))
        self.assertIn("FAILED: it answered HTTP 503", ended.stdout)
        self.assertNotIn("SECRET", ended.stdout + ended.stderr)
        command.insert(2, "--json")
        told = {one["way"]: (one["sent"], one["error"]) for one in json.loads(test().stdout)["ways"]}
        self.assertEqual(told, {"mail": (True, None), "webhook": (False, "it answered HTTP 503")})
        self.configure()
        self.assertEqual(test().returncode, 9)

    def test_what_it_keeps_is_for_its_account_alone(self):
        self.configure(webhook=self.web().url)
        self.call(notice())
        for name in os.listdir(self.state):
            self.assertEqual(stat.S_IMODE(os.stat(os.path.join(self.state, name)).st_mode), 0o600, name)


if __name__ == "__main__":
    unittest.main(verbosity=2)
