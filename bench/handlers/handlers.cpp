// The Handlers class without a database: keeps so many runs in flight for so long, and prints runs a second and the
// time from start() to on_done() as one JSON line.
//   handlers_bench exec SECONDS IN_FLIGHT -- COMMAND …
//   handlers_bench warm SECONDS IN_FLIGHT PROCESSES -- COMMAND …
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <unordered_map>
#include <vector>

#include "handlers/registry.h"
#include "loop/loop.h"

using namespace dormouse;
using Time = BootClock::time_point;

namespace {

class Driver : public handlers::Listener {
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
        std::printf("{\"per_s\": %.1f, \"p50_us\": %.1f, \"p99_us\": %.1f}\n", done_ / seconds, at(0.5), at(0.99));
    }

    void on_line(const Uuid& /*id*/, const handlers::Line& line) override {
        std::fprintf(stderr, "%.*s\n", static_cast<int>(line.text.size()), line.text.data());
    }
    void on_progress(const Uuid& /*id*/, handlers::Progress /*progress*/) override {}
    void on_done(const Uuid& id, handlers::Outcome outcome) override {
        if (outcome.verdict != handlers::Verdict::completed) {
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
        spec.id = Uuid::random();
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
};

}  // namespace

int main(int count, char** words) {
    const std::vector<std::string> arguments(words + 1, words + count);
    const auto dashes = std::find(arguments.begin(), arguments.end(), "--");
    if (dashes == arguments.end() || dashes - arguments.begin() < 3) return 2;
    config::Task task;
    task.name = "noop";
    task.command.assign(dashes + 1, arguments.end());
    if (arguments[0] == "warm") {
        task.handler = config::HandlerKind::warm;
        task.processes = std::atoi(arguments.at(3).c_str());
    }
    loop::Loop loop;
    handlers::Handlers all(loop, {{"noop", task}}, {});
    Driver driver(loop, *all.find("noop"));
    driver.begin(std::atoi(arguments[2].c_str()), std::chrono::seconds(std::atoi(arguments[1].c_str())));
}
