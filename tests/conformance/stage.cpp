#include "conformance/stage.h"

#include <unistd.h>

#include <algorithm>
#include <array>

#include "support/paths.h"

namespace dormouse::conformance {

namespace {

constexpr Millis deadline{60'000};
constexpr std::array names{"echo",  "context",  "nothing", "fails",        "fails_for_good", "later",
                           "says",  "sized",    "floods",  "verbose",      "hoards",         "quiet",
                           "waits", "stubborn", "dies",    "says_its_pid", "forks",          "arguments"};
const std::string here = std::string(testing::source_directory) + "/tests/conformance/";
const std::string clients = std::string(testing::source_directory) + "/clients/";

bool has_node() {
    for (const char* path : {"/usr/bin/node", "/usr/local/bin/node"})
        if (::access(path, X_OK) == 0) return true;
    return false;
}

}  // namespace

config::Task task_of(Kind kind, const std::string& name) {
    config::Task task;
    task.name = name;
    switch (kind) {
        case Kind::exec:
            task.command = {"/usr/bin/python3", here + "exec_tasks.py"};
            break;
        case Kind::warm_python:
            task.handler = config::HandlerKind::warm;
            task.command = {"/usr/bin/env", "PYTHONDONTWRITEBYTECODE=1", "PYTHONPATH=" + clients + "python",
                            "/usr/bin/python3", here + "warm_tasks.py"};
            break;
        case Kind::warm_node:
            task.handler = config::HandlerKind::warm;
            task.command = {"node", here + "warm_tasks.js", clients + "node/dormouse.js"};
            break;
        case Kind::in_process:
            task.handler = config::HandlerKind::in_process;
            break;
    }
    return task;
}

std::ostream& operator<<(std::ostream& out, Kind kind) {
    constexpr std::array texts{"exec", "warm_python", "warm_node", "in_process"};
    return out << texts.at(static_cast<std::size_t>(kind));
}

std::vector<Kind> kinds() {
    std::vector<Kind> all = process_kinds();
    all.push_back(Kind::in_process);
    return all;
}

std::vector<Kind> process_kinds() {
    std::vector<Kind> all{Kind::exec, Kind::warm_python};
    if (has_node()) all.push_back(Kind::warm_node);
    return all;
}

bool Heard::has_line(handlers::Level level, const std::string& text) const {
    return std::any_of(lines.begin(), lines.end(),
                       [&](const auto& line) { return line.first == level && line.second == text; });
}

Stage::Stage(Kind kind, config::Limits limits, const std::vector<std::string>& arguments)
    : ticker_(loop_, "test.ticker") {
    for (const char* name : names) tasks_[name] = task_of(kind, name);
    auto& command = tasks_["arguments"].command;
    command.insert(command.end(), arguments.begin(), arguments.end());
    in_process_ =
        std::make_unique<handlers::InProcess>(loop_, kind == Kind::in_process ? functions() : handlers::Functions{});
    in_process_->configure(4, limits);
    handlers_ = std::make_unique<handlers::Handlers>(loop_, tasks_, limits, handlers::RunCgroups("/nowhere"),
                                                     in_process_.get());
}

Uuid Stage::start(const std::string& task, std::string payload, Millis timeout) {
    handlers::RunSpec spec;
    spec.id = Uuid::random();
    spec.task = task;
    spec.queue = "lane";
    spec.payload = std::move(payload);
    spec.fence = "7:" + spec.id.to_string();
    spec.traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    spec.attempt = 2;
    spec.max_attempts = 5;
    spec.timeout = timeout;
    const Uuid id = spec.id;
    handlers_->find(task)->start(std::move(spec), *this);
    return id;
}

void Stage::stop(const Uuid& id, handlers::StopReason reason, Millis patience) {
    for (const char* name : names) handlers_->find(name)->stop(id, reason, patience);
}

template <typename Happened>
void Stage::until(const Happened& happened) {
    const auto begin = BootClock::now();
    ticker_.every(Millis{10}, [] {});  // a turn that has run a timer still waits for a descriptor
    while (!happened() && since(begin) < deadline) loop_.turn();
    ticker_.stop();
    BOOST_REQUIRE_MESSAGE(happened(), "nothing happened within the deadline");
}

const Heard& Stage::wait(const Uuid& id) {
    until([&] { return heard_[id].outcome.has_value(); });
    return heard_[id];
}

void Stage::until_began(const Uuid& id) {
    until([&] { return heard_[id].has_line(handlers::Level::info, "began"); });
}

const std::string& Stage::until_line(const Uuid& id) {
    until([&] { return !heard_[id].lines.empty(); });
    return heard_[id].lines.front().second;
}

Heard Stage::run(const std::string& task, std::string payload, Millis timeout) {
    return wait(start(task, std::move(payload), timeout));
}

void Stage::close() {
    handlers_.reset();
}

void Stage::on_line(const Uuid& id, const handlers::Line& line) {
    heard_[id].lines.emplace_back(line.level, line.text);
}

void Stage::on_progress(const Uuid& id, handlers::Progress progress) {
    heard_[id].progress.push_back(std::move(progress));
}

void Stage::on_done(const Uuid& id, handlers::Outcome outcome) {
    BOOST_TEST(!heard_[id].outcome.has_value(), "an attempt ended twice");
    heard_[id].outcome = std::move(outcome);
}

}  // namespace dormouse::conformance
