// What the warm tests share: tasks whose processes are Python scripts that speak the protocol by hand.
#pragma once

#include "exec_fixture.h"

namespace dormouse::handlers::test {

/// What every script begins with: `say(...)` writes a message, `hear()` reads one, `serve(answer)` says hello and
/// answers all runs.
inline const std::string prelude = R"(
import json, os, signal, socket, sys, threading, time
door = socket.socket(fileno=int(os.environ["DORMOUSE_CONTROL_FD"]))
ear = door.makefile("r", encoding="utf-8")
def say(**message): door.sendall((json.dumps(message) + "\n").encode())
def hello(tasks=("t", "u"), concurrency=1, **more):
    say(type="hello", protocol=1, tasks=tasks, concurrency=concurrency, client="test", **more)
def hear():
    line = ear.readline()
    return json.loads(line) if line else None
def done(message, result=None): say(type="completed", id=message["id"], result=result)
def mark(name):
    with open(os.path.join(os.path.dirname(sys.argv[0]), name), "a") as file: file.write(f"{os.getpid()}\n")
def serve(answer, **more):
    hello(**more)
    for line in ear: answer(json.loads(line))
)";

/// One directory with a script, and handlers for two tasks, t and u, that share its processes.
struct WarmScene {
    explicit WarmScene(const std::string& script, const std::function<void(config::Task&)>& change = {},
                       config::Limits limits = {})
        : bench(made(script, change), limits) {}

    config::Task made(const std::string& script, const std::function<void(config::Task&)>& change) {
        directory.write("script.py", prelude + script);
        auto one = task({"/usr/bin/python3", "-S", "-E", directory / "script.py"});
        one.handler = config::HandlerKind::warm;
        if (change) change(one);
        return one;
    }
    /// The pids that scripts have written with mark().
    std::vector<pid_t> marks(const std::string& name) const {
        std::vector<pid_t> pids;
        std::ifstream file(directory / name);
        for (pid_t pid = 0; file >> pid;) pids.push_back(pid);
        return pids;
    }
    void until_marks(const std::string& name, std::size_t count) {
        bench.until([&] { return marks(name).size() >= count; });
    }

    Directory directory;
    Bench bench;
};

inline int number(Outcome::Kind kind) {
    return static_cast<int>(kind);
}
inline int kind(const Outcome& outcome) {
    return number(outcome.kind);
}

}  // namespace dormouse::handlers::test
