#include "handlers/exec.h"

#include <algorithm>
#include <chrono>

#include "base/crash_point.h"
#include "handlers/command.h"
#include "handlers/json_text.h"

namespace dormouse::handlers {

namespace {

constexpr int try_again_code = 75;  // EX_TEMPFAIL in sysexits.h

void take_line(Account& account, const Uuid& id, std::string_view line) {
    constexpr std::size_t shown_bytes = 200;
    auto message = parse_message(line);
    Status heard;
    if (!message) {
        heard = tl::unexpected(std::move(message.error()));
    } else if (message->id && *message->id != id) {
        heard = fail(ErrorKind::invalid, "its \"id\" is another run's");
    } else {
        heard = account.hear(std::move(*message));
    }
    if (heard) return;
    account.log(Level::warning,
                "[message passed over: " + heard.error().message + ": " + std::string(cut(line, shown_bytes)) + "]");
}

void take_control(Account& account, const Uuid& id, Frames& frames, std::string_view piece) {
    if (account.cause() == Account::Cause::message_too_large) return;
    if (frames.add(piece, [&](std::string_view line) { take_line(account, id, line); })) return;
    account.give_up();
}

Outcome not_started(std::string why) {
    Outcome outcome;
    outcome.kind = Outcome::not_started;
    outcome.error_class = "spawn";
    outcome.error_message = std::move(why);
    return outcome;
}

/// What an exit alone stands for; without a result.
Outcome stands_for(const ChildExit& exit) {
    Outcome outcome;
    const auto code = exit_code(exit);
    if (code == 0) {
        outcome.kind = Outcome::completed;
        return outcome;
    }
    outcome.error_class = code ? "exit" : exit.status ? "signal" : "exit_unknown";
    outcome.error_message = exit_text(exit.status);
    if (code != try_again_code) return outcome;
    outcome.kind = Outcome::try_again;
    outcome.error_message += " (try again)";
    return outcome;
}

}  // namespace

/// What was said counts more than the exit, but who has not ended well has not completed. Our ending an attempt is
/// overtaken by what was said before that; when it was only asked to stop, by its completion as well: its work is done.
Outcome ExecHandler::judge(Attempt& attempt, const ChildExit& exit) const {
    using Cause = Account::Cause;
    Account& account = attempt.account;
    Outcome outcome = stands_for(exit);
    const bool well = outcome.kind == Outcome::completed;
    const bool said_otherwise = account.answer_counts() && !account.has_completed();
    if (exit.not_started) {
        if (account.cause() == Cause::nothing) return not_started(exit.not_started->message);
        outcome = account.ended();
        outcome.error_message += "\n" + exit.not_started->message;
        return outcome;
    }
    if (account.cause() != Cause::message_too_large && said_otherwise) {
        outcome = account.answered();
        if (!outcome.error_message.empty()) return outcome;
        outcome.error_message = "it said so, without a message";
    } else if (account.cause() != Cause::nothing &&
               (account.cause() != Cause::stop || !well || (account.has_answered() && !account.has_completed()))) {
        outcome = account.ended();
    } else if (well) {
        if (account.has_completed()) outcome = account.answered();
        if (outcome.kind != Outcome::completed || !outcome.result.empty()) return outcome;
        if (attempt.output_missed > 0) {
            outcome = result_too_large("what it wrote to stdout, its result,", limits_.result_bytes);
            outcome.error_message += R"(; if it is no result: stdout = "log" for this task)";
        } else {
            outcome.result = result_of(attempt.output);
            const bool is_text = outcome.result.starts_with('"');
            if (const std::string where = is_text ? where_json_ends(attempt.output) : std::string(); !where.empty())
                account.log(Level::warning, "stdout looks like JSON and is none, so the result is text; " + where);
        }
        return outcome;
    } else if (account.has_completed()) {
        outcome.error_message += ", after it had said that it was completed";
    }
    const std::string errors = attempt.lines.tail();
    const std::string output = attempt.output_tail.text();
    if (!errors.empty()) outcome.error_message += "\n" + errors;
    if (!output.empty()) outcome.error_message += (errors.empty() ? "\n" : "\nand on stdout:\n") + output;
    return outcome;
}

ExecHandler::Attempt::Attempt(loop::Loop& loop, const Uuid& run, RunListener& listener, const config::Limits& limits)
    : id(run),
      account(loop, run, listener, limits, *this),
      output_lines(account.budget(),
                   [run, &listener](std::string_view text) { listener.on_line(run, {Level::info, text}); }),
      lines(account.budget(), [run, &listener](std::string_view text) { listener.on_line(run, {Level::info, text}); }),
      frames(message_bytes(limits)) {}

void ExecHandler::Attempt::ask(std::string_view /*reason*/, Millis /*patience*/) {
    child->terminate();
}

void ExecHandler::Attempt::kill() {
    if (child) child->kill();
}

ExecHandler::ExecHandler(const ChildHost& host, config::Task task, config::Limits limits)
    : host_(host), task_(std::move(task)), limits_(limits), refusal_timer_(host.loop, "exec.refusal") {}

ExecHandler::~ExecHandler() = default;

std::string ExecHandler::check() const {
    const auto fine = check_command(task_);
    return fine ? std::string() : fine.error().message;
}

void ExecHandler::start(RunSpec spec, RunListener& listener) {
    const Uuid id = spec.id;
    if (attempts_.contains(id)) return refuse(id, listener, "this run is still being executed by this worker");
    auto attempt = std::make_unique<Attempt>(host_.loop, id, listener, limits_);
    Attempt& running = *attempt;
    Child::Events events{
        [this, &running](std::string_view piece) { take_output(running, piece); },
        [&running](std::string_view piece) { running.lines.add(piece); },
        [&running](std::string_view piece) { take_control(running.account, running.id, running.frames, piece); },
        [this, id](const ChildExit& exit) { finish(id, exit); },
    };
    const Millis timeout = spec.timeout;
    const Millis grace = spec.grace;
    std::string payload = std::move(spec.payload);
    std::string fence = spec.fence;
    Order order{"task " + task_.name,
                [task = task_, spec = std::move(spec), now = std::chrono::system_clock::now()] {
                    return launch_for(task, spec, now);
                },
                limits_of(task_)};
    running.child =
        std::make_unique<Child>(host_, std::move(order), std::move(payload), std::move(fence), std::move(events));
    attempts_.emplace(id, std::move(attempt));
    running.account.begin(timeout, grace);
}

void ExecHandler::stop(const Uuid& id, StopReason reason, Millis patience) {
    const auto found = attempts_.find(id);
    if (found != attempts_.end()) found->second->account.stop(reason, patience);
}

void ExecHandler::refuse(const Uuid& id, RunListener& listener, std::string message) {
    refusals_.push_back({id, &listener, std::move(message)});
    refusal_timer_.once(Millis{0}, [this] { tell_refused(); });
}

void ExecHandler::tell_refused() {
    const auto refused = std::exchange(refusals_, {});
    for (const auto& refusal : refused) refusal.listener->on_done(refusal.id, not_started(refusal.message));
}

void ExecHandler::take_output(Attempt& attempt, std::string_view piece) const {
    attempt.output_tail.add(piece);
    if (task_.output != config::Output::result) attempt.output_lines.add(piece);
    if (task_.output == config::Output::log) return;
    const std::size_t room = static_cast<std::size_t>(limits_.result_bytes) - attempt.output.size();
    attempt.output.append(piece.substr(0, room));
    attempt.output_missed += piece.size() - std::min(piece.size(), room);
}

void ExecHandler::finish(const Uuid& id, const ChildExit& exit) {
    auto node = attempts_.extract(id);
    Attempt& attempt = *node.mapped();
    if (!attempt.frames.rest().empty()) take_control(attempt.account, id, attempt.frames, "\n");
    attempt.lines.finish();
    Outcome outcome = judge(attempt, exit);
    // Whoever fails has most often said why, on stdout as well.
    const bool is_log = outcome.kind != Outcome::completed && task_.output == config::Output::result;
    if (is_log) attempt.output_lines.add(attempt.output);
    attempt.output_lines.finish();
    if (is_log) attempt.account.budget().missed += attempt.output_missed;
    attempt.account.end_log();
    outcome.cpu = exit.cpu;
    outcome.peak_memory_bytes = exit.peak_memory_bytes;
    outcome.exit_code = exit_code(exit);
    outcome.signal = exit_signal(exit);
    if (exit.out_of_memory && outcome.kind == Outcome::failed && attempt.account.cause() == Account::Cause::nothing) {
        outcome.error_class = "out_of_memory";
        outcome.error_message = out_of_memory_text(task_) + "\n" + outcome.error_message;
    }
    RunListener& listener = attempt.account.listener();
    node = {};  // before the listener, who may start the same run again
    crash_point("handler.landed");
    listener.on_done(id, std::move(outcome));
}

}  // namespace dormouse::handlers
