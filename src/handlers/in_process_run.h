// One attempt that a function of this program executes, seen from both sides: the function asks what it is given and
// says things, on its own thread or any other; InProcess, which makes and owns it, keeps its times on the loop's
// thread. Knows no JSON library and no public header: src/embed joins it with those.
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>

#include "config/config.h"
#include "handlers/handler.h"
#include "handlers/text.h"

namespace dormouse::handlers {

class InProcess;
class InProcessRun;

/// What executes the runs of a task. Called on a thread of InProcess, several at once. Throws nothing. The outcomes
/// `completed`, `failed` and `try_again` are its to give; result and enqueue are checked when it has returned.
using Function = std::function<Outcome(InProcessRun& run)>;
/// By task.
using Functions = std::map<std::string, Function>;

class InProcessRun {
  public:
    using Time = BootClock::time_point;

    InProcessRun(InProcess& owner, const Function& function, RunSpec spec, RunListener& listener,
                 const config::Limits& limits);
    InProcessRun(const InProcessRun&) = delete;
    InProcessRun& operator=(const InProcessRun&) = delete;

    [[nodiscard]] const RunSpec& spec() const { return spec_; }
    /// None without a timeout.
    [[nodiscard]] std::optional<std::chrono::system_clock::time_point> deadline() const;
    [[nodiscard]] std::stop_token stop_token() const { return stop_.get_token(); }
    /// "timeout", or as the contract names a StopReason; empty while nobody has asked it to stop.
    [[nodiscard]] const char* stop_reason() const { return why_stopped_.load(); }

    /// The three below until the function returns, from any thread. Without a fraction the text alone changes.
    void progress(std::optional<double> fraction, std::string_view text);
    /// Cut into lines, with the bounds of the contract.
    void log(Level level, std::string_view text);
    /// How much of it is missing, once its function has returned; empty: nothing.
    std::string rest_of_log();
    /// From now on it has timed out unless this is called again within that time; 0 ends that.
    void heartbeat(Millis within);

  private:
    friend class InProcess;
    /// Why we end it; `nothing` while its end is its own.
    enum class Cause { nothing, timeout, heartbeat, stop };

    InProcess& owner_;
    const Function& function_;
    const RunSpec spec_;
    const config::Limits limits_;
    const std::chrono::system_clock::time_point started_at_;
    std::stop_source stop_;
    std::atomic<const char*> why_stopped_{""};

    // What it says: guarded by the inbox of InProcess, but the lines, which a function may say from several threads.
    Progress progress_;
    bool progress_told_ = false;
    Millis beat_within_{0};
    Time beat_at_{};
    bool beat_told_ = false;
    std::mutex log_mutex_;
    Level log_level_ = Level::info;
    LogBudget log_budget_{static_cast<std::size_t>(limits_.log_bytes)};
    std::unique_ptr<Lines> lines_;

    // The loop's alone.
    RunListener& listener_;
    Cause cause_ = Cause::nothing;
    StopReason reason_ = StopReason::canceled;
    Time times_out_at_ = Time::max();
    Time beats_until_ = Time::max();
    Millis beats_within_{0};
    Time given_up_at_ = Time::max();  ///< once ending
    bool given_up_ = false;           ///< its listener has heard the last of it; its thread is still at work
    Outcome outcome_;                 ///< the thread's until it is handed over through the inbox
};

}  // namespace dormouse::handlers
