#include "handlers/exec.h"

#include <sys/wait.h>

#include <csignal>
#include <cstring>

#include "base/crash_point.h"
#include "handlers/command.h"

namespace dormouse::handlers {

namespace {

constexpr int try_again_code = 75;  // EX_TEMPFAIL in sysexits.h
constexpr Millis patience_after_timeout{10'000};

std::string signal_text(int number) {
    const char* name = ::sigabbrev_np(number);
    return "signal " + std::to_string(number) + (name == nullptr ? "" : std::string(" (SIG") + name + ")");
}

std::string duration_text(Millis duration) {
    if (duration.count() % 1000 == 0) return std::to_string(duration.count() / 1000) + " s";
    return std::to_string(duration.count()) + " ms";
}

const char* text_of(StopReason reason) {
    switch (reason) {
        case StopReason::canceled:
            return "stopped: the run was canceled";
        case StopReason::leaving:
            return "stopped: the worker is leaving";
        case StopReason::lease_lost:
            return "stopped: the lease was lost";
    }
    return "stopped";
}

}  // namespace

ExecHandler::ExecHandler(const ChildHost& host, config::Task task, config::Limits limits)
    : host_(host), task_(std::move(task)), limits_(limits), refusal_timer_(host.loop, "exec.refusal") {}

ExecHandler::~ExecHandler() = default;

std::string ExecHandler::check() const {
    const auto fine = check_command(task_);
    return fine ? std::string() : fine.error().message;
}

void ExecHandler::start(RunSpec spec, Listener& listener) {
    const Uuid id = spec.id;
    if (attempts_.contains(id)) return refuse(id, listener, "this run is still at work in this worker");
    const auto launch = launch_for(task_, spec);
    if (!launch) return refuse(id, listener, launch.error().message);
    auto attempt = std::make_unique<Attempt>(
        host_.loop, static_cast<std::size_t>(limits_.log_bytes),
        [id, &listener](std::string_view text) { listener.on_line(id, {Level::info, text}); });
    Attempt& running = *attempt;
    Child::Events events{
        [this, &running](std::string_view piece) { take_output(running, piece); },
        [&running](std::string_view piece) { running.lines.add(piece); },
        [this, id](const Exit& exit) { finish(id, exit); },
    };
    auto child = Child::start(host_, *launch, std::move(spec.payload), spec.fence, std::move(events), limits_of(task_));
    if (!child) return refuse(id, listener, "task " + task_.name + ": " + child.error().message);
    running.listener = &listener;
    running.timeout = spec.timeout;
    running.child = std::move(*child);
    if (spec.timeout > Millis{0}) {
        running.timer.once(spec.timeout, [this, &running] { end(running, Ending::timeout, patience_after_timeout); });
    }
    attempts_.emplace(id, std::move(attempt));
    crash_point("handler.started");
}

void ExecHandler::stop(const Uuid& id, StopReason reason, Millis patience) {
    const auto found = attempts_.find(id);
    if (found == attempts_.end()) return;
    if (found->second->ending == Ending::nothing) found->second->reason = reason;
    end(*found->second, Ending::stop, patience);
}

void ExecHandler::refuse(const Uuid& id, Listener& listener, std::string message) {
    refusals_.push_back({id, &listener, std::move(message)});
    refusal_timer_.once(Millis{0}, [this] { tell_refused(); });
}

void ExecHandler::tell_refused() {
    const auto refused = std::exchange(refusals_, {});
    for (const auto& refusal : refused) {
        Outcome outcome;
        outcome.verdict = Verdict::not_started;
        outcome.error_class = "spawn";
        outcome.error_message = refusal.message;
        refusal.listener->on_done(refusal.id, std::move(outcome));
    }
}

void ExecHandler::take_output(Attempt& attempt, std::string_view piece) const {
    if (attempt.ending == Ending::result_too_large) return;
    if (attempt.output.size() + piece.size() <= static_cast<std::size_t>(limits_.result_bytes)) {
        attempt.output.append(piece);
        return;
    }
    attempt.output = {};
    attempt.ending = Ending::result_too_large;
    attempt.timer.stop();
    if (attempt.child) attempt.child->kill();
}

void ExecHandler::end(Attempt& attempt, Ending why, Millis patience) {
    const auto kill_at = BootClock::now() + patience;
    if (attempt.ending == Ending::nothing) {
        attempt.ending = why;
        attempt.child->terminate();
    } else if (kill_at >= attempt.kill_at) {
        return;  // only sooner, never later
    }
    attempt.kill_at = kill_at;
    if (patience <= Millis{0}) {
        attempt.timer.stop();
        return attempt.child->kill();
    }
    attempt.timer.once(patience, [&attempt] { attempt.child->kill(); });
}

void ExecHandler::finish(const Uuid& id, const Exit& exit) {
    auto node = attempts_.extract(id);
    Attempt& attempt = *node.mapped();
    attempt.timer.stop();
    attempt.lines.finish();
    Outcome outcome = judge(attempt, exit);
    Listener& listener = *attempt.listener;
    node = {};  // before the listener, who may start the same run again
    crash_point("handler.landed");
    listener.on_done(id, std::move(outcome));
}

Outcome ExecHandler::judge(const Attempt& attempt, const Exit& exit) const {
    Outcome outcome;
    outcome.cpu = exit.cpu;
    outcome.peak_memory_bytes = exit.peak_memory_bytes;
    if (WIFEXITED(exit.status)) outcome.exit_code = WEXITSTATUS(exit.status);
    if (WIFSIGNALED(exit.status)) outcome.signal = WTERMSIG(exit.status);
    const bool success = outcome.exit_code == 0;
    if (attempt.ending == Ending::result_too_large) {
        outcome.error_class = "result_too_large";
    } else if (attempt.ending == Ending::timeout) {
        outcome.verdict = Verdict::timed_out;
        outcome.error_class = "timeout";
    } else if (success) {  // also after stop(): its work is done
        outcome.verdict = Verdict::completed;
        outcome.result = result_of(attempt.output);
        return outcome;
    } else if (attempt.ending == Ending::stop) {
        outcome.verdict = Verdict::stopped;
        outcome.error_class = "stopped";
    } else if (outcome.exit_code == try_again_code) {
        outcome.verdict = Verdict::try_again;
        outcome.error_class = "exit";
    } else if (exit.out_of_memory) {
        outcome.error_class = "out_of_memory";
    } else {
        outcome.error_class = outcome.signal ? "signal" : "exit";
    }
    outcome.error_message = explain(attempt, outcome);
    return outcome;
}

std::string ExecHandler::explain(const Attempt& attempt, const Outcome& outcome) const {
    std::string text;
    if (attempt.ending == Ending::result_too_large) {
        text = "the result on stdout is larger than " + std::to_string(limits_.result_bytes) +
               " bytes (limits.result_bytes); the handler was killed";
    } else if (attempt.ending == Ending::timeout) {
        text = "timed out after " + duration_text(attempt.timeout);
    } else if (attempt.ending == Ending::stop) {
        text = text_of(attempt.reason);
    } else if (outcome.error_class == "out_of_memory") {
        text = "killed by the kernel: its processes took more than " + std::to_string(task_.memory_max) +
               " bytes (memory_max of task " + task_.name + ")";
    } else if (outcome.signal) {
        text = "killed by " + signal_text(*outcome.signal);
    } else {
        text = "exit " + std::to_string(outcome.exit_code.value_or(-1));
        if (outcome.verdict == Verdict::try_again) text += " (try again)";
    }
    const std::string tail = attempt.lines.tail();
    return tail.empty() ? text : text + "\n" + tail;
}

}  // namespace dormouse::handlers
