#include "conformance/stage.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <iterator>
#include <sstream>

#include "support/paths.h"

namespace dormouse::conformance {

namespace {

constexpr Millis deadline{60'000};
constexpr std::array names{
    "echo",   "context",      "nothing", "fails",     "fails_for_good", "later",    "says",     "sized",
    "floods", "verbose",      "hoards",  "quiet",     "waits",          "stubborn", "starts",   "divides",
    "dies",   "says_its_pid", "forks",   "arguments", "prints",         "misnames", "shells",   "fails_because",
    "blocks", "has_pid",      "leaves",  "unfit",     "prints_text",    "drops",    "gives_up", "mumbles"};
const std::string here = std::string(testing::source_directory) + "/tests/conformance/";
const std::string clients = std::string(testing::source_directory) + "/clients/";
constexpr const char* go_tasks = DORMOUSE_GO_TASKS;  // the list of kinds is made before main()

/// DORMOUSE_TEST_PYTHON: another one than Debian's.
std::string python() {
    const char* const other = std::getenv("DORMOUSE_TEST_PYTHON");
    return other != nullptr ? other : "/usr/bin/python3";
}

constexpr std::array all{Kind::exec,     Kind::warm_python, Kind::warm_node, Kind::warm_ruby,
                         Kind::warm_php, Kind::warm_go,     Kind::in_process};

/// DORMOUSE_TEST_KINDS, if it is set, has all names that are to be tried.
bool is_wanted(Kind kind) {
    const char* const wanted = std::getenv("DORMOUSE_TEST_KINDS");
    std::ostringstream name;
    name << ' ' << kind << ' ';
    return wanted == nullptr || (" " + std::string(wanted) + " ").find(name.str()) != std::string::npos;
}

bool is_here(Kind kind) {
    if (!is_wanted(kind)) return false;
    const auto there = [](const std::string& path) { return ::access(path.c_str(), X_OK) == 0; };
    switch (kind) {
        case Kind::warm_node:
            return there("/usr/bin/node") || there("/usr/local/bin/node");
        case Kind::warm_ruby:
            return there("/usr/bin/ruby");
        case Kind::warm_php:
            return there("/usr/bin/php");
        case Kind::warm_go:
            return there(go_tasks);  // it was compiled, where there is a Go
        default:
            return true;
    }
}

}  // namespace

config::Task task_of(Kind kind, const std::string& name) {
    config::Task task;
    task.name = name;
    switch (kind) {
        case Kind::exec:
            task.command = {python(), here + "exec_tasks.py"};
            break;
        case Kind::warm_python:
            task.handler = config::HandlerKind::warm;
            task.command = {"/usr/bin/env", "PYTHONDONTWRITEBYTECODE=1", "PYTHONPATH=" + clients + "python", python(),
                            here + "warm_tasks.py"};
            break;
        case Kind::warm_node:
            task.handler = config::HandlerKind::warm;
            task.command = {"node", here + "warm_tasks.js", clients + "node/dormouse.js"};
            break;
        case Kind::warm_ruby:
            task.handler = config::HandlerKind::warm;
            task.command = {"/usr/bin/ruby", here + "warm_tasks.rb", clients + "ruby/dormouse.rb"};
            break;
        case Kind::warm_php:
            task.handler = config::HandlerKind::warm;
            task.command = {"/usr/bin/php", here + "warm_tasks.php", clients + "php/dormouse.php"};
            break;
        case Kind::warm_go:
            task.handler = config::HandlerKind::warm;
            task.command = {go_tasks};
            break;
        case Kind::in_process:
            task.handler = config::HandlerKind::in_process;
            break;
    }
    return task;
}

std::ostream& operator<<(std::ostream& out, Kind kind) {
    constexpr std::array texts{"exec", "warm_python", "warm_node", "warm_ruby", "warm_php", "warm_go", "in_process"};
    return out << texts.at(static_cast<std::size_t>(kind));
}

std::vector<Kind> kinds() {
    std::vector<Kind> here;
    std::copy_if(all.begin(), all.end(), std::back_inserter(here), is_here);
    return here;
}

std::vector<Kind> missing_kinds() {
    std::vector<Kind> missing;
    std::copy_if(all.begin(), all.end(), std::back_inserter(missing), [](Kind kind) { return !is_here(kind); });
    return missing;
}

std::vector<Kind> process_kinds() {
    std::vector<Kind> processes = kinds();
    std::erase(processes, Kind::in_process);
    return processes;
}

std::vector<Kind> client_kinds() {
    std::vector<Kind> clients = process_kinds();
    std::erase(clients, Kind::exec);
    return clients;
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
    handlers_ = std::make_unique<handlers::Handlers>(
        loop_, tasks_, limits, std::make_shared<handlers::Processes>(loop_, handlers::RunCgroups("/nowhere")),
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
    spec.max_attempts = max_attempts;
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

void Stage::until_so(const std::function<bool()>& happened) {
    until(happened);
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
