#include "worker/pool.h"

#include <algorithm>
#include <csignal>
#include <utility>

#include "base/backoff.h"
#include "base/crash_point.h"
#include "base/log.h"
#include "store/server_proof.h"
#include "systemd/listen.h"
#include "systemd/notify.h"
#include "systemd/wake_files.h"
#include "worker/identity.h"
#include "worker/task_check.h"

namespace dormouse::worker {
namespace {

constexpr Millis first_reload{1'000};
constexpr Millis longest_reload{300'000};

bool is_explicit(const config::Loaded& loaded, const std::string& option) {
    const auto origin = loaded.origins.find(option);
    return origin != loaded.origins.end() && origin->second != "default";
}

/// As nohup(1) leaves it to its program.
bool is_ignored(int signal) {
    struct sigaction action{};
    return ::sigaction(signal, nullptr, &action) == 0 && action.sa_handler == SIG_IGN;
}

std::string names_of(const std::map<std::string, config::Task>& tasks) {
    std::string names;
    for (const auto& [name, task] : tasks) names += (names.empty() ? "" : ", ") + name;
    return names.empty() ? "none" : names;
}

}  // namespace

Pool::Pool(loop::Loop& loop, config::Sources sources, Errand errand, Program program)
    : loop_(loop),
      sources_(std::move(sources)),
      errand_(errand),
      guest_(program.guest),
      supervision_(guest_ ? std::nullopt : supervision_of(sources_)),
      doorbell_(loop, guest_ ? std::vector<UniqueFd>() : systemd::take_listening_sockets()),
      log_drain_(loop),
      check_(loop),
      watchdog_(loop, "pool.watchdog"),
      retry_(loop, "pool.reload"),
      errand_timer_(loop, "pool.errand") {
    loop_.turns().on_idle([this](const std::string& timers) {
        log::event(
            log::Level::error, "loop_turns",
            "100 turns of the loop have changed nothing; it now pauses before what it was about to do: " + timers,
            {{"pool", sources_.pool}, {"timers", timers}});
    });
    if (!guest_) {
        on_sigterm_.emplace(loop, SIGTERM, [this] { on_signal(); });
        on_sigint_.emplace(loop, SIGINT, [this] { on_signal(); });
        if (!is_ignored(SIGHUP)) on_sighup_.emplace(loop, SIGHUP, [this] { on_hangup(); });
    }
    for (const auto& [task, function] : program.functions) sources_.functions.push_back(task);
    if (program.functions.empty()) return;
    in_process_ = std::make_unique<handlers::InProcess>(loop, std::move(program.functions));
    in_process_->on_return([this](const Uuid& id, const std::string& task) { on_function_returned(id, task); });
}

void Pool::start() {
    log::event(log::Level::info, "worker_pool_starting", "pool " + sources_.pool + ", dormouse " DORMOUSE_VERSION,
               {{"pool", sources_.pool}});
    woken_by_ = what_woke_us();
    doorbell_.answer([this] {
        if (worker_) worker_->rung();  // without one the ring is owed by the look that comes with it
    });
    if (supervision_) {
        failures_ = systemd::failures_in_a_row(supervision_->runtime_directory, sources_.pool);
        systemd::remove_due_file(supervision_->runtime_directory, sources_.pool);
        crash_point("due_file.removed");
    }
    if (!guest_) start_watchdog();
    if (errand_.timeout > Millis{0}) errand_timer_.once(errand_.timeout, [this] { on_errand_over(); });
    retry_.once(Millis{0}, [this] {
        if (!guest_) systemd::notify_ready();  // the loop runs
        crash_point("pool.ready");
        load();
    });
}

// Also called by a retry that was armed before the worker found its database. The files are the host's own, in /etc and
// /run: the loop reads them itself, as it loads the libraries that are beside them.
void Pool::load() {
    if (stopping_ || (worker_ && !worker_->is_waiting_for_database())) return;
    auto loaded = config::load(sources_);
    loaded ? make_worker(std::move(*loaded)) : configuration_failed(loaded.error());
}

void Pool::check_tasks(const config::Config& config) {
    check_.abandon();  // of the configuration before
    const auto tell = [names = names_of(config.tasks), pool = config.pool](const std::string& problem) {
        log::event(problem.empty() ? log::Level::info : log::Level::warning, "tasks_loaded",
                   names + (problem.empty() ? "" : "; " + problem), {{"pool", pool}});
    };
    std::unique_ptr<loop::Job> check = std::make_unique<TaskCheck>(config.tasks, *handlers_, tell);
    if (!check_.start(check)) tell("their programs are not looked at: no thread can be made");
}

void Pool::make_worker(config::Loaded loaded) {
    failed_loads_ = 0;
    last_failure_.clear();
    worker_.reset();
    handlers_.reset();
    alerts_.reset();
    loaded_ = std::move(loaded);
    suit_a_database_that_sleeps();
    const config::Config& config = loaded_->config;
    for (const std::string& warning : loaded_->warnings) log::event(log::Level::warning, "configuration", warning);
    if (const std::string warning = store::unproven_server(loaded_->config.database.url); !warning.empty())
        log::event(log::Level::warning, "configuration", warning);
    if (config.alerts.any())
        alerts_ =
            std::make_unique<alerts::Desk>(loop_, config, sources_, supervision_ ? supervision_->state_directory : "");
    if (in_process_) in_process_->configure(config.worker.concurrency, config.limits);
    handlers_ =
        std::make_unique<handlers::Handlers>(loop_, config.tasks, config.limits, std::nullopt, in_process_.get());
    check_tasks(config);
    if (!handlers_->limits_without_effect().empty())
        log::event(log::Level::warning, "configuration", handlers_->limits_without_effect(), {{"pool", config.pool}});
    start_metrics(config);
    Worker::Circumstances circumstances;
    if (metrics_) circumstances.tally = &metrics_->tally();
    circumstances.identity = make_identity(config, errand_);
    circumstances.owns_process = !guest_;
    circumstances.leaves_when_idle =
        !guest_ && (doorbell_.present() || supervision_ || is_explicit(*loaded_, "worker.idle_exit"));
    predecessors_.reset();  // gives the lock back
    if (supervision_)
        predecessors_ = std::make_unique<Predecessors>(supervision_->state_directory, circumstances.identity);
    else
        predecessors_ = std::make_unique<Predecessors>(guest_ ? "" : state_directory(), circumstances.identity,
                                                       Predecessors::Of::foreground);
    circumstances.predecessors = predecessors_.get();
    circumstances.errand = rest_of_errand();
    circumstances.promise.promises =
        config.wake.promises && supervision_ && !errand_.any() && config.database.close_after == Millis{0};
    circumstances.promise.rests = !errand_.any();
    circumstances.environment = sources_.environment;
    circumstances.owns_spool = supervision_.has_value();
    circumstances.first_connect_delay = systemd::first_connect_delay(failures_);
    circumstances.on_gone = [this](const Farewell& farewell) { on_gone(farewell); };
    worker_ = std::make_unique<Worker>(loop_, config, doorbell_, *handlers_, std::move(circumstances));
    watch_file();
    doorbell_.use_wake_file(config.paths.wake_directory + "/" + config.pool);
    handlers_->expect_start();  // whoever wakes a pool has work for it
    worker_->start();
}

// Long leases there: extending them would keep it awake for as long as a run takes.
void Pool::suit_a_database_that_sleeps() {
    constexpr Millis quiet{10'000};
    constexpr Millis longest_lease{3'600'000};
    config::Config& config = loaded_->config;
    if (!is_explicit(*loaded_, "database.close_after") && store::known_to_suspend(config.database.url))
        config.database.close_after = quiet;
    if (config.database.close_after == Millis{0} || is_explicit(*loaded_, "worker.lease")) return;
    for (const auto& [name, task] : config.tasks) {
        const Millis longest = task.timeout == Millis{0} ? longest_lease : task.timeout;
        config.worker.lease = std::clamp(longest, config.worker.lease, longest_lease);
    }
}

void Pool::configuration_failed(const Error& error) {
    const bool news = error.message != last_failure_;
    last_failure_ = error.message;
    log::event(news ? log::Level::error : log::Level::debug, "configuration", error.message);
    if (!guest_) systemd::notify_status("waits for a configuration it can use: " + error.message);
    watch_file();
    retry_.once(half_jitter(first_reload, longest_reload, failed_loads_++), [this] { load(); });
}

// A worker that is made anew has what is left of the time.
Errand Pool::rest_of_errand() const {
    Errand rest = errand_;
    if (rest.timeout > Millis{0}) rest.timeout = std::max(Millis{1}, rest.timeout - since(started_));
    return rest;
}

// A worker sees to it itself.
void Pool::on_errand_over() {
    if (worker_ || stopping_) return;
    log::event(log::Level::info, "worker_pool_shutting_down",
               "its time is over, and it has had no configuration it could use: " + last_failure_,
               {{"pool", sources_.pool}});
    on_gone(Farewell{true, false, std::nullopt, ErrandEnd::timed_out});
}

void Pool::watch_file() {
    if (watch_) return;
    watch_ = std::make_unique<loop::Watch>(loop_, config::file_of(sources_), [this] { on_configuration_changed(); });
}

// A worker that has its database keeps the configuration it was started with.
void Pool::on_configuration_changed() {
    if (stopping_) return;
    if (worker_ && !worker_->is_waiting_for_database()) return;
    failed_loads_ = 0;
    failures_ = 0;
    retry_.once(Millis{50}, [this] { load(); });  // an editor writes in several steps
}

void Pool::on_signal() {
    if (stopping_) return loop_.stop();
    if (worker_) return worker_->terminate();
    log::event(log::Level::info, "worker_pool_signal_received", "leaving: nothing was running");
    on_gone(Farewell{true, false, std::nullopt});
}

// A closed terminal: the shell tells its jobs, and the kernel tells them once more; that is no second request. In the
// pool's unit it is what it is to other services: look at your file.
void Pool::on_hangup() {
    if (supervision_) return on_configuration_changed();
    if (!std::exchange(hung_up_, true)) on_signal();
}

void Pool::leave_within(Millis grace, Millis patience, Millis last_writes) {
    if (stopping_) return;
    if (worker_) return worker_->leave_within(grace, patience, last_writes);
    on_gone(Farewell{true, false, std::nullopt});
}

// Its slot is free again.
void Pool::on_function_returned(const Uuid& id, const std::string& task) {
    log::event(log::Level::info, "function_returned", task + " was given up and has returned: its thread is free",
               {{"run_id", id.to_string()}, {"task", task}});
    if (worker_) worker_->rung();
}

void Pool::on_gone(const Farewell& farewell) {
    if (predecessors_ && farewell.graceful && farewell.due_known)
        predecessors_->leave();  // else a claim may be unanswered
    if (supervision_ && farewell.due_known) {
        const auto written = systemd::write_due_file(supervision_->runtime_directory, sources_.pool, farewell.due);
        if (!written) log::event(log::Level::error, "due_file", written.error().message);
    }
    const std::string due = !farewell.due_known ? "unknown"
                            : farewell.due      ? "in " + std::to_string(farewell.due->count()) + " ms"
                                                : "none";
    log::event(farewell.graceful ? log::Level::info : log::Level::error, "worker_pool_stopped", "next due: " + due,
               {{"graceful", farewell.graceful ? "true" : "false"}, {"pool", sources_.pool}});
    crash_point("pool.stopped");
    exit_code_ = farewell.graceful ? 0 : 1;
    errand_end_ = farewell.errand;
    stopping_ = true;
    const auto tell = [this, graceful = farewell.graceful] {
        alerts_ ? alerts_->leave(graceful, [this] { loop_.stop(); }) : loop_.stop();
    };
    metrics_ ? metrics_->finish({farewell.due_known, farewell.due}, tell) : tell();
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

/// Once: what is configured for metrics while the worker waits for its database counts from its next start.
void Pool::start_metrics(const config::Config& config) {
    if (metrics_ || !config.metrics.wanted()) return;
    metrics_.emplace(loop_, config.pool,
                     metrics::Places{config.metrics.textfile, config.metrics.listen,
                                     supervision_ ? supervision_->state_directory : ""},
                     [](const std::string& text) { log::event(log::Level::warning, "metrics", text); });
    metrics_->start(woken_by_);
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
