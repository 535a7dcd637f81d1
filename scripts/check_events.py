#!/usr/bin/python3
"""The names of log events in src/ are those of ARCHITECTURE.md, "Log events", and the other way round; those that people alert on
have a test that asserts them."""
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
# A level that is spelled out, or that of a line; then the name: a literal, or a choice between two.
LOGGED = re.compile(r"(?:log::Level::\w+|log::event\(\w+\.level),\s*([^,]*?),", re.DOTALL)
NAME = re.compile(r'"([a-z_]+)"')
ASSERTED = "tests/postgres/log_events_test.cpp"
ALERTED = """worker_pool_starting tasks_loaded run_dispatched run_completed run_failed run_retry claim_failed database_lost database_back
             worker_pool_signal_received worker_pool_shutting_down worker_pool_stopped idle_exit""".split()

found = []
lines = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8").splitlines()
begin = lines.index("## Log events")
listed = {}
for number, line in enumerate(lines[begin + 3:], begin + 4):
    if line.startswith("## "):
        break
    listed.update((name, number) for name in re.findall(r"`([a-z_]+)`", line))

logged = {}
for path in sorted((ROOT / "src").rglob("*.cpp")):
    text = path.read_text(encoding="utf-8")
    calls = len(re.findall(r"\blog::event\(", text))
    matches = list(LOGGED.finditer(text))
    forwards = len(re.findall(r"\blog::event\(\s*level, event,", text))
    if calls - forwards > len(matches):
        found.append(f"{path.relative_to(ROOT)}:1: an event without a level and a name that stand in the call; spell both out")
    for match in matches:
        where = f"{path.relative_to(ROOT)}:{text.count(chr(10), 0, match.start()) + 1}"
        names = NAME.findall(match[1])
        if not names:
            found.append(f"{where}: the event has no name in the call; spell it out, so that it can be found")
        for name in names:
            logged.setdefault(name, where)

tests = (ROOT / ASSERTED).read_text(encoding="utf-8")
found += [f"{where}: the event {name} is not in ARCHITECTURE.md, Log events; add it there" for name, where in logged.items() if name not in listed]
found += [f"ARCHITECTURE.md:{number}: nobody logs the event {name}; take it out" for name, number in listed.items() if name not in logged]
for name in ALERTED:
    if f'"{name}"' not in tests:
        found.append(f"{ASSERTED}:1: no test asserts the event {name}, which people alert on; add it")
    if name not in listed:
        found.append(f"ARCHITECTURE.md:{begin + 1}: the event {name}, which people alert on, is missing")
print("\n".join(found), end="\n" if found else "")
sys.exit(1 if found else 0)
