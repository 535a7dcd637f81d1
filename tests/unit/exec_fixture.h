// What the exec tests share: handlers for tasks made on the spot, and a loop that is turned until something
// has happened.
#pragma once

#include <dirent.h>
#include <sys/stat.h>
#include <unistd.h>

#include <boost/test/unit_test.hpp>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <vector>

#include "handlers/proc.h"
#include "handlers/registry.h"
#include "loop/loop.h"

namespace dormouse::handlers::test {

constexpr Millis deadline{30'000};

/// A directory that goes with its test.
class Directory {
  public:
    Directory() {
        std::string pattern = (std::filesystem::temp_directory_path() / "dormouse-exec-XXXXXX").string();
        path_ = ::mkdtemp(pattern.data());
    }
    ~Directory() { std::filesystem::remove_all(path_); }
    Directory(const Directory&) = delete;
    Directory& operator=(const Directory&) = delete;

    [[nodiscard]] std::string operator/(const std::string& name) const { return path_ + "/" + name; }
    std::string write(const std::string& name, const std::string& text, mode_t mode = 0644) const {
        std::ofstream(*this / name, std::ios::binary) << text;
        ::chmod((*this / name).c_str(), mode);
        return *this / name;
    }
    [[nodiscard]] std::string read(const std::string& name) const {
        std::ifstream file(*this / name);
        return {std::istreambuf_iterator<char>(file), {}};
    }

  private:
    std::string path_;
};

inline config::Task task(std::vector<std::string> command) {
    config::Task made;
    made.name = "t";
    made.command = std::move(command);
    return made;
}

inline config::Task shell(const std::string& script) {
    return task({"/bin/sh", "-c", script});
}

/// Handlers for one task named "t", and what they said.
class Bench : private RunListener {
  public:
    explicit Bench(config::Task one, config::Limits limits = {}, RunCgroups cgroups = RunCgroups("/nowhere"))
        : Bench(std::map<std::string, config::Task>{{"t", std::move(one)}}, limits, std::move(cgroups)) {}
    explicit Bench(const std::map<std::string, config::Task>& tasks, config::Limits limits = {},
                   RunCgroups cgroups = RunCgroups("/nowhere"))
        : handlers_(loop_, tasks, limits, std::make_shared<Processes>(loop_, std::move(cgroups))),
          ticker_(loop_, "test.ticker") {}

    Uuid start(std::string payload = "{}", Millis timeout = Millis{0}) {
        RunSpec spec;
        spec.id = Uuid::random();
        spec.task = "t";
        spec.queue = "default";
        spec.payload = std::move(payload);
        spec.fence = std::to_string(++fences_) + ":" + spec.id.to_string();
        spec.timeout = timeout;
        return start(std::move(spec));
    }
    Uuid start(RunSpec spec, const std::string& task = "t") {
        const Uuid id = spec.id;
        starting_ = true;
        handlers_.find(task)->start(std::move(spec), *this);
        starting_ = false;
        return id;
    }
    template <typename Happened>
    void until(const Happened& happened) {
        const auto begin = BootClock::now();
        ticker_.every(Millis{10}, [] {});  // a turn waits for one event
        while (!happened() && since(begin) < deadline) loop_.turn();
        ticker_.stop();
        BOOST_REQUIRE_MESSAGE(happened(), "nothing happened within the deadline");
    }
    Outcome wait(const Uuid& id) {
        until([&] { return outcomes.contains(id); });
        return outcomes.at(id);
    }
    Outcome run(std::string payload = "{}", Millis timeout = Millis{0}) {
        return wait(start(std::move(payload), timeout));
    }

    Handler& handler() { return *handlers_.find("t"); }
    Handlers& handlers() { return handlers_; }
    loop::Loop& loop() { return loop_; }

    std::map<Uuid, Outcome> outcomes;
    std::vector<std::string> lines;

    std::vector<Progress> progress;

  private:
    void on_line(const Uuid& /*id*/, const Line& line) override { lines.emplace_back(line.text); }
    void on_progress(const Uuid& /*id*/, Progress one) override { progress.push_back(std::move(one)); }
    void on_done(const Uuid& id, Outcome outcome) override {
        BOOST_TEST(!starting_, "on_done was called from inside start()");
        BOOST_TEST(!outcomes.contains(id), "on_done was called twice");
        outcomes[id] = std::move(outcome);
    }

    loop::Loop loop_;
    Handlers handlers_;
    loop::Timer ticker_;
    int fences_ = 0;
    bool starting_ = false;
};

inline int open_descriptors() {
    int count = 0;
    DIR* stream = ::opendir("/proc/self/fd");
    while (::readdir(stream) != nullptr) ++count;
    ::closedir(stream);
    return count;
}

/// A pid that a handler wrote into a file.
inline pid_t pid_in(const Directory& directory, const std::string& name) {
    const auto text = directory.read(name);
    BOOST_REQUIRE_MESSAGE(text.ends_with('\n'), "no pid in " + name);
    return std::stoi(text);
}

inline bool is_gone(pid_t pid) {
    return ::kill(pid, 0) != 0 && errno == ESRCH;
}

}  // namespace dormouse::handlers::test
