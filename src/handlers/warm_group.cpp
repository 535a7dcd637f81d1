#include "handlers/warm_group.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "base/backoff.h"
#include "config/duration.h"

namespace dormouse::handlers {

namespace {

constexpr Millis backoff_base{500};
constexpr Millis backoff_max{60'000};

}  // namespace

WarmGroup::WarmGroup(const ChildHost& host, config::Task task, config::Limits limits)
    : host_(host),
      task_(std::move(task)),
      limits_(limits),
      later_timer_(host.loop, "warm.later"),
      pause_timer_(host.loop, "warm.pause"),
      backoff_timer_(host.loop, "warm.backoff"),
      idle_timer_(host.loop, "warm.idle") {}

bool WarmGroup::shared_by(const config::Task& task) const {
    return share(task, task_);
}

void WarmGroup::start(RunSpec spec, RunListener& listener) {
    Waiting waiting{std::move(spec), &listener};
    if (knows(waiting.spec.id)) return refuse(waiting, "this run is still being executed by this worker");
    waiting_.push_back(std::move(waiting));
    pump();
}

void WarmGroup::stop(const Uuid& id, StopReason reason, Millis patience) {
    const auto waits =
        std::find_if(waiting_.begin(), waiting_.end(), [&id](const auto& one) { return one.spec.id == id; });
    if (waits != waiting_.end()) {
        // Nothing of it has run, so there is nothing to wait for.
        Outcome outcome;
        outcome.kind = Outcome::stopped;
        outcome.error_class = "stopped";
        outcome.error_message = std::string("stopped while it waited for a process: ") + to_string(reason);
        Landing landing{waits->listener, id, std::move(outcome)};
        waiting_.erase(waits);
        return tell(std::move(landing));
    }
    for (const auto& process : processes_)
        if (process->has(id)) return process->stop(id, reason, patience);
}

bool WarmGroup::knows(const Uuid& id) const {
    return std::any_of(waiting_.begin(), waiting_.end(), [&id](const auto& one) { return one.spec.id == id; }) ||
           std::any_of(processes_.begin(), processes_.end(), [&id](const auto& one) { return one->has(id); });
}

WarmProcess* WarmGroup::roomiest() const {
    WarmProcess* best = nullptr;
    std::size_t most = 0;
    for (const auto& process : processes_) {
        const std::size_t room = process->room();
        if (room <= most) continue;
        most = room;
        best = process.get();
    }
    return best;
}

void WarmGroup::pump() {
    for (std::size_t at = 0; at < waiting_.size();) {
        if (paused(waiting_[at].spec.task)) {
            ++at;
            continue;
        }
        WarmProcess* process = roomiest();
        if (process == nullptr) {
            start_processes();
            break;
        }
        Waiting next = std::move(waiting_[at]);
        waiting_.erase(waiting_.begin() + static_cast<std::ptrdiff_t>(at));
        if (process->serves(next.spec.task)) {
            process->give(std::move(next.spec), *next.listener);
        } else {
            refuse(next, process->why_not(next.spec.task));
        }
    }
    watch_pauses();
}

bool WarmGroup::paused(const std::string& task) const {
    const auto found = pauses_.find(task);
    return found != pauses_.end() && BootClock::now() < found->second.until;
}

std::size_t WarmGroup::ready() const {
    return static_cast<std::size_t>(
        std::count_if(waiting_.begin(), waiting_.end(), [this](const auto& one) { return !paused(one.spec.task); }));
}

void WarmGroup::pause(const std::set<std::string>& tasks) {
    for (const std::string& task : tasks) {
        Pause& pause = pauses_[task];
        pause.until = BootClock::now() + half_jitter(backoff_base, backoff_max, pause.deaths++);
    }
}

/// Sees to it that the runs that are paused go on, and that their logs say so: from a later turn, as start() says
/// nothing.
void WarmGroup::watch_pauses() {
    std::optional<BootClock::time_point> next;
    bool untold = false;
    for (const Waiting& one : waiting_) {
        if (!paused(one.spec.task)) continue;
        const auto until = pauses_.at(one.spec.task).until;
        next = next ? std::min(*next, until) : until;
        untold = untold || !one.told;
    }
    pause_timer_.stop();
    if (!next) return;
    const Millis wait = std::chrono::ceil<Millis>(*next - BootClock::now());
    pause_timer_.once(untold ? Millis{0} : std::max(wait, Millis{0}), [this] {
        tell_paused();
        pump();
    });
}

void WarmGroup::tell_paused() {
    for (Waiting& one : waiting_) {
        if (one.told || !paused(one.spec.task)) continue;
        one.told = true;
        const Pause& pause = pauses_.at(one.spec.task);
        const auto left = std::chrono::ceil<Millis>(pause.until - BootClock::now());
        const std::string text = "waits " + config::duration_text(left) + " for a process: runs of task " +
                                 one.spec.task + " have ended " + std::to_string(pause.deaths) + " in a row";
        one.listener->on_line(one.spec.id, {Level::info, text});
    }
}

void WarmGroup::start_processes() {
    std::size_t starting = 0;
    for (const auto& process : processes_) starting += process->starting() ? 1 : 0;
    const auto most = task_.processes > 0 ? static_cast<std::size_t>(task_.processes) : waiting_.max_size();
    const std::size_t wanted = ready();
    while (wanted > 0 && processes_.size() < most) {
        // How much one takes is known after the first hello; after a failure one is tried before there are more.
        if (starting > 0 && (expected_concurrency_ == 0 || failures_ > 0)) return;
        if (starting * expected_concurrency_ >= wanted) return;
        if (backoff_timer_.armed()) {
            if (!start_failure_.empty() && processes_.empty()) on_not_started(start_failure_);
            return;
        }
        start_process();
        ++starting;
    }
}

void WarmGroup::start_process() {
    WarmProcess::Events events{
        [this](const WarmProcess& process) { on_hello(process); },
        [this](Landing landing) { on_landed(std::move(landing)); },
        [this](const WarmProcess& process, WarmProcess::Farewell farewell) { on_gone(process, std::move(farewell)); },
    };
    std::string_view owner = waiting_.front().spec.fence;
    owner.remove_prefix(std::min(owner.find(':') + 1, owner.size()));
    processes_.push_back(std::make_unique<WarmProcess>(host_, task_, limits_, owner, std::move(events)));
}

void WarmGroup::on_hello(const WarmProcess& process) {
    start_failure_.clear();
    expected_concurrency_ = static_cast<std::size_t>(process.concurrency());
    pump();
    watch_idle();
}

void WarmGroup::on_landed(Landing landing) {
    if (landing.outcome.kind == Outcome::completed) {
        failures_ = 0;
        pauses_.erase(landing.task);
    }
    pump();
    watch_idle();
    landing.listener->on_done(landing.id, std::move(landing.outcome));  // last: it may start another run
}

void WarmGroup::on_gone(const WarmProcess& process, WarmProcess::Farewell farewell) {
    const std::string early = farewell.served ? "" : process.ended_early(farewell);
    std::erase_if(processes_, [&process](const auto& one) { return one.get() == &process; });
    if (!farewell.expected && farewell.culprits.empty()) back_off();
    if (!farewell.expected) pause(farewell.culprits);
    if (!farewell.served) on_not_started(early);
    pump();
    for (Landing& landing : farewell.landings) landing.listener->on_done(landing.id, std::move(landing.outcome));
}

void WarmGroup::on_not_started(const std::string& reason) {
    start_failure_ = reason;
    // Others may still take what waits here.
    if (!processes_.empty()) return;
    for (const Waiting& waiting : std::exchange(waiting_, {})) refuse(waiting, reason);
}

void WarmGroup::back_off() {
    backoff_timer_.once(half_jitter(backoff_base, backoff_max, failures_++), [this] { pump(); });
}

void WarmGroup::watch_idle() {
    if (task_.warm_idle <= Millis{0} || idle_timer_.armed()) return;
    const bool any = std::any_of(processes_.begin(), processes_.end(), [](const auto& one) { return one->idle(); });
    if (any) idle_timer_.once(task_.warm_idle, [this] { on_idle_time(); });
}

void WarmGroup::retire() {
    task_.warm_idle = Millis{1};
    idle_timer_.stop();
    on_idle_time();
}

void WarmGroup::on_idle_time() {
    std::optional<Millis> next;
    for (const auto& process : processes_) {
        if (!process->idle()) continue;
        const Millis left = task_.warm_idle - since(process->idle_since());
        if (left <= Millis{0}) {
            process->retire();
        } else if (!next || left < *next) {
            next = left;
        }
    }
    if (next) idle_timer_.once(*next, [this] { on_idle_time(); });
}

// The process is one for several tasks, and its own words name one of them; the run says which it is of.
void WarmGroup::refuse(const Waiting& waiting, std::string message) {
    if (const std::string prefix = "task " + task_.name + ": "; message.starts_with(prefix))
        message.erase(0, prefix.size());
    Outcome outcome;
    outcome.kind = Outcome::not_started;
    outcome.error_class = "spawn";
    outcome.error_message = std::move(message);
    tell({waiting.listener, waiting.spec.id, std::move(outcome)});
}

void WarmGroup::tell(Landing landing) {
    later_.push_back(std::move(landing));
    later_timer_.once(Millis{0}, [this] {
        for (Landing& one : std::exchange(later_, {})) one.listener->on_done(one.id, std::move(one.outcome));
    });
}

}  // namespace dormouse::handlers
