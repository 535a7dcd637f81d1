// The account of one attempt: what its handler has said about it, within the limits, and why we end it. Shared by exec
// and warm, which read and write the messages themselves, say what counts at the end, and know how to reach the
// process. Lines and progress go on to the listener at once. On the loop's thread.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "config/config.h"
#include "handlers/handler.h"
#include "handlers/message.h"
#include "handlers/text.h"
#include "loop/timer.h"

namespace dormouse::handlers {

class Account {
  public:
    /// Why we end an attempt; `nothing` while its end is its own.
    enum class Cause { nothing, timeout, no_heartbeat, stop, message_too_large };

    /// How the attempt is reached.
    class Means {
      public:
        virtual ~Means() = default;
        /// Tells it to end; `reason` is "timeout" or that of a StopReason. After `patience` it is killed.
        virtual void ask(std::string_view reason, Millis patience) = 0;
        virtual void kill() = 0;
    };

    /// `means`, `listener` and `limits` outlive it.
    Account(loop::Loop& loop, const Uuid& id, RunListener& listener, const config::Limits& limits, Means& means);

    /// The timeout counts from now; 0: none. After it, or a heartbeat that stays away, it has `grace` to end by itself.
    void begin(Millis timeout, Millis grace);
    /// Takes what the handler said. Errors: invalid, one line: it has answered before, or this is no message for a run.
    Status hear(Message&& message);
    /// Lines of the attempt's log. After limits.log_bytes, stderr and messages together, the rest is dropped.
    void log(Level level, std::string_view text);
    [[nodiscard]] LogBudget& budget() { return budget_; }
    /// The last line of a log that was cut: how much is missing. Once, at the end.
    void end_log();

    /// Asks it to end, and kills after `patience`. A second call can only shorten the patience.
    void stop(StopReason reason, Millis patience);
    /// It has answered, and nothing is left of its times: a later stop() alone has it killed.
    void settle();
    /// Kills it for Cause::message_too_large.
    void give_up();
    [[nodiscard]] Cause cause() const { return cause_; }

    /// What it has answered: completed, failed or retry.
    [[nodiscard]] bool has_answered() const { return answer_.has_value(); }
    [[nodiscard]] bool has_completed() const { return answer_ && answer_->type == Message::Type::completed; }
    /// The outcome that its answer stands for. Only if it has one, and once.
    [[nodiscard]] Outcome answered();
    /// Whether it was asked to end before it answered, so that only `completed` counts, and not even that when its time
    /// was up.
    [[nodiscard]] bool answer_counts() const;
    /// The outcome of our ending it. Only with an cause().
    [[nodiscard]] Outcome ended() const;

    [[nodiscard]] RunListener& listener() const { return *listener_; }

  private:
    using Time = BootClock::time_point;
    void ask(Cause why, std::string_view reason, Millis patience);
    /// Has on_time() called when the next of the times below has come.
    void arm();
    void on_time();

    loop::Loop& loop_;
    Uuid id_;
    RunListener* listener_;
    const config::Limits& limits_;
    Means& means_;
    LogBudget budget_;
    std::optional<Message> answer_;
    bool answer_came_first_ = false;
    Cause cause_ = Cause::nothing;
    StopReason reason_ = StopReason::canceled;
    Millis timeout_{0};
    Millis grace_{0};
    Millis within_{0};
    std::optional<Time> timeout_at_;
    std::optional<Time> heartbeat_at_;
    std::optional<Time> kill_at_;  ///< once it was asked to end
    Time armed_for_{};
    std::unique_ptr<loop::Timer> timer_;  ///< made when it is needed: most attempts of warm never do
};

}  // namespace dormouse::handlers
