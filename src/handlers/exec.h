// The exec kind: one process for each run of one task, in any language. Payload on stdin, result from stdout,
// log lines from stderr, verdict from the exit code. Made by Handlers, driven by the worker through Handler.
// Decides what an attempt's end means; the processes themselves are Child's work. It must not know a store,
// and logs nothing.
#pragma once

#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "config/config.h"
#include "handlers/child.h"
#include "handlers/handler.h"
#include "handlers/text.h"
#include "loop/timer.h"

namespace dormouse::handlers {

class ExecHandler : public Handler {
  public:
    /// `host` outlives the handler.
    ExecHandler(const ChildHost& host, config::Task task, config::Limits limits);
    /// Kills what is still running; their listeners hear no more of it.
    ~ExecHandler() override;

    [[nodiscard]] std::string check() const override;
    void start(RunSpec spec, Listener& listener) override;
    void stop(const Uuid& id, StopReason reason, Millis patience) override;

  private:
    /// Why we end an attempt; `nothing` while its end is its own.
    enum class Ending { nothing, timeout, stop, result_too_large };

    struct Attempt {
        Attempt(loop::Loop& loop, std::size_t log_bytes, Lines::Take take)
            : lines(log_bytes, std::move(take)), timer(loop, "exec.attempt") {}

        Listener* listener = nullptr;
        Millis timeout{0};
        Ending ending = Ending::nothing;
        StopReason reason = StopReason::canceled;
        std::string output;
        Lines lines;
        loop::Timer timer;                ///< first the timeout, then the patience
        BootClock::time_point kill_at{};  ///< once ending
        std::unique_ptr<Child> child;
    };
    struct Refusal {
        Uuid id;
        Listener* listener;
        std::string message;
    };

    void refuse(const Uuid& id, Listener& listener, std::string message);
    void tell_refused();
    void take_output(Attempt& attempt, std::string_view piece) const;
    void end(Attempt& attempt, Ending why, Millis patience);
    void finish(const Uuid& id, const Exit& exit);
    [[nodiscard]] Outcome judge(const Attempt& attempt, const Exit& exit) const;
    [[nodiscard]] std::string explain(const Attempt& attempt, const Outcome& outcome) const;

    ChildHost host_;
    config::Task task_;
    config::Limits limits_;
    std::unordered_map<Uuid, std::unique_ptr<Attempt>> attempts_;
    std::vector<Refusal> refusals_;
    loop::Timer refusal_timer_;
};

}  // namespace dormouse::handlers
