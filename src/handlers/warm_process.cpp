#include "handlers/warm_process.h"

#include <unistd.h>

#include <algorithm>
#include <ctime>
#include <fstream>
#include <utility>

#include "base/crash_point.h"
#include "config/duration.h"
#include "handlers/command.h"
#include "handlers/proc.h"

namespace dormouse::handlers {

namespace {

constexpr Millis patience_when_leaving{5'000};
constexpr Millis patience_when_closed{1'000};
constexpr std::size_t flood_factor = 256;
constexpr std::size_t least_flood = 1U << 20U;

std::string shown(std::string_view line) {
    constexpr std::size_t shown_bytes = 200;
    return clean_text(cut(line, shown_bytes));
}

bool is_answer(Message::Type type) {
    return type == Message::Type::completed || type == Message::Type::failed || type == Message::Type::retry;
}

}  // namespace

bool share(const config::Task& one, const config::Task& other) {
    return one.command == other.command && one.working_directory == other.working_directory &&
           one.environment_file == other.environment_file && one.variables == other.variables;
}

WarmProcess::WarmProcess(const ChildHost& host, const config::Task& task, const config::Limits& limits,
                         std::string_view owner, Events events)
    : task_(task),
      limits_(limits),
      loop_(host.loop),
      events_(std::move(events)),
      leftovers_(host.loop),
      output_(no_budget_, [this](std::string_view line) { on_line(Level::info, line); }),
      errors_(no_budget_, [this](std::string_view line) { on_line(Level::info, line); }),
      frames_(message_bytes(limits)),
      timer_(host.loop, "warm.process") {
    const std::string name = Uuid::random().to_string() + ":" + std::string(owner);
    Child::Events heard{
        [this](std::string_view piece) { on_printed(output_, piece); },
        [this](std::string_view piece) { on_printed(errors_, piece); },
        [this](std::string_view piece) { on_control(piece); },
        [this](const ChildExit& exit) { on_exit(exit); },
    };
    Order order{"task " + task.name,
                [task = task, limits = limits, name] { return launch_for_process(task, limits, name); },
                limits_of(task)};
    child_ = std::make_unique<Child>(host, std::move(order), std::string(), name, std::move(heard));
    enter(State::starting);
}

WarmProcess::Flight::Flight(WarmProcess& of, const RunSpec& spec, RunListener& listener)
    : process(of),
      id(spec.id),
      task(spec.task),
      account(of.loop_, spec.id, listener, of.limits_, *this),
      given_at(ticks_now()) {}

void WarmProcess::enter(State state) {
    state_ = state;
    timer_.stop();
    switch (state) {
        case State::starting:
            timer_.once(task_.start_timeout, [this] {
                doom({"protocol",
                      "it did not say hello within " + config::duration_text(task_.start_timeout) + " (start_timeout)",
                      {}});
            });
            return;
        case State::serving:
        case State::gone:
            return;
        case State::retiring:
            if (!at_work() && !leftovers_.at_work()) enter(State::leaving);
            return;
        case State::leaving:
            child_->hang_up();
            timer_.once(patience_when_leaving, [this] { child_->kill(); });
            return;
        case State::killed:
            child_->kill();
            return;
    }
}

void WarmProcess::doom(Doom doom) {
    if (state_ == State::killed || state_ == State::gone) return;
    doom_ = std::move(doom);
    enter(State::killed);
}

std::size_t WarmProcess::room() const {
    if (state_ != State::serving || !child_->running() || leftovers_.at_work()) return 0;
    return static_cast<std::size_t>(hello_.concurrency) - std::min<std::size_t>(flights_.size(), hello_.concurrency);
}

bool WarmProcess::serves(const std::string& task) const {
    return std::find(hello_.tasks.begin(), hello_.tasks.end(), task) != hello_.tasks.end();
}

std::string WarmProcess::served() const {
    constexpr std::size_t most = 20;
    std::string text;
    for (std::size_t i = 0; i < std::min(most, hello_.tasks.size()); ++i)
        text += (i == 0 ? "" : ", ") + shown(hello_.tasks[i]);
    if (hello_.tasks.size() > most) text += ", …";
    return text.empty() ? "nothing" : text;
}

std::string WarmProcess::why_not(const std::string& task) const {
    return "task " + task + ": its process (" + task_.command.front() + ") serves " + served() +
           ", not this task; add it to what the process registers, or give the task another command";
}

std::string WarmProcess::ended_early(const Farewell& farewell) const {
    if (!farewell.started && !doom_) return farewell.reason;
    return "task " + task_.name + ": " + task_.command.front() + " ended before its hello: " + farewell.reason;
}

void WarmProcess::give(RunSpec spec, RunListener& listener) {
    Flight& flight = flights_.try_emplace(spec.id, *this, spec, listener).first->second;
    child_->send(run_message(spec));
    crash_point("warm.given");
    flight.account.begin(spec.timeout, spec.grace);
    if (task_.recycle_runs > 0 && ++given_ >= task_.recycle_runs) retire();
}

void WarmProcess::stop(const Uuid& id, StopReason reason, Millis patience) {
    if (const auto found = flights_.find(id); found != flights_.end()) found->second.account.stop(reason, patience);
}

void WarmProcess::retire() {
    if (state_ == State::serving) enter(State::retiring);
}

void WarmProcess::on_printed(Lines& lines, std::string_view piece) {
    const std::size_t flood = std::max(flood_factor * static_cast<std::size_t>(limits_.log_bytes), least_flood);
    if (printed_ > flood) {  // as long as no run is answered: whoever is cut by now knows it
        for (auto& [id, flight] : flights_)
            if (!flight.outcome && flight.account.budget().cut_said) flight.account.budget().missed += piece.size();
        return;
    }
    lines.add(piece);
    printed_ += piece.size();
}

void WarmProcess::on_line(Level level, std::string_view line) {
    for (auto& [id, flight] : flights_)
        if (!flight.outcome) flight.account.log(level, line);
}

void WarmProcess::on_control(std::string_view piece) {
    if (piece.empty()) return on_closed();
    const bool whole = frames_.add(piece, [this](std::string_view line) {
        if (state_ != State::killed) on_message(line);
    });
    if (whole || state_ == State::killed) return;
    doom({"message_too_large",
          "it wrote a message of more than " + std::to_string(message_bytes(limits_)) +
              " bytes (limits.result_bytes and 64 KiB)",
          {}});
}

void WarmProcess::on_message(std::string_view line) {
    auto message = parse_message(line);
    if (!message)
        return doom({"protocol", "it sent an invalid message: " + message.error().message + ": " + shown(line), {}});
    if (state_ == State::starting) {
        if (message->type == Message::Type::hello) return on_hello(std::move(*message));
        return doom({"protocol", "its first message was no hello: " + shown(line), {}});
    }
    if (message->type == Message::Type::hello) return doom({"protocol", "it said hello twice", {}});
    if (!message->id) {
        if (message->type == Message::Type::log) return on_line(message->level, message->text);
        return doom({"protocol", "it wrote a message without an id: " + shown(line), {}});
    }
    const auto found = flights_.find(*message->id);
    if (found != flights_.end() && !found->second.outcome) {
        if (is_answer(message->type)) return on_answer(std::move(*message), found->second);
        (void)found->second.account.hear(std::move(*message));
    } else if (is_answer(message->type)) {
        doom({"protocol", "it answered a run that it does not have: " + shown(line), {}});
    }  // a line or progress of a run that it has just answered: a thread of it was slower
}

void WarmProcess::on_hello(Message&& message) {
    if (message.protocol != protocol_version)
        return doom({"protocol",
                     "it speaks protocol " + std::to_string(message.protocol) + ", this worker " +
                         std::to_string(protocol_version) + "; install a client that fits",
                     {}});
    hello_ = std::move(message);
    idle_since_ = BootClock::now();
    printed_ = 0;
    leftovers_.keep_present(*child_);
    if (::clock_getcpuclockid(child_->pid(), &clock_) == 0) static_cast<void>(cpu_since_last());
    enter(State::serving);
    events_.on_hello(*this);
}

void WarmProcess::on_answer(Message&& message, Flight& flight) {
    crash_point("warm.answered");
    const Uuid id = *message.id;
    if (flights_.size() == 1) {  // what it printed without a line break is this run's
        output_.finish();
        errors_.finish();
    }
    Account& account = flight.account;
    const std::vector<pid_t> kept = std::move(message.keep);
    (void)account.hear(std::move(message));
    account.end_log();
    const bool cut_short = flight.hastened && leftovers_.has_asked();  // it may have taken half a work for the whole
    flight.outcome = account.answer_counts() && !cut_short ? account.answered() : account.ended();
    last_task_ = flight.task;
    if (hello_.concurrency == 1) flight.outcome->cpu = cpu_since_last();
    printed_ = 0;
    if (account.cause() == Account::Cause::nothing) return land(id);
    account.settle();
    end_leftovers(flight, kept);
}

void WarmProcess::land(const Uuid& id) {
    auto node = flights_.extract(id);
    Flight& flight = node.mapped();
    Landing landing{&flight.account.listener(), id, std::move(*flight.outcome), std::move(flight.task)};
    if (flights_.empty()) idle_since_ = BootClock::now();
    if (state_ == State::serving && too_big()) retire();
    if (state_ == State::retiring && !at_work()) enter(State::leaving);
    events_.on_landed(std::move(landing));
}

void WarmProcess::on_closed() {
    if (state_ == State::leaving || state_ == State::killed || state_ == State::gone) return;
    // Most probably it has ended, and that is told next.
    retire();
    if (state_ == State::leaving) return;
    timer_.once(patience_when_closed, [this] { doom({"protocol", "it closed its socket and went on", {}}); });
}

void WarmProcess::on_exit(const ChildExit& exit) {
    const bool idle_before = state_ == State::leaving || !at_work();
    const bool well = exit_code(exit) == 0;
    if (exit.out_of_memory && !doom_) doom_ = Doom{"out_of_memory", out_of_memory_text(task_), {}};
    Farewell farewell;
    farewell.started = !exit.not_started;
    farewell.served = hello_.protocol != 0;
    farewell.culprits = culprits();
    farewell.expected = state_ == State::leaving || (farewell.served && !doom_ && idle_before && well);
    enter(State::gone);
    output_.finish();
    errors_.finish();
    farewell.reason = with_tail(doom_              ? doom_->message
                                : exit.not_started ? exit.not_started->message
                                                   : exit_text(exit.status));
    if (doom_ && exit.not_started) farewell.reason += "\n" + exit.not_started->message;
    for (auto& [id, flight] : flights_) {
        if (flight.outcome) {
            farewell.landings.push_back({&flight.account.listener(), id, std::move(*flight.outcome), flight.task});
            continue;
        }
        Outcome outcome = outcome_of_death(id, flight, farewell.reason);
        outcome.exit_code = exit_code(exit);
        outcome.signal = exit_signal(exit);
        farewell.landings.push_back({&flight.account.listener(), id, std::move(outcome), flight.task});
    }
    flights_.clear();
    const auto on_gone = std::move(events_.on_gone);
    on_gone(*this, std::move(farewell));  // may destroy us
}

std::set<std::string> WarmProcess::culprits() const {
    std::set<std::string> tasks;
    for (const auto& [id, flight] : flights_)
        if (!flight.outcome && (!doom_ || !doom_->culprit || *doom_->culprit == id)) tasks.insert(flight.task);
    if (tasks.empty() && !last_task_.empty()) tasks.insert(last_task_);
    return tasks;
}

Outcome WarmProcess::outcome_of_death(const Uuid& id, const Flight& flight, const std::string& reason) const {
    if (flight.account.cause() != Account::Cause::nothing) {
        Outcome outcome = flight.account.ended();
        outcome.error_message = with_tail(outcome.error_message);
        return outcome;
    }
    Outcome outcome;
    outcome.error_class = doom_ ? doom_->error_class : "process_died";
    // The same work would come to the same; beside others it is not known whose message it was.
    outcome.permanent = flights_.size() == 1 && outcome.error_class == "message_too_large";
    outcome.error_message = doom_ ? "the process was killed: " + reason : "the process died: " + reason;
    if (doom_ && doom_->culprit && *doom_->culprit != id) {
        outcome.kind = Outcome::stopped;
        outcome.error_class = "stopped";
        outcome.error_message = doom_->message;
    }
    return outcome;
}

std::string WarmProcess::with_tail(std::string text) const {
    const std::string tail = errors_.tail();
    return tail.empty() ? text : text + "\n" + tail;
}

std::optional<Millis> WarmProcess::cpu_since_last() {
    timespec now{};
    const std::chrono::nanoseconds before = cpu_;
    cpu_ = std::chrono::nanoseconds(-1);
    if (::clock_gettime(clock_, &now) == 0)
        cpu_ = std::chrono::seconds(now.tv_sec) + std::chrono::nanoseconds(now.tv_nsec);
    if (before.count() < 0 || cpu_.count() < 0) return std::nullopt;
    return std::chrono::duration_cast<Millis>(cpu_ - before);
}

bool WarmProcess::too_big() const {
    if (task_.recycle_memory <= 0) return false;
    std::ifstream statm("/proc/" + std::to_string(child_->pid()) + "/statm");
    std::int64_t size = 0;
    std::int64_t resident = 0;
    return (statm >> size >> resident) && resident * ::sysconf(_SC_PAGESIZE) > task_.recycle_memory;
}

}  // namespace dormouse::handlers
