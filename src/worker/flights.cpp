#include "worker/flights.h"

#include <algorithm>
#include <unordered_set>
#include <utility>

#include "base/limits.h"
#include "base/log.h"
#include "config/duration.h"
#include "handlers/refusal.h"
#include "worker/failure_hook.h"
#include "worker/retry_policy.h"

namespace dormouse::worker {
namespace {

constexpr Millis pause_between_suspects{1'000};
/// Lost so often with a worker whose host went on, a run is suspected of having killed it.
constexpr int losses_of_a_suspect = 2;
/// A suspected function waits for so long until nothing else is at work; from then on nothing else is started.
constexpr Millis longest_wait_alone{60'000};

/// The part of a lease that is kept back for ending a handler's tree when the lease cannot be extended.
Millis margin_of(Millis lease) {
    return std::min(lease / 5, Millis{10'000});
}

/// Waited for too long for its first attempt: by the database's clock until it was claimed, whatever this host's says.
bool is_expired(const store::ClaimedRun& run, const config::Task& task, BootClock::time_point claimed_at) {
    if (task.expires == Millis{0} || run.attempts > 0 || run.lost > 0) return false;
    return run.waited + since(claimed_at) > task.expires;
}

}  // namespace

Flights::Flights(const config::Config& config, handlers::Handlers& handlers, News& news, std::string worker,
                 Elsewhere elsewhere, traces::Tracer* tracer, OnLanded on_landed)
    : config_(config),
      handlers_(handlers),
      news_(news),
      worker_(std::move(worker)),
      elsewhere_(std::move(elsewhere)),
      tracer_(tracer),
      on_landed_(std::move(on_landed)) {}

std::optional<Parcel> Flights::start(store::ClaimedRun run, Time claimed_at) {
    const auto task = config_.tasks.find(run.task);
    handlers::Handler* handler = handlers_.find(run.task);
    const int attempt = run.attempts + 1;
    const auto refused = [&](std::string error_class, std::string message) {
        store::Ending ending = refuse(run.held, std::move(error_class), std::move(message));
        add_failure_hook(ending, task->second, run.queue, run.attempts);
        return Parcel{std::move(ending), run.task, attempt};
    };
    const auto back = [&](store::Ending::Kind kind, std::optional<Millis> delay, const std::string& why = "") {
        store::Ending ending{};
        ending.held = run.held;
        ending.kind = kind;
        ending.counts = false;
        ending.delay = delay;
        if (!why.empty()) ending.error_class = "not_started";
        ending.error_message = why;
        return Parcel{std::move(ending), run.task, attempt};
    };
    // Somebody took it away and put it back, and its first handler is not gone yet.
    if (flights_.contains(run.held.id))
        return back(store::Ending::not_started, Millis{1'000}, "its handler of before is still being ended");
    if (BootClock::now() >= claimed_at + config_.worker.lease - margin_of(config_.worker.lease))
        return back(store::Ending::handed_back, std::nullopt);
    const bool suspect = run.lost >= losses_of_a_suspect;
    if (suspect && has_suspect()) return back(store::Ending::handed_back, pause_between_suspects);
    if (task == config_.tasks.end() || handler == nullptr) {  // only `--run` claims such a run, and ends by it
        met_unknown_task_ = true;
        log::event(log::Level::warning, "unknown_task",
                   run.task + ": this worker has no such task, the run is left for one that has; add [task." +
                       run.task + "] to " + (config_.file.empty() ? "the pool's configuration" : config_.file),
                   {{"run_id", run.held.id.to_string()}, {"task", run.task}});
        return back(store::Ending::not_started, std::nullopt,
                    "worker --run of pool " + config_.pool + " claimed it, which has no such task");
    }
    if (is_expired(run, task->second, claimed_at))
        return refused("expired", "it was not started within " + config::duration_text(task->second.expires) +
                                      " of the time it was due (expires of task " + run.task + ")");
    const std::int64_t limit = config_.limits.payload_bytes;
    if (!run.payload || static_cast<std::int64_t>(run.payload->size()) > limit)
        return refused("payload_too_large",
                       "the payload is over " + std::to_string(limit) + " bytes (limits.payload_bytes)");
    const int allowed = run.max_attempts.value_or(task->second.max_attempts);
    if (run.attempts >= allowed)
        return refused("attempts_used_up",
                       "all " + std::to_string(allowed) + " attempts are used up; the last was lost with its worker");

    handlers::RunSpec spec;
    spec.id = run.held.id;
    spec.task = run.task;
    spec.queue = run.queue;
    spec.payload = std::move(*run.payload);
    spec.fence = std::to_string(run.held.fence) + ":" + worker_;
    spec.traceparent = std::move(run.traceparent);
    spec.attempt = attempt;
    spec.max_attempts = allowed;
    spec.timeout = run.timeout.value_or(task->second.timeout);
    spec.grace = task->second.grace;
    Flight flight;
    flight.held = run.held;
    flight.task = run.task;
    flight.queue = std::move(run.queue);
    flight.handler = handler;
    flight.used = run.attempts;
    flight.allowed = allowed;
    flight.grace = spec.grace;
    flight.lease_until = claimed_at + config_.worker.lease;
    flight.suspect = suspect;
    count_task(run.task, 1);
    Flight& placed = flights_.emplace(run.held.id, std::move(flight)).first->second;
    quiet_until_ = std::min(quiet_until_, extend_at(placed));
    if (suspect && task->second.handler == config::HandlerKind::in_process) {
        placed.waits = std::move(spec);
        waits_ = run.held.id;
        waits_since_ = BootClock::now();
    } else {
        launch(placed, std::move(spec));
    }
    return std::nullopt;
}

/// Of tasks that have a concurrency of their own.
void Flights::count_task(const std::string& name, int change) {
    const auto task = config_.tasks.find(name);
    if (task == config_.tasks.end() || task->second.concurrency == 0) return;
    int& at_work = capped_[name];
    if (change < 0 && at_work >= task->second.concurrency) room_made_ = true;
    at_work += change;
}

int Flights::count(const std::string& task) const {
    return static_cast<int>(
        std::count_if(flights_.begin(), flights_.end(), [&](const auto& entry) { return entry.second.task == task; }));
}

void Flights::add_at_work(std::map<std::string, int>& into) const {
    for (const auto& [id, flight] : flights_) ++into[flight.task];
}

std::int64_t Flights::room_for(const config::Task& task) const {
    constexpr std::int64_t as_many_as_you_like = 1'000'000;
    if (task.concurrency == 0) return as_many_as_you_like;
    const auto at_work = capped_.find(task.name);
    const int here = at_work == capped_.end() ? 0 : at_work->second;
    return task.concurrency - here - (elsewhere_.runs_of ? elsewhere_.runs_of(task.name) : 0);
}

bool Flights::any_room() const {
    return std::any_of(config_.tasks.begin(), config_.tasks.end(),
                       [&](const auto& entry) { return room_for(entry.second) > 0; });
}

std::vector<store::Room> Flights::rooms() const {
    std::vector<store::Room> rooms;
    for (const auto& [name, task] : config_.tasks) rooms.push_back({name, room_for(task)});
    return rooms;
}

bool Flights::has_suspect() const {
    return std::any_of(flights_.begin(), flights_.end(), [](const auto& entry) { return entry.second.suspect; });
}

bool Flights::exclusive() const {
    return alone_ || (waits_ && since(waits_since_) >= longest_wait_alone);
}

void Flights::start_alone() {
    if (!waits_ || flights_.size() > 1) return;
    Flight& flight = flights_.at(*waits_);
    if (BootClock::now() >= stop_at(flight)) return;  // stop_before_lease_ends() gives it up
    alone_ = std::exchange(waits_, std::nullopt);
    handlers::RunSpec spec = std::move(*flight.waits);
    flight.waits.reset();
    launch(flight, std::move(spec));
}

void Flights::launch(Flight& flight, handlers::RunSpec spec) {
    log::event(log::Level::info, "run_dispatched",
               flight.task + " attempt " + std::to_string(spec.attempt) +
                   (flight.suspect ? ", beside no other run that was lost with its worker twice" : ""),
               {{"run_id", flight.held.id.to_string()},
                {"task", flight.task},
                {"queue", spec.queue},
                {"attempt", std::to_string(spec.attempt)}});
    if (tracer_ != nullptr)
        flight.trace = traces::begin(spec.id, spec.attempt,
                                     handlers::is_traceparent(spec.traceparent) ? spec.traceparent : std::string());
    if (flight.trace) spec.traceparent = flight.trace->traceparent();  // its spans are children of ours
    flight.launched = BootClock::now();
    flight.handler->start(std::move(spec), *this);
}

void Flights::trace(const Uuid& id, const Flight& flight, const handlers::Outcome& outcome, const char* ended) const {
    if (!flight.trace) return;
    using handlers::Outcome;
    const bool error = outcome.kind != Outcome::completed && outcome.kind != Outcome::try_again;
    tracer_->add(*flight.trace, {flight.task, flight.queue, id, flight.used + 1, ended, error, outcome.error_class,
                                 outcome.error_message, outcome.exit_code, BootClock::now() - flight.launched});
}

void Flights::on_line(const Uuid& id, const handlers::Line& line) {
    const auto found = flights_.find(id);
    if (found == flights_.end()) return;
    const Flight& flight = found->second;
    log::event(line.level, "run_log", line.text,
               {{"run_id", id.to_string()}, {"task", flight.task}, {"attempt", std::to_string(flight.used + 1)}});
    news_.line(flight.held, line);  // of one that was canceled, too: what it says while it tidies up
}

void Flights::on_progress(const Uuid& id, handlers::Progress progress) {
    const auto found = flights_.find(id);
    if (found == flights_.end() || found->second.tie == Tie::taken_away) return;
    news_.progress(found->second.held, progress);
}

/// Others of the task may start meanwhile, so that it fails to start again and again, for the same reason.
bool Flights::is_news(const std::string& task, const std::string& why) {
    constexpr Millis told_for{600'000};
    // At whichever of its steps a process finds no descriptor: it is one reason.
    const std::string limit = open_files_remedy(why);
    const std::string& reason = limit.empty() ? why : limit;
    Told& told = told_[task];
    if (told.why == reason && since(told.at) < told_for) return false;
    told = {reason, BootClock::now()};
    return true;
}

void Flights::on_done(const Uuid& id, handlers::Outcome outcome) {
    const auto found = flights_.find(id);
    if (found == flights_.end()) return;
    const Flight flight = std::move(found->second);
    flights_.erase(found);
    count_task(flight.task, -1);
    if (alone_ == id) alone_.reset();
    NotStarted& not_started = not_started_[flight.task];
    const config::Task& task = config_.tasks.at(flight.task);
    add_refusal_hint(outcome, task, config_.pool);
    const bool first = not_started.times == 0;
    if (outcome.kind != handlers::Outcome::not_started) {
        not_started = {};
    } else if (first || since(not_started.at) >= least_pause_of_not_started(not_started.times - 1)) {
        not_started = {not_started.times + 1, BootClock::now()};  // else it is the same time, for another run
    }
    const Tries tries{flight.used, flight.allowed, std::max(0, not_started.times - 1)};
    if (first && not_started.times == 1 && is_news(flight.task, outcome.error_message))  // nobody else tells
        log::event(log::Level::warning, "not_started",
                   flight.task + " cannot be started, its runs wait and are tried again: " + outcome.error_message,
                   {{"run_id", id.to_string()}, {"task", flight.task}});
    if (flight.tie == Tie::taken_away) {
        log::event(log::Level::info, "run_canceled", flight.task + " was taken away while it ran",
                   {{"run_id", id.to_string()}, {"task", flight.task}});
        news_.let_go(flight.held);
        trace(id, flight, outcome, "canceled");
        on_landed_(std::nullopt);
        return;
    }
    store::Ending ending = judge(flight.held, outcome, tries, task);
    add_failure_hook(ending, task, flight.queue, flight.used + (ending.counts ? 1 : 0));
    if (flight.tie == Tie::lease_lost && ending.kind == store::Ending::handed_back)
        ending.kind = store::Ending::cut_off;
    trace(id, flight, outcome, store::to_string(ending.kind));
    Parcel parcel{std::move(ending), flight.task, flight.used + 1, news_.bytes_of(flight.held)};
    parcel.took = since(flight.launched);
    on_landed_(std::move(parcel));
}

std::vector<Parcel> Flights::give_up_waiting() {
    if (!waits_) return {};
    const auto found = flights_.find(*std::exchange(waits_, std::nullopt));
    store::Ending ending{};
    ending.held = found->second.held;
    ending.kind = store::Ending::handed_back;
    ending.counts = false;
    Parcel parcel{std::move(ending), found->second.task, found->second.used + 1};
    count_task(found->second.task, -1);
    flights_.erase(found);
    return {std::move(parcel)};
}

void Flights::add_held(std::vector<store::Held>& into) const {
    for (const auto& [id, flight] : flights_)
        if (flight.tie != Tie::taken_away) into.push_back(flight.held);
}

Flights::Time Flights::extend_at(const Flight& flight) const {
    return flight.lease_until - config_.worker.lease * 2 / 3;
}

Flights::Time Flights::stop_at(const Flight& flight) const {
    return flight.lease_until - margin_of(config_.worker.lease);
}

bool Flights::extension_wanted(Time now) const {
    return now >= quiet_until_ && now >= no_extension_before_ &&
           std::any_of(flights_.begin(), flights_.end(), [&](const auto& entry) {
               return entry.second.tie == Tie::ours && now >= extend_at(entry.second);
           });
}

void Flights::extension_sent(Time now) {
    quiet_until_ = Time{};
    no_extension_before_ = now + std::clamp(config_.worker.lease / 30, Millis{200}, Millis{5'000});
}

void Flights::extended(const std::vector<store::Held>& asked, const std::vector<Uuid>& ids, Time sent_at) {
    for (const store::Held& run : asked)
        if (const auto found = flights_.find(run.id); found != flights_.end() && found->second.held.fence == run.fence)
            found->second.not_extended = true;
    for (const Uuid& id : ids) {
        const auto found = flights_.find(id);
        if (found == flights_.end()) continue;
        found->second.not_extended = false;
        found->second.lease_until = sent_at + config_.worker.lease;
    }
}

std::vector<Parcel> Flights::stop_before_lease_ends(Time now) {
    bool too_late_for_waiting = false;
    if (now < quiet_until_) return {};
    for (auto& [id, flight] : flights_) {
        if (flight.tie != Tie::ours || now < stop_at(flight)) continue;
        if (flight.waits) {
            too_late_for_waiting = true;
            continue;
        }
        flight.tie = Tie::lease_lost;
        log::event(log::Level::warning, "lease_lost", flight.task + " is stopped: its lease could not be extended",
                   {{"run_id", id.to_string()}, {"task", flight.task}});
        flight.handler->stop(id, handlers::StopReason::lease_lost, margin_of(config_.worker.lease) / 2);
    }
    return too_late_for_waiting ? give_up_waiting() : std::vector<Parcel>{};
}

std::optional<Millis> Flights::next_lease_event(Time now) const {
    if (flights_.empty()) quiet_until_ = Time::max();
    Time event = quiet_until_;
    if (now >= quiet_until_) {
        event = quiet_until_ = Time::max();
        for (const auto& [id, flight] : flights_) {
            if (flight.tie != Tie::ours) continue;
            const Time extend = std::max(extend_at(flight), no_extension_before_);
            // An extension that is due and not sent yet waits for its session, and not for a time.
            event = std::min({event, now < extend ? extend : Time::max(), stop_at(flight)});
            quiet_until_ = std::min({quiet_until_, extend, stop_at(flight)});
        }
    }
    if (event == Time::max()) return std::nullopt;
    return std::max(Millis{0}, std::chrono::ceil<Millis>(event - now));
}

void Flights::keep_only(const std::vector<store::Held>& asked, const std::vector<Uuid>& still_held) {
    const std::unordered_set<Uuid> held(still_held.begin(), still_held.end());
    for (const store::Held& run : asked) {
        const auto found = flights_.find(run.id);
        if (found == flights_.end() || found->second.held.fence != run.fence || held.contains(run.id)) continue;
        if (found->second.waits) {
            static_cast<void>(give_up_waiting());  // somebody else's: there is nothing to write
            continue;
        }
        if (found->second.not_extended)
            log::event(log::Level::warning, "extension_refused",
                       found->second.task + ": the run no longer belongs to this worker",
                       {{"run_id", run.id.to_string()}, {"task", found->second.task}});
        found->second.tie = Tie::taken_away;
        found->second.handler->stop(run.id, handlers::StopReason::canceled, found->second.grace);
    }
}

std::vector<Parcel> Flights::stop_all(Millis patience) {
    for (auto& [id, flight] : flights_)
        if (!flight.waits) flight.handler->stop(id, handlers::StopReason::leaving, patience);
    return give_up_waiting();
}

}  // namespace dormouse::worker
