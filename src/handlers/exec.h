// The exec kind: one process for each run of one task, in any language. Payload on stdin, result from stdout,
// log lines from stderr, outcome from the exit code; or all of that in messages on its control descriptor. Made by
// Handlers, driven by the worker through Handler.
// Decides what an attempt's end means; the processes themselves are Child's work. It must not know a store,
// and logs nothing.
#pragma once

#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "config/config.h"
#include "handlers/account.h"
#include "handlers/child.h"
#include "handlers/handler.h"
#include "handlers/message.h"
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
    void start(RunSpec spec, RunListener& listener) override;
    void stop(const Uuid& id, StopReason reason, Millis patience) override;

  private:
    struct Attempt : Account::Means {
        Attempt(loop::Loop& loop, const Uuid& run, RunListener& listener, const config::Limits& limits);
        void ask(std::string_view reason, Millis patience) override;
        void kill() override;

        Uuid id;
        Account account;
        std::string output;             ///< the first limits.result_bytes of stdout, if that may be the result
        std::size_t output_missed = 0;  ///< bytes of it that came after those
        Tail output_tail;               ///< of stdout
        Lines output_lines;             ///< of stdout, if they are log lines
        Lines lines;
        Frames frames;
        std::unique_ptr<Child> child;
    };
    struct Refusal {
        Uuid id;
        RunListener* listener;
        std::string message;
    };

    void refuse(const Uuid& id, RunListener& listener, std::string message);
    void tell_refused();
    void take_output(Attempt& attempt, std::string_view piece) const;
    Outcome judge(Attempt& attempt, const ChildExit& exit) const;
    void finish(const Uuid& id, const ChildExit& exit);

    ChildHost host_;
    config::Task task_;
    config::Limits limits_;
    std::unordered_map<Uuid, std::unique_ptr<Attempt>> attempts_;
    std::vector<Refusal> refusals_;
    loop::Timer refusal_timer_;
};

}  // namespace dormouse::handlers
