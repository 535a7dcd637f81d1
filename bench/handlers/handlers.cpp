// The Handlers class without a database: keeps so many runs in flight for so long, and prints runs a second and the
// time from start() to on_done() as one JSON line.
//   handlers_bench exec SECONDS IN_FLIGHT [CGROUPS] -- COMMAND …      CGROUPS: where cgroup v2 is mounted; this process
//   is in a
//                                                                     delegated one, and each run then has its own
//   handlers_bench warm SECONDS IN_FLIGHT PROCESSES -- COMMAND …
//   handlers_bench in_process SECONDS IN_FLIGHT
#include <sys/resource.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <unordered_map>
#include <vector>

#include "handlers/in_process.h"
#include "handlers/registry.h"
#include "loop/loop.h"

using namespace dormouse;
using Time = BootClock::time_point;

namespace {

/// Microseconds of CPU: ours, and of the children that have ended.
double used(int who) {
    rusage usage{};
    ::getrusage(who, &usage);
    return static_cast<double>(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1e6 +
           static_cast<double>(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
}

class Driver : public handlers::RunListener {
  public:
    Driver(loop::Loop& loop, handlers::Handler& handler) : loop_(loop), handler_(handler) {}

    void begin(int in_flight, std::chrono::seconds length) {
        start();  // the first one waits for its process to start
        while (waits_.size() == 1 && done_ == 0) loop_.turn();
        done_ = 0;
        took_us_.clear();
        began_ = BootClock::now();
        until_ = began_ + length;
        while (static_cast<int>(waits_.size()) < in_flight) start();
        while (!waits_.empty()) loop_.turn();
        const double seconds = std::chrono::duration<double>(ended_ - began_).count();
        std::sort(took_us_.begin(), took_us_.end());
        std::printf("{\"per_s\": %.1f, \"p50_us\": %.1f, \"p99_us\": %.1f, \"cpu_us\": %.2f}\n", done_ / seconds,
                    at(0.5), at(0.99), (used(RUSAGE_SELF) + used(RUSAGE_CHILDREN)) / done_);
    }

    void on_line(const Uuid& /*id*/, const handlers::Line& line) override {
        std::fprintf(stderr, "%.*s\n", static_cast<int>(line.text.size()), line.text.data());
    }
    void on_progress(const Uuid& /*id*/, handlers::Progress /*progress*/) override {}
    void on_done(const Uuid& id, handlers::Outcome outcome) override {
        if (outcome.kind != handlers::Outcome::completed) {
            std::fprintf(stderr, "a run failed: %s\n", outcome.error_message.c_str());
            std::exit(1);
        }
        ended_ = BootClock::now();
        const auto found = waits_.find(id);
        took_us_.push_back(std::chrono::duration<double, std::micro>(ended_ - found->second).count());
        waits_.erase(found);
        ++done_;
        if (ended_ < until_) start();
    }

  private:
    void start() {
        handlers::RunSpec spec;
        ++numbers_;  // ids come with the runs: they are nothing to be paid for here
        std::memcpy(spec.id.bytes.data() + 8, &numbers_, sizeof numbers_);
        spec.task = "noop";
        spec.queue = "default";
        spec.payload = R"({"image": "album/2026/1.jpeg", "width": 1024})";
        spec.fence = "1:" + spec.id.to_string();
        spec.timeout = Millis{3'600'000};
        waits_[spec.id] = BootClock::now();
        handler_.start(std::move(spec), *this);
    }
    [[nodiscard]] double at(double share) const {
        return took_us_.at(static_cast<std::size_t>(share * static_cast<double>(took_us_.size() - 1)));
    }

    loop::Loop& loop_;
    handlers::Handler& handler_;
    std::unordered_map<Uuid, Time> waits_;
    std::vector<double> took_us_;
    Time began_{};
    Time until_{};
    Time ended_{};
    int done_ = 0;
    std::uint64_t numbers_ = 0;
};

handlers::Outcome noop(handlers::InProcessRun& /*run*/) {
    handlers::Outcome outcome;
    outcome.kind = handlers::Outcome::completed;
    return outcome;
}

}  // namespace

int main(int count, char** words) {
    const std::vector<std::string> arguments(words + 1, words + count);
    const auto dashes = std::find(arguments.begin(), arguments.end(), "--");
    const std::vector<std::string> options(arguments.begin(), dashes);
    if (options.size() < 3) return 2;
    const int in_flight = std::atoi(options[2].c_str());
    config::Task task;
    task.name = "noop";
    if (dashes != arguments.end()) task.command.assign(dashes + 1, arguments.end());
    std::string cgroups_at = "/no cgroups";
    if (options[0] == "exec" && options.size() > 3) cgroups_at = options[3];
    if (options[0] == "warm") {
        task.handler = config::HandlerKind::warm;
        task.processes = std::atoi(options.at(3).c_str());
    }
    if (options[0] == "in_process") task.handler = config::HandlerKind::in_process;
    handlers::RunCgroups cgroups(cgroups_at);
    if (options[0] == "exec" && options.size() > 3 && !cgroups.available()) {
        std::fprintf(stderr, "no cgroup for each run: %s\n", cgroups.why_not().c_str());
        return 1;
    }
    loop::Loop loop;
    handlers::InProcess in_process(loop, {{"noop", noop}});
    in_process.configure(in_flight, {});
    handlers::Handlers all(loop, {{"noop", task}}, {}, std::make_shared<handlers::Processes>(loop, std::move(cgroups)),
                           &in_process);
    Driver driver(loop, *all.find("noop"));
    driver.begin(in_flight, std::chrono::seconds(std::atoi(options[1].c_str())));
}
