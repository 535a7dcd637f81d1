#include "worker/pool.h"

#include <algorithm>
#include <csignal>
#include <utility>

#include "base/crash_point.h"
#include "base/log.h"
#include "systemd/listen.h"
#include "systemd/notify.h"
#include "systemd/wake_files.h"

namespace dormouse::worker {
namespace {

/// As nohup(1) leaves it to its program.
bool is_ignored(int signal) {
    struct sigaction action{};
    return ::sigaction(signal, nullptr, &action) == 0 && action.sa_handler == SIG_IGN;
}

}  // namespace

Pool::Pool(loop::Loop& loop, config::Sources sources, Errand errand, Program program)
    : loop_(loop),
      sources_(std::move(sources)),
      errand_(errand),
      guest_(program.guest),
      supervision_(guest_ ? std::nullopt : supervision_of(sources_)),
      inheritance_(guest_ || !supervision_ ? nullptr : take_inheritance()),
      doorbell_(loop, guest_ ? std::vector<UniqueFd>() : systemd::take_listening_sockets()),
      log_drain_(loop),
      check_(loop),
      watchdog_(loop, "pool.watchdog"),
      retry_(loop, "pool.reload"),
      ring_(loop, "pool.ring"),
      clear_(loop, "pool.clear") {
    loop_.turns().on_idle([this](const std::string& names) {
        log::event(log::Level::error, "loop_turns",
                   "100 turns of the loop have changed nothing; it now pauses before what it was about to do: " + names,
                   {{"pool", sources_.pool}, {"names", names}});
    });
    if (!guest_) {
        on_sigterm_.emplace(loop, SIGTERM, [this] { on_signal(); });
        on_sigint_.emplace(loop, SIGINT, [this] { on_signal(); });
        if (!is_ignored(SIGHUP)) on_sighup_.emplace(loop, SIGHUP, [this] { on_hangup(); });
    }
    if (inheritance_) meet_old_program();
    for (const auto& [task, function] : program.functions) sources_.functions.push_back(task);
    if (program.functions.empty()) return;
    in_process_ = std::make_unique<handlers::InProcess>(loop, std::move(program.functions));
    in_process_->on_return([this](const Uuid& id, const std::string& task) { on_function_returned(id, task); });
}

void Pool::start() {
    log::event(log::Level::info, "worker_pool_starting", "pool " + sources_.pool + ", dormouse " DORMOUSE_VERSION,
               {{"pool", sources_.pool}});
    if (old_program_) return retry_.once(Millis{0}, [this] { tell_old_program(); });
    woken_by_ = what_woke_us();
    begin();
}

void Pool::begin() {
    doorbell_.answer([this] {
        if (present_) present_->worker->rung();  // without one the ring is owed by the look that comes with it
    });
    if (supervision_) {
        failures_ = systemd::failures_in_a_row(supervision_->runtime_directory, sources_.pool);
        systemd::remove_due_file(supervision_->runtime_directory, sources_.pool);
        crash_point("due_file.removed");
    }
    if (!guest_) start_watchdog();
    retry_.once(Millis{0}, [this] {
        if (!guest_) systemd::notify_ready();  // the loop runs
        crash_point("pool.ready");
        load();
    });
}

void Pool::on_signal() {
    told_to_stop_ = true;
    const bool not_yet = old_program_ && !old_program_->has_given();
    if (stopping_ || not_yet) return loop_.stop();
    if (gave_way()) return terminate_what_is_left();
    if (!present_) {
        log::event(log::Level::info, "worker_pool_signal_received", "leaving: nothing was running");
        return end(Farewell{true, false, std::nullopt});
    }
    retry_.stop();
    present_->worker->terminate();
    terminate_what_is_left();
}

// A closed terminal: the shell tells its jobs, and the kernel tells them once more; that is no second request. In the
// pool's unit it is what it is to other services: look at your file.
void Pool::on_hangup() {
    if (new_program_) return;                                // it has been asked for already
    if (old_program_ && !old_program_->has_given()) return;  // nothing is ours yet; what is read then is the newest
    if (supervision_ && program_has_changed()) return start_new_program();
    if (supervision_) return on_configuration_changed(true);
    if (!std::exchange(hung_up_, true)) on_signal();
}

void Pool::leave_within(Leaving::Times times) {
    if (stopping_) return;
    if (present_) return present_->worker->leave_within(times);
    end(Farewell{true, false, std::nullopt});
}

// Its slot is free again.
void Pool::on_function_returned(const Uuid& id, const std::string& task) {
    log::event(log::Level::info, "function_returned", task + " was abandoned and has now returned: its thread is free",
               {{"run_id", id.to_string()}, {"task", task}});
    if (present_) present_->worker->rung();
}

/// Whose worker it was lives until a later turn.
void Pool::on_gone(Generation& whose, Farewell farewell) {
    if (predecessors_) {
        const bool clean = farewell.graceful && farewell.due_known;  // else a claim may be unanswered
        clean ? predecessors_->leave(whose.worker->id()) : predecessors_->died(whose.worker->id());
    }
    if (&whose != present_.get()) return on_predecessor_gone(whose, farewell);
    if (farewell.errand == ErrandEnd::none) farewell.errand = whose.worker->errand_end();
    farewell_ = farewell;
    if (before_.empty() && !old_program_) end(farewell);
}

void Pool::add_farewell(const Farewell& farewell) {
    farewell_->graceful = farewell_->graceful && farewell.graceful;
    farewell_->due_known = farewell_->due_known && farewell.due_known;
    if (farewell.due && (!farewell_->due || *farewell.due < *farewell_->due)) farewell_->due = farewell.due;
}

void Pool::on_predecessor_gone(Generation& whose, const Farewell& farewell) {
    constexpr Millis hooks_take{10'000};
    const auto place = std::find_if(before_.begin(), before_.end(),
                                    [&](const auto& generation) { return generation.get() == &whose; });
    gone_.push_back(std::move(*place));
    before_.erase(place);
    clear_.once(hooks_take, [this] { gone_.clear(); });
    if (!farewell_) return on_room();
    add_farewell(farewell);
    if (gave_way()) {
        on_room();
        return end_if_given_way();
    }
    if (before_.empty() && !old_program_) end(*farewell_);
}

void Pool::end(const Farewell& farewell) {
    write_due(farewell, Millis{0});
    const std::string due = !farewell.due_known ? "unknown"
                            : farewell.due      ? "in " + std::to_string(farewell.due->count()) + " ms"
                                                : "none";
    log::event(farewell.graceful ? log::Level::info : log::Level::error, "worker_pool_stopped", "next due: " + due,
               {{"graceful", farewell.graceful ? "true" : "false"}, {"pool", sources_.pool}});
    crash_point("pool.stopped");
    exit_code_ = farewell.graceful ? 0 : 1;
    errand_end_ = farewell.errand;
    if (errand_end_ == ErrandEnd::none && errand_.any() && told_to_stop_) errand_end_ = ErrandEnd::stopped;
    stopping_ = true;
    const auto over = [this, farewell, began = BootClock::now()] {
        constexpr Millis worth_it{1'000};
        if (since(began) >= worth_it) write_due(farewell, since(began));
        loop_.stop();
    };
    const auto tell = [this, over, graceful = farewell.graceful] {
        if (!alerts_) return over();
        // Whoever rings now is heard by the next worker, which tells what is left.
        constexpr Millis often{50};
        ring_.every(often, [this] {
            if (doorbell_.has_ring()) alerts_->hurry();
        });
        alerts_->leave(graceful, over);
    };
    finish_traces(
        [this, farewell, tell] { metrics_ ? metrics_->finish({farewell.due_known, farewell.due}, tell) : tell(); });
}

/// The time that it says counts from its end.
void Pool::write_due(const Farewell& farewell, Millis passed) const {
    if (!supervision_ || !farewell.due_known) return;
    auto due = farewell.due;
    if (due) due = std::max(Millis{0}, *due - passed);
    const auto written = systemd::write_due_file(supervision_->runtime_directory, sources_.pool, due);
    if (!written) log::event(log::Level::error, "due_file", written.error().message);
}

/// A ring that waits is the socket's; of the others systemd says whose unit it was. Source: systemd.exec(5),
/// TRIGGER_UNIT.
std::string Pool::what_woke_us() const {
    const auto found = sources_.environment.find("TRIGGER_UNIT");
    const std::string unit = found == sources_.environment.end() || !supervision_ ? "" : found->second;
    if (unit.ends_with(".path")) return "path";
    if (unit.ends_with(".timer")) return "timer";
    return doorbell_.has_ring() ? "socket" : "other";
}

void Pool::start_watchdog() {
    if (const auto period = systemd::watchdog_period())
        // A timer fires after the descriptors have been asked: this says that the loop serves them. One that turns for
        // nothing does not say so.
        watchdog_.every(*period / 2, [this] {
            if (!loop_.turns().are_idle()) systemd::notify_watchdog();
        });
}

}  // namespace dormouse::worker
