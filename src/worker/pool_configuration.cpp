// What a pool reads, and the worker that it makes of it: at the start, when there was nothing that it could use, and
// when it changes.
#include <algorithm>
#include <filesystem>
#include <system_error>
#include <utility>

#include "base/backoff.h"
#include "base/log.h"
#include "store/server_proof.h"
#include "systemd/notify.h"
#include "systemd/wake_files.h"
#include "worker/identity.h"
#include "worker/pool.h"
#include "worker/task_check.h"

namespace dormouse::worker {
namespace {

constexpr Millis first_reload{1'000};
constexpr Millis longest_reload{300'000};
constexpr Millis an_edit_takes{500};  ///< an editor writes in several steps, a deploy several files

bool is_explicit(const config::Loaded& loaded, const std::string& option) {
    const auto origin = loaded.origins.find(option);
    return origin != loaded.origins.end() && origin->second != "default";
}

/// A program with functions that names this number itself: they may not bear more of them at once.
bool says_itself(const config::Loaded& loaded, const std::string& option) {
    const auto origin = loaded.origins.find(option);
    return origin != loaded.origins.end() && origin->second == "override";
}

std::string names_of(const std::map<std::string, config::Task>& tasks) {
    std::string names;
    for (const auto& [name, task] : tasks) names += (names.empty() ? "" : ", ") + name;
    return names.empty() ? "none" : names;
}

/// Long leases where the database sleeps: extending them would keep it awake for as long as a run takes.
void suit_a_database_that_sleeps(config::Loaded& loaded) {
    constexpr Millis quiet{10'000};
    constexpr Millis longest_lease{3'600'000};
    config::Config& config = loaded.config;
    if (!is_explicit(loaded, "database.close_after") && store::known_to_suspend(config.database.url))
        config.database.close_after = quiet;
    if (config.database.close_after == Millis{0} || is_explicit(loaded, "worker.lease")) return;
    for (const auto& [name, task] : config.tasks) {
        const Millis longest = task.timeout == Millis{0} ? longest_lease : task.timeout;
        config.worker.lease = std::clamp(longest, config.worker.lease, longest_lease);
    }
}

}  // namespace

// The files are the host's own, in /etc and /run: the loop reads them itself, as it loads the libraries that are beside
// them.
void Pool::load() {
    if (stopping_ || (present_ && present_->worker->state() >= State::leaving)) return;
    auto loaded = config::load(sources_);
    if (!loaded) return configuration_failed(loaded.error());
    failed_loads_ = 0;
    suit_a_database_that_sleeps(*loaded);
    const bool mended = !std::exchange(last_failure_, "").empty();
    const bool same = present_ && !std::exchange(renew_, false) && loaded->config == present_->loaded.config;
    if (!same) return employ(std::move(*loaded));
    if (mended)
        log::event(log::Level::info, "configuration", "it is what this worker has again", {{"pool", sources_.pool}});
}

void Pool::employ(config::Loaded loaded) {
    std::unique_ptr<Generation> before = std::move(present_);
    if (before && before->worker->is_waiting_for_database()) {  // it has nothing
        if (predecessors_) predecessors_->died(before->worker->id());
        check_.abandon();
        before.reset();
    }
    if (before)
        log::event(log::Level::info, "configuration_taken_over",
                   std::to_string(before->worker->at_work()) + " runs finish under the one before",
                   {{"pool", sources_.pool}});
    present_ = make(std::move(loaded));
    if (before) {
        before_.push_back(std::move(before));
        before_.back()->handlers->retire();
        before_.back()->worker->hand_over();
    }
    watch_configuration();
    doorbell_.use_wake_file(present_->loaded.config.paths.wake_directory + "/" + sources_.pool);
    present_->handlers->expect_start();  // whoever wakes a pool has work for it
    present_->worker->start();
}

std::unique_ptr<Generation> Pool::make(config::Loaded loaded) {
    auto made = std::make_unique<Generation>();
    made->loaded = std::move(loaded);
    const config::Config& config = made->loaded.config;
    for (const std::string& warning : made->loaded.warnings) log::event(log::Level::warning, "configuration", warning);
    if (const std::string warning = store::unproven_server(config.database.url); !warning.empty())
        log::event(log::Level::warning, "configuration", warning);
    start_alerts(config);
    start_metrics(config);
    if (in_process_) in_process_->configure(config.worker.concurrency, config.limits);
    if (!processes_ && handlers::have_processes(config.tasks))
        processes_ = std::make_shared<handlers::Processes>(loop_);
    made->handlers =
        std::make_unique<handlers::Handlers>(loop_, config.tasks, config.limits, processes_, in_process_.get());
    check_.abandon();  // of the configuration before
    handler_watches_.clear();
    check_tasks(*made);
    if (!made->handlers->limits_without_effect().empty())
        log::event(log::Level::warning, "configuration", made->handlers->limits_without_effect(),
                   {{"pool", config.pool}});
    made->worker = std::make_unique<Worker>(loop_, config, doorbell_, *made->handlers, circumstances_of(*made));
    return made;
}

Circumstances Pool::circumstances_of(Generation& generation) {
    const config::Config& config = generation.loaded.config;
    Circumstances circumstances;
    if (metrics_) circumstances.tally = &metrics_->tally();
    circumstances.identity = make_identity(config, errand_);
    start_traces(config, circumstances.identity);
    if (!config.traces.file.empty()) circumstances.tracer = &*tracer_;
    if (in_process_ && says_itself(generation.loaded, "worker.concurrency"))
        circumstances.identity.concurrency_max = config.worker.concurrency;
    circumstances.owns_process = !guest_;
    circumstances.leaves_when_idle =
        !guest_ && !errand_.run &&
        (doorbell_.present() || supervision_ || is_explicit(generation.loaded, "worker.idle_exit"));
    know_predecessors(circumstances.identity);
    circumstances.predecessors = predecessors_.get();
    circumstances.errand = rest_of_errand();
    circumstances.promise.promises =
        config.wake.promises && supervision_ && !errand_.any() && config.database.close_after == Millis{0};
    circumstances.promise.rests = !errand_.any();
    circumstances.environment = sources_.environment;
    circumstances.owns_spool = supervision_ ? SpoolOwner::unit : guest_ ? SpoolOwner::nobody : SpoolOwner::foreground;
    circumstances.first_connect_delay = systemd::first_connect_delay(failures_);
    circumstances.elsewhere = elsewhere();
    circumstances.on_room = [this] { on_room(); };
    circumstances.on_gone = [this, &generation](const Farewell& farewell) { on_gone(generation, farewell); };
    return circumstances;
}

/// What those before the present worker still execute, in this process and in the one before it. Asked by that one, and
/// by them when they are no longer asked.
Elsewhere Pool::elsewhere() {
    return {.runs =
                [this] {
                    std::size_t runs = 0;
                    for (const auto& generation : before_) runs += generation->worker->at_work();
                    if (old_program_)
                        for (const auto& [task, count] : old_program_->at_work())
                            runs += static_cast<std::size_t>(count);
                    return runs;
                },
            .runs_of =
                [this](const std::string& task) {
                    int runs = 0;
                    for (const auto& generation : before_) runs += generation->worker->at_work(task);
                    if (const auto* const old = old_program_.get(); old && old->at_work().contains(task))
                        runs += old->at_work().at(task);
                    return runs;
                }};
}

void Pool::know_predecessors(store::Identity& who) {
    if (predecessors_) return predecessors_->arrive(who);
    if (inheritance_ && inheritance_->state_directory.valid() && old_program_)
        predecessors_ =
            std::make_unique<Predecessors>(std::move(inheritance_->state_directory), who, old_program_->workers());
    else if (supervision_)
        predecessors_ = std::make_unique<Predecessors>(supervision_->state_directory, who);
    else
        predecessors_ =
            std::make_unique<Predecessors>(guest_ ? "" : state_directory(), who, Predecessors::Of::foreground);
}

void Pool::check_tasks(const Generation& generation) {
    const config::Config& config = generation.loaded.config;
    const auto tell = [this, names = names_of(config.tasks), pool = config.pool,
                       concurrency = std::to_string(config.worker.concurrency)](const TaskCheck::Found& found) {
        log::event(found.problem.empty() ? log::Level::info : log::Level::warning, "tasks_loaded",
                   names + (found.problem.empty() ? "" : "; " + found.problem),
                   {{"pool", pool}, {"concurrency", concurrency}});
        if (in_process_ || errand_.any()) return;
        for (const std::string& file : found.files)
            handler_watches_.push_back(
                std::make_unique<loop::Watch>(loop_, file, [this] { on_configuration_changed(true); }));
    };
    std::unique_ptr<loop::Job> check = std::make_unique<TaskCheck>(config.tasks, *generation.handlers, tell);
    if (!check_.start(check)) tell({"their programs are not looked at: no thread can be made", {}});
}

void Pool::configuration_failed(const Error& error) {
    const bool news = error.message != last_failure_;
    last_failure_ = error.message;
    const bool works = present_ && !present_->worker->is_waiting_for_database();
    log::event(news ? log::Level::error : log::Level::debug, "configuration",
               error.message + (works ? "; until it is fixed, this worker keeps the previous one" : ""),
               {{"pool", sources_.pool}});
    if (works) return;  // it is read again when it changes
    if (errand_.any())  // whoever has sent it waits for its end
        return end(Farewell{true, false, std::nullopt, ErrandEnd::no_configuration});
    if (!guest_) systemd::notify_status("waits for a configuration it can use: " + error.message);
    watch_configuration();
    retry_.once(half_jitter(first_reload, longest_reload, failed_loads_++), [this] { load(); });
}

// A worker that is made anew has what is left of the time.
Errand Pool::rest_of_errand() const {
    Errand rest = errand_;
    if (rest.timeout > Millis{0}) rest.timeout = std::max(Millis{1}, rest.timeout - since(started_));
    return rest;
}

/// The file, and what it leads to if it is a link, which may be another one by now. Never from a watch.
void Pool::watch_configuration() {
    const auto before = std::exchange(watches_, {});  // until the new ones watch
    const std::string file = config::file_of(sources_);
    const auto watch = [this](const std::string& path) {
        watches_.push_back(std::make_unique<loop::Watch>(loop_, path, [this] { on_configuration_changed(false); }));
    };
    watch(file);
    std::error_code none;
    if (const auto target = std::filesystem::canonical(file, none); !none && target != file) watch(target);
}

// An errand, and a program with functions of its own, keep the configuration that they have found their database by.
void Pool::on_configuration_changed(bool renew) {
    if (stopping_) return;
    const bool works = present_ && !present_->worker->is_waiting_for_database();
    if (works && (in_process_ || errand_.any())) return;
    failed_loads_ = 0;
    failures_ = 0;
    renew_ = renew_ || (works && renew);
    if (!works || !retry_.armed()) retry_.once(works ? an_edit_takes : Millis{50}, [this] { load(); });
}

void Pool::start_alerts(const config::Config& config) {
    if (alerts_ && alerts_->fits(config)) return;
    std::vector<alerts::Notice> left = alerts_ ? alerts_->give_up() : std::vector<alerts::Notice>{};
    alerts_.reset();  // two of them would not both hear of what happens
    if (!alerts::Desk::wanted(config)) return;
    alerts_ =
        std::make_unique<alerts::Desk>(loop_, config, sources_, supervision_ ? supervision_->state_directory : "");
    alerts_->take_over(std::move(left));
}

void Pool::start_traces(const config::Config& config, const store::Identity& who) {
    if (config.traces.file.empty()) return;
    if (!tracer_) {
        const auto service = sources_.environment.find("OTEL_SERVICE_NAME");
        tracer_.emplace(
            loop_,
            traces::Source{
                service == sources_.environment.end() || service->second.empty() ? "dormouse" : service->second,
                who.version, who.id.to_string(), who.host, config.pool},
            [pool = config.pool](bool is_trouble, const std::string& text) {
                log::event(is_trouble ? log::Level::warning : log::Level::info, "traces", text, {{"pool", pool}});
            });
    }
    tracer_->write_to(config.traces.file);
}

/// Once: what is configured for metrics later counts from the next start.
void Pool::start_metrics(const config::Config& config) {
    if (metrics_ || !config.metrics.wanted()) return;
    metrics_.emplace(loop_, config.pool,
                     metrics::Places{config.metrics.textfile, config.metrics.listen,
                                     supervision_ ? supervision_->state_directory : ""},
                     [](const std::string& text) { log::event(log::Level::warning, "metrics", text); });
    metrics_->start(woken_by_);
}

}  // namespace dormouse::worker
