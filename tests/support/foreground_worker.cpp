#include "support/foreground_worker.h"

#include <signal.h>

#include <fstream>
#include <stdexcept>
#include <thread>

#include "support/events.h"
#include "support/paths.h"

namespace dormouse::testing {

bool eventually(const std::function<bool()>& happened) {
    const auto end = BootClock::now() + Millis{20'000};
    while (!happened()) {
        if (BootClock::now() > end) return false;
        std::this_thread::sleep_for(Millis{20});
    }
    return true;
}

ForegroundWorker::ForegroundWorker(TestDatabase& database, bool orphan, const std::string& state_directory,
                                   const std::vector<std::string>& arguments)
    : database_(database) {
    const std::string file = directory_.path() + "/front.toml";
    std::ofstream(file) << pool_toml(database.url(), {}, tasks_);
    std::vector<std::string> argv{dormouse_binary, "worker", "front", "--config", file};
    argv.insert(argv.end(), arguments.begin(), arguments.end());
    if (orphan)
        argv.insert(argv.begin(),
                    {"/usr/bin/setsid", "--fork", "/bin/sh", "-c", "\"$@\" </dev/null >/dev/null 2>&1 &", "sh"});
    Program program{argv, {}, {}, {}, Millis{120'000}};
    if (!state_directory.empty()) program.environment["STATE_DIRECTORY"] = state_directory;
    const std::string before = database_.value("SELECT coalesce(max(started_at), '-infinity') FROM dormouse.workers");
    process_ = std::make_unique<Process>(program);
    const auto registered = [&] {
        const std::string pid = database_.value(
            "SELECT pid FROM dormouse.workers WHERE pool = 'front' AND started_at > $1::timestamptz", {before});
        if (!pid.empty()) pid_ = std::stoi(pid);
        return pid_ != 0;
    };
    if (!eventually(registered)) throw std::runtime_error("the worker has not registered itself");
}

ForegroundWorker::~ForegroundWorker() {
    if (pid_ != 0 && pid_ != process_->pid() && process_lives(pid_)) ::kill(pid_, SIGKILL);
}

std::string ForegroundWorker::hold(const std::string& task) {
    const std::size_t before = tasks_.started().size();
    const std::string id = database_.value("SELECT dormouse.enqueue('" + task + "')");
    if (!until_changed(tasks_.directory(), [&] { return tasks_.started().size() > before; }))
        throw std::runtime_error("no handler has started");
    return id;
}

void ForegroundWorker::kill() {
    ::kill(pid_, SIGKILL);
    process_->wait();
}

}  // namespace dormouse::testing
