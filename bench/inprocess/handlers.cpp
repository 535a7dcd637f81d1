// The handlers alone: runs whose function does nothing, started on the loop, executed on threads, heard of on the loop.
// handlers COUNT CONCURRENCY → one line of JSON.
#include <cstdio>
#include <cstdlib>

#include "handlers/in_process.h"
#include "loop/loop.h"

using namespace dormouse;

namespace {

/// Keeps `most` runs at work until `count` are done.
class Load : private handlers::RunListener {
  public:
    Load(loop::Loop& loop, std::size_t count, std::size_t most)
        : loop_(loop),
          in_process_(loop, {{"nothing",
                              [](handlers::InProcessRun&) {
                                  handlers::Outcome outcome;
                                  outcome.kind = handlers::Outcome::completed;
                                  return outcome;
                              }}}),
          count_(count),
          most_(most) {
        in_process_.configure(static_cast<int>(most), {});
    }
    void fill() {
        for (; begun_ < count_ && begun_ - done_ < most_; ++begun_) {
            handlers::RunSpec spec;
            const std::size_t number = begun_ + 1;
            for (std::size_t i = 0; i < 8; ++i) spec.id.bytes.at(15 - i) = static_cast<std::uint8_t>(number >> (8 * i));
            spec.task = "nothing";
            spec.queue = "default";
            spec.payload = R"({"customer": "somebody", "prices": [1, 2, 3]})";
            spec.fence = "123456:01a203aa-64db-726e-88bd-89d26dc6467f";
            spec.timeout = Millis{3'600'000};
            in_process_.start(*in_process_.find("nothing"), std::move(spec), *this);
        }
    }

  private:
    void on_line(const Uuid&, const handlers::Line&) override {}
    void on_progress(const Uuid&, handlers::Progress) override {}
    void on_done(const Uuid&, handlers::Outcome) override {
        if (++done_ == count_) return loop_.stop();
        // as the worker's claims come: a batch when half of the slots are free
        if (begun_ - done_ <= most_ / 2) fill();
    }

    loop::Loop& loop_;
    handlers::InProcess in_process_;
    std::size_t count_;
    std::size_t most_;
    std::size_t begun_ = 0;
    std::size_t done_ = 0;
};

}  // namespace

int main(int argc, char** argv) {
    if (argc != 3) return 2;
    const std::size_t count = std::strtoul(argv[1], nullptr, 10);
    const std::size_t most = std::strtoul(argv[2], nullptr, 10);
    loop::Loop loop;
    {
        Load load(loop, count, most);
        const auto begin = std::chrono::steady_clock::now();
        load.fill();
        loop.run();
        const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
        std::printf(
            R"({"what": "handlers alone", "runs": %zu, "concurrency": %zu, "seconds": %.3f, "runs_per_s": %.0f})"
            "\n",
            count, most, took.count(), static_cast<double>(count) / took.count());
    }
}
