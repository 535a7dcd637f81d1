#include "support/logged_worker.h"

#include <algorithm>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <iomanip>
#include <sstream>

#include "support/foreground_worker.h"
#include "support/paths.h"

namespace dormouse::testing {
namespace {

/// "2026-01-02T03:04:05.678+0000 warning name: text"; anything else has no name.
LoggedEvent parse(const std::string& line) {
    LoggedEvent event{};
    std::tm time{};
    std::istringstream words(line);
    char point = 0;
    int milliseconds = 0;
    std::string zone;
    words >> std::get_time(&time, "%Y-%m-%dT%H:%M:%S") >> point >> milliseconds >> zone >> event.level >> event.name;
    if (!words || !event.name.ends_with(":")) return {};
    event.at = Millis{static_cast<Millis::rep>(::timegm(&time)) * 1'000 + milliseconds};
    event.name.pop_back();
    std::getline(words >> std::ws, event.text);
    return event;
}

}  // namespace

LoggedWorker::LoggedWorker(const std::string& url, const PoolBenchOptions& options,
                           std::map<std::string, std::string> environment, std::vector<std::string> arguments,
                           const std::string& before) {
    configure(url, options);
    std::vector<std::string> argv{"/bin/sh",
                                  "-c",
                                  before + " && exec \"$@\" 2>" + directory_.path() + "/log",
                                  "sh",
                                  dormouse_binary,
                                  "worker",
                                  "logged",
                                  "--config",
                                  file(),
                                  "--verbose"};
    argv.insert(argv.end(), arguments.begin(), arguments.end());
    process_ = std::make_unique<Process>(Program{argv, {}, std::move(environment), {}, Millis{240'000}});
}

void LoggedWorker::configure(const std::string& url, const PoolBenchOptions& options) const {
    std::ofstream(file() + ".new") << pool_toml(url, options, tasks_);
    std::filesystem::rename(file() + ".new", file());
}

std::vector<LoggedEvent> LoggedWorker::events() const {
    std::vector<LoggedEvent> found;
    std::istringstream lines(log());
    for (std::string line; std::getline(lines, line) && !lines.eof();)  // the last one may be half written
        if (LoggedEvent event = parse(line); !event.name.empty()) found.push_back(std::move(event));
    return found;
}

std::vector<LoggedEvent> LoggedWorker::all(const std::string& name) const {
    auto found = events();
    std::erase_if(found, [&](const LoggedEvent& event) { return event.name != name; });
    return found;
}

std::vector<LoggedEvent> LoggedWorker::said(const std::string& name) const {
    auto found = all(name);
    std::erase_if(found, [](const LoggedEvent& event) { return event.level == "debug"; });
    return found;
}

bool LoggedWorker::until_said(const std::string& name, std::size_t times) const {
    return eventually([&] { return said(name).size() >= times; });
}

std::string LoggedWorker::log() const {
    std::ostringstream text;
    text << std::ifstream(directory_.path() + "/log").rdbuf();
    return text.str();
}

}  // namespace dormouse::testing
