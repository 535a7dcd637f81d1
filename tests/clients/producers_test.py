"""dormouse.enqueue() and the like on a real Postgres: the cases of producer_cases.json on each driver."""

import dataclasses
import datetime
import decimal
import json
import os
import unittest
import uuid

from bell import Bell
from producer_drivers import ALL, psycopg, psycopg2  # first: skips

import psycopg.types.json
import psycopg2.extras

import dormouse

with open(os.path.dirname(os.path.abspath(__file__)) + "/producer_cases.json", encoding="utf-8") as file:
    CASES = json.load(file)
EYE = psycopg.connect("", autocommit=True)  # sees what is committed
BELL = Bell("default")
STORED = """SELECT json_build_object('task', task, 'payload', payload, 'queue', queue, 'priority', priority, 'key', key, 'timeout_ms', timeout_ms,
    'max_attempts', max_attempts, 'traceparent', traceparent, 'delay_ms', round(extract(epoch FROM run_at - created_at) * 1000),
    'run_at', to_char(run_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS')) FROM dormouse.runs WHERE id = %s"""


def made(value):
    """A value of the file as Python has it."""
    if isinstance(value, dict) and "$repeat" in value:
        return [value["$repeat"]] * value["times"] if value.get("each") else value["$repeat"] * value["times"]
    if isinstance(value, dict) and "$time" in value:
        return datetime.datetime.fromisoformat(value["$time"])
    if isinstance(value, dict):
        return {name: made(one) for name, one in value.items()}
    return [made(one) for one in value] if isinstance(value, list) else value


@dataclasses.dataclass
class Picture:
    file: str
    sizes: "list[int]"


LOOP = {}
LOOP["self"] = LOOP
KINDS = {
    "a set of 1": {1}, "the bytes 1, 2, 255": b"\1\2\xff", "the integer 2^64": 2**64, "the decimal 1.10": decimal.Decimal("1.10"),
    "the time 2031-03-01 08:00 in UTC": datetime.datetime(2031, 3, 1, 8, tzinfo=datetime.timezone.utc),
    "a uuid": uuid.UUID("01a203aa-64db-726e-88bd-89d26dc6467f"), "a dataclass": Picture("a.png", [1]), "not a number": float("nan"),
    "an object that contains itself": LOOP, "a function": made,
}
WRAPPERS = [psycopg.types.json.Jsonb({"a": 1}), psycopg.types.json.Json({"a": 1}), psycopg2.extras.Json({"a": 1})]


def stored(run):
    row = EYE.execute(STORED, [run]).fetchone()
    return row and row[0]


def runs():
    return EYE.execute("SELECT count(*) FROM dormouse.runs").fetchone()[0]


class Producers:
    """On each driver."""

    def setUp(self):
        EYE.execute("TRUNCATE dormouse.runs, dormouse.keys")
        BELL.rings()
        self.driver = self.kind()

    def on_connection(self, test):
        async def work():
            await self.driver.open()
            try:
                return await test(self.driver)
            finally:
                while self.driver.blocks:
                    await self.driver.rollback()
                await self.driver.close()

        return self.driver.run(work())

    async def refused(self, words, function, *arguments, **options):
        try:
            await self.driver.alone(function, *arguments, **options)
        except (ValueError, TypeError, LookupError, TimeoutError, dormouse.BadPayload) as error:
            for word in words:
                self.assertIn(word.lower(), str(error).lower())
        else:
            self.fail("was not refused")

    def test_what_is_enqueued_is_stored_or_refused(self):
        async def test(driver):
            for case in CASES["enqueue"]:
                with self.subTest(case["name"]):
                    given = [made(case["task"])] + ([made(case["payload"])] if "payload" in case else [])
                    before = runs()
                    if "refused" in case:
                        await self.refused(case["refused"], dormouse.enqueue, *given, **made(case.get("options", {})))
                        self.assertEqual(runs(), before)
                        continue
                    run = await driver.alone(dormouse.enqueue, *given, **made(case.get("options", {})))
                    self.assertIs(type(run), uuid.UUID)
                    row = stored(run)
                    self.assertEqual({name: row[name] for name in case["then"]}, made(case["then"]))

        self.on_connection(test)

    def test_values_of_the_language_have_a_form_or_are_refused(self):
        async def test(driver):
            for case in CASES["kinds"]:
                if "python" not in case.get("languages", ["python"]):
                    continue
                for value in WRAPPERS if "wrapper" in case["kind"] else [KINDS[case["kind"]]]:
                    with self.subTest(case["kind"]):
                        if "refused" in case:
                            await self.refused(case["refused"], dormouse.enqueue, "work", {"in": value})
                            continue
                        given = value if "wrapper" in case["kind"] else {"in": value}
                        payload = stored(await driver.alone(dormouse.enqueue, "work", given))["payload"]
                        payload = payload if "wrapper" in case["kind"] else payload["in"]
                        wanted = case["is"]["python"] if isinstance(case["is"], dict) and "python" in case["is"] else case["is"]
                        self.assertEqual(payload[: len(wanted)] if case.get("begins") else payload, wanted)

        self.on_connection(test)

    def test_many_are_enqueued_in_their_order(self):
        async def test(driver):
            for case in CASES["many"]:
                with self.subTest(case["name"]):
                    EYE.execute("TRUNCATE dormouse.runs, dormouse.keys")
                    options = {**case.get("options", {}), **({"keys": made(case["keys"])} if "keys" in case else {})}
                    if "refused" in case:
                        await self.refused(case["refused"], dormouse.enqueue_many, "work", made(case["payloads"]), **options)
                        self.assertEqual(runs(), 0)
                        continue
                    ids = await driver.alone(dormouse.enqueue_many, "work", made(case["payloads"]), **options)
                    self.assertEqual(len(ids), len(made(case["payloads"])))
                    self.assertEqual(runs(), case.get("count", len(case.get("stored", []))))
                    for one, other in case.get("same", []):
                        self.assertEqual(ids[one], ids[other])
                    if "stored" in case:
                        self.assertEqual([stored(run)["payload"] for run in dict.fromkeys(ids)], case["stored"])
                    for run in ids if "then" in case else []:
                        self.assertEqual({name: stored(run)[name] for name in case["then"]}, case["then"])

        self.on_connection(test)

    def test_runs_and_rings_come_with_the_commit(self):
        for case in CASES["transactions"]:
            with self.subTest(case["name"]):
                EYE.execute("TRUNCATE dormouse.runs, dormouse.keys")
                self.on_connection(lambda driver, case=case: self.steps(driver, case))
                self.assertEqual(runs(), case["runs"])
                self.assertIn(BELL.rings() - case["rings"], [0, 1] if self.driver.spare and "savepoint" in case["name"] else [0])

    async def steps(self, driver, case):
        for step in case["steps"]:
            if step in ("begin", "commit", "rollback"):
                await getattr(driver, step)()
            elif step == "nothing seen":
                self.assertEqual((runs(), BELL.rings()), (0, 0))
            elif step == "refused":
                try:
                    await driver.call(dormouse.enqueue, "work", "[]")
                    self.fail("was not refused")
                except dormouse.BadPayload:
                    pass
            elif step == "many":
                await driver.call(dormouse.enqueue_many, "work", [1, 2, 3])
            else:
                assert step.startswith("enqueue")
                options = {"enqueue key": {"key": "k"}, "enqueue unrung": {"ring": False}}.get(step, {})
                await (driver.call if driver.blocks else driver.alone)(dormouse.enqueue, "work", 1, **options)

    def test_a_run_is_asked_for_cancelled_and_started_again(self):
        async def test(driver):
            run = await driver.alone(dormouse.enqueue, "work", 1)
            for case in CASES["operations"]:
                with self.subTest(case):
                    function = getattr(dormouse, case["do"])
                    options = {name: case[name] for name in ("reason", "timeout") if name in case}
                    call = driver.call if case["do"] == "wait" else driver.alone
                    if "refused" in case and case["do"] == "wait":
                        try:
                            await call(function, case.get("of", run), **options)
                            self.fail("was not refused")
                        except (TimeoutError, LookupError) as error:
                            self.assertIn(case["refused"][0], str(error))
                    elif "refused" in case:
                        await self.refused(case["refused"], function, case.get("of", run), **options)
                    else:
                        answer = await call(function, case.get("of", run), **options)
                        if "done" in case:
                            self.assertEqual((bool(answer), str(answer).partition(":")[0]), (case["done"], case["text"]))
                        elif case["then"] is None:
                            self.assertIsNone(answer)
                        else:
                            self.assertEqual({name: getattr(answer, name) for name in case["then"]}, case["then"])
            self.assertEqual((await driver.alone(dormouse.result, str(run))).id, run)

        self.on_connection(test)

    def test_to_wait_in_the_transaction_that_enqueues_is_refused(self):
        async def test(driver):
            await driver.begin()
            run = await driver.call(dormouse.enqueue, "work")
            with self.assertRaisesRegex(ValueError, "[Cc]ommit first"):
                await driver.call(dormouse.wait, run)
            await driver.commit()

        self.on_connection(test)

    def test_a_test_sees_what_its_transaction_has_enqueued(self):
        async def test(driver):
            await driver.alone(dormouse.enqueue, "mail", "before")
            await driver.begin()
            await driver.call(dormouse.enqueue, "mail", {"to": 1}, key="k")
            await driver.begin()
            await driver.call(dormouse.enqueue, "work", 2, queue="slow", priority=3, delay=60)
            await driver.commit()
            self.assertEqual([one.payload for one in await driver.call(dormouse.enqueued, task="mail")], [{"to": 1}])
            last = (await driver.call(dormouse.enqueued))[-1]
            self.assertEqual((last.task, last.payload, last.queue, last.priority, last.key), ("work", 2, "slow", 3, None))
            self.assertLess(datetime.datetime.now(datetime.timezone.utc), last.run_at)
            await driver.rollback()
            if driver.autocommits:
                with self.assertRaisesRegex(ValueError, "in none"):
                    await driver.call(dormouse.enqueued)

        self.on_connection(test)

    def test_the_error_of_the_database_is_the_driver_s_own(self):
        EYE.execute("ALTER FUNCTION dormouse.enqueue RENAME TO away")
        self.addCleanup(EYE.execute, "ALTER FUNCTION dormouse.away RENAME TO enqueue")

        async def test(driver):
            with self.assertRaisesRegex(Exception, "dormouse.enqueue.* does not exist"):
                await driver.alone(dormouse.enqueue, "work")

        self.on_connection(test)


for _kind in ALL:
    globals()[_kind.__name__] = type(_kind.__name__, (Producers, unittest.TestCase), {"kind": _kind})


if __name__ == "__main__":
    unittest.main(verbosity=2)
