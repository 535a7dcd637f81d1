// A pool whose program is another one by now: the new one is started beside this process and takes over, as the one
// before this did, perhaps. Both ends of it.
#include <algorithm>
#include <utility>

#include "base/log.h"
#include "metrics/exposition.h"
#include "store/wire.h"
#include "systemd/notify.h"
#include "worker/identity.h"
#include "worker/pool.h"

namespace dormouse::worker {
namespace {

Farewell farewell_of(const OldProgram::Gone& gone) {
    return {gone.clean, gone.clean, gone.due};
}

}  // namespace

void Pool::start_new_program() {
    new_program_ = std::make_unique<NewProgram>(
        loop_, NewProgram::Listeners{
                   [this] { on_new_program_ready(); }, [this](const std::string& why) { on_new_program_failed(why); },
                   [this](bool gone) {
                       if (gone) log::event(log::Level::error, "new_program", "the program that took over has ended");
                       terminate_what_is_left();
                   }});
    const Status started =
        new_program_->start(sources_.environment, doorbell_.sockets(), predecessors_ ? predecessors_->directory() : -1);
    if (!started) return on_new_program_failed(started.error().message);
    log::event(log::Level::info, "new_program",
               "the program is another one by now, which is started as process " + std::to_string(new_program_->pid()),
               {{"pool", sources_.pool}});
}

/// What was asked for is a reload: that this process can do.
void Pool::on_new_program_failed(const std::string& why) {
    log::event(log::Level::warning, "new_program",
               "the new program does not take over, this process continues: " + why +
                   "; see `dormouse worker --check " + sources_.pool + "`, then reload the unit again",
               {{"pool", sources_.pool}});
    new_program_.reset();
    on_configuration_changed(true);
}

/// The totals are written down first: the new one goes on from there.
void Pool::on_new_program_ready() {
    if (is_leaving()) return;  // the new one is told by our end
    if (!metrics_) return give_way();
    metrics_->finish({}, [this] {
        new_program_ && !is_leaving() ? metrics_->begin_rest() : metrics_->go_on();
        give_way();
    });
}

bool Pool::is_leaving() const {
    return stopping_ || farewell_ || (present_ && present_->worker->state() >= State::leaving);
}

void Pool::give_way() {
    // Meanwhile it may have ended, or this process may leave: then whoever is started next is the new program.
    if (!new_program_ || is_leaving()) return new_program_.reset();
    doorbell_.stop();
    watchdog_.stop();
    retry_.stop();
    watches_.clear();
    handler_watches_.clear();
    check_.abandon();
    farewell_ = Farewell{true, true, std::nullopt};
    const std::vector<Uuid> workers = predecessors_ ? predecessors_->alive() : std::vector<Uuid>();
    if (auto last = std::move(present_); last && last->worker->is_waiting_for_database())
        farewell_->graceful = false;  // it has nothing, but a claim may be unanswered
    else if (last)
        before_.push_back(std::move(last));
    if (predecessors_) predecessors_->give_away();
    systemd::notify_main_process(new_program_->pid());
    systemd::notify_no_more();
    new_program_->take_over(workers, runs_at_work());
    for (const auto& generation : before_) {
        generation->handlers->retire();
        generation->worker->hand_over();
    }
    end_if_given_way();
}

std::map<std::string, int> Pool::runs_at_work() const {
    std::map<std::string, int> runs;
    for (const auto& generation : before_) generation->worker->add_at_work(runs);
    if (old_program_)
        for (const auto& [task, count] : old_program_->at_work()) runs[task] += count;
    return runs;
}

/// A run of a worker before the present one is over, in this process or in the one before it.
void Pool::on_room() {
    if (gave_way()) return new_program_->tell_at_work(runs_at_work());
    if (present_) present_->worker->look();
}

void Pool::end_if_given_way() {
    if (!gave_way() || stopping_ || !before_.empty() || old_program_) return;
    stopping_ = true;
    if (metrics_) new_program_->tell_metrics(metrics_->rest());
    const auto end = [this] {
        log::event(log::Level::info, "worker_pool_stopped", "the new program has the rest",
                   {{"graceful", farewell_->graceful ? "true" : "false"}, {"pool", sources_.pool}});
        new_program_->tell_gone(farewell_->graceful && farewell_->due_known, farewell_->due);
        loop_.stop();
    };
    finish_traces([this, end] { alerts_ ? alerts_->leave(farewell_->graceful, end) : end(); });
}

void Pool::terminate_what_is_left() {
    for (const auto& generation : before_) generation->worker->terminate();
    if (old_program_) old_program_->terminate();
}

// The other end: this process is to take over.

void Pool::meet_old_program() {
    old_program_ = std::make_unique<OldProgram>(
        loop_, std::move(inheritance_->channel),
        OldProgram::Listeners{[this] { on_given_way(); }, [this] { on_room(); },
                              [this](const OldProgram::Gone& gone) { on_old_program_gone(gone); },
                              [this](const std::string& metrics) {
                                  const auto rest = metrics::read_exposition(metrics, sources_.pool);
                                  if (metrics_ && rest) metrics_->tally().go_on_from(*rest);
                              }});
}

/// Nothing is done before the old one has said that it is ours.
void Pool::tell_old_program() {
    const auto loaded = config::load(sources_);
    if (!loaded) return tell_old_program(loaded.error().message);
    // One that sleeps is not woken for that.
    const bool sleeps =
        loaded->config.database.close_after > Millis{0} || store::known_to_suspend(loaded->config.database.url);
    sleeps ? tell_old_program("") : try_schema(loaded->config);
}

/// A program that cannot work with the schema would take over and wait. A database that is away is no reason against
/// it.
void Pool::try_schema(const config::Config& config) {
    constexpr Millis longest{5'000};
    const auto tell = [this](Millis wait, const std::string& refusal) {  // never from a callback of the session
        retry_.once(wait, [this, refusal] {
            trial_.reset();
            tell_old_program(refusal);
        });
    };
    const store::Place place{config.database.url, config.database.passfile,
                             std::min(longest, config.database.connect_timeout)};
    trial_ = std::make_unique<store::Wire>(
        loop_,
        store::Wire::Terms{.place = place,
                           .identity = make_identity(config.pool, config.worker.queues),
                           .listens = false,
                           .opens_again = false},
        store::Wire::Events{.on_open = [tell] { tell(Millis{0}, ""); },
                            .on_lost =
                                [tell](const Error& error) {
                                    tell(Millis{0}, error.kind == ErrorKind::incompatible ? error.message : "");
                                }});
    tell(longest, "");
    trial_->open();
}

/// Empty: this one is ready.
void Pool::tell_old_program(const std::string& refusal) {
    if (refusal.empty()) return old_program_->ready();
    old_program_->refuse(refusal);
    loop_.stop();
}

void Pool::on_given_way() {
    int runs = 0;
    for (const auto& [task, count] : old_program_->at_work()) runs += count;
    log::event(log::Level::info, "new_program",
               "this one has taken over; " + std::to_string(runs) + " runs finish in the one before, process " +
                   std::to_string(old_program_->pid()),
               {{"pool", sources_.pool}});
    begin();
}

void Pool::on_old_program_gone(const OldProgram::Gone& gone) {
    const auto old = std::move(old_program_);
    if (!old->has_given()) {  // it goes on without us, or has ended between two words: then we are the main process
        exit_code_ = 1;
        return loop_.stop();
    }
    if (!gone.clean && processes_) processes_->cgroups().kill_runs_of(old->pid());
    if (predecessors_)
        for (const Uuid& worker : old->workers())
            gone.clean ? predecessors_->leave(worker) : predecessors_->died(worker);
    if (!farewell_) return on_room();
    add_farewell(farewell_of(gone));
    end_if_given_way();
    if (!gave_way() && before_.empty()) end(*farewell_);
}

}  // namespace dormouse::worker
