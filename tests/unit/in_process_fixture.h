// What the tests of in-process handlers share: functions made on the spot, and a loop that is turned until something
// has happened.
#pragma once

#include <boost/test/unit_test.hpp>
#include <condition_variable>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "handlers/in_process.h"
#include "loop/loop.h"
#include "loop/timer.h"

namespace dormouse::handlers::test {

/// Opened once; everybody waits for that.
class Gate {
  public:
    void open() {
        const std::lock_guard lock(mutex_);
        open_ = true;
        opened_.notify_all();
    }
    void wait() {
        std::unique_lock lock(mutex_);
        opened_.wait(lock, [this] { return open_; });
    }
    [[nodiscard]] bool is_open() {
        const std::lock_guard lock(mutex_);
        return open_;
    }

  private:
    std::mutex mutex_;
    std::condition_variable opened_;
    bool open_ = false;
};

inline Outcome completed(std::string result = {}) {
    Outcome outcome;
    outcome.kind = Outcome::completed;
    outcome.result = std::move(result);
    return outcome;
}

/// Blocks until it is asked to stop.
inline void wait_for_stop(InProcessRun& run) {
    Gate stopped;
    const std::stop_callback open(run.stop_token(), [&] { stopped.open(); });
    stopped.wait();
}

class FunctionBench : private RunListener {
  public:
    explicit FunctionBench(Function function, int threads = 4, config::Limits limits = {})
        : ticker_(loop_, "test.ticker"), in_process_(loop_, {{"t", std::move(function)}}) {
        in_process_.configure(threads, limits);
        in_process_.on_return([this](const Uuid& id, const std::string& /*task*/) { returned.push_back(id); });
    }

    Uuid start(std::string payload = "{}", Millis timeout = Millis{0}, std::optional<Uuid> id = {}) {
        RunSpec spec;
        spec.id = id.value_or(Uuid::random());
        spec.task = "t";
        spec.payload = std::move(payload);
        spec.timeout = timeout;
        const Uuid started = spec.id;
        starting_ = true;
        in_process_.start(*in_process_.find("t"), std::move(spec), *this);
        starting_ = false;
        return started;
    }
    template <typename Happened>
    void until(const Happened& happened) {
        constexpr Millis at_most{30'000};
        const auto begin = BootClock::now();
        ticker_.every(Millis{5}, [] {});
        while (!happened() && since(begin) < at_most) loop_.turn();
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
    InProcess& in_process() { return in_process_; }
    loop::Loop& loop() { return loop_; }

    std::map<Uuid, Outcome> outcomes;
    std::vector<std::string> lines;
    std::vector<Progress> progress;
    std::vector<Uuid> returned;

  private:
    void on_line(const Uuid& /*id*/, const Line& line) override { lines.emplace_back(line.text); }
    void on_progress(const Uuid& /*id*/, Progress one) override { progress.push_back(std::move(one)); }
    void on_done(const Uuid& id, Outcome outcome) override {
        BOOST_TEST(!starting_, "on_done was called from inside start()");
        BOOST_TEST(!outcomes.contains(id), "on_done was called twice");
        outcomes[id] = std::move(outcome);
    }

    loop::Loop loop_;
    loop::Timer ticker_;
    bool starting_ = false;
    InProcess in_process_;
};

}  // namespace dormouse::handlers::test
