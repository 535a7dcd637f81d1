#include "worker/participants.h"

#include <utility>

#include "base/log.h"

namespace dormouse::worker {
namespace {

/// Slots are the pool's; what a task bounds by itself stays, and is said where more were wanted.
void tell_bounds(const config::Config& config, int runs) {
    if (runs <= config.worker.concurrency) return;
    std::string bounds;
    for (const auto& [name, task] : config.tasks) {
        const auto add = [&, &task_name = name](const char* key, int most) {
            if (most > 0 && most < runs)
                bounds += (bounds.empty() ? "" : ", ") + task_name + " (" + key + " = " + std::to_string(most) + ")";
        };
        add("concurrency", task.concurrency);
        add("processes", task.processes);
    }
    if (!bounds.empty())
        log::event(log::Level::info, "scaled", "tasks with a bound of their own keep it: " + bounds,
                   {{"pool", config.pool}});
}

}  // namespace

Participants::Participants(loop::Loop& loop, const config::Config& config, handlers::Handlers& handlers,
                           const Circumstances& circumstances, const Life& life, Events events)
    : config_(config),
      circumstances_(circumstances),
      life_(life),
      events_(std::move(events)),
      measures(circumstances.tally, config),
      scale({.pool = config.pool,
             .configured = config.worker.concurrency,
             .most = circumstances.identity.concurrency_max,
             .asks = !circumstances.errand.run.has_value(),
             .on_change = [this, &handlers](int runs) { scale_to(handlers, runs); }}),
      reports({.log_bytes = config.limits.log_bytes, .news_make_rounds = !sleepy()},
              {.on_settled =
                   [this](const Parcel& parcel) {
                       if (parcel.ending.delay) claims.put_back_in(*parcel.ending.delay);
                       measures.ended(parcel);
                       tell_errand(parcel.ending);
                       if (life_.handed_over()) circumstances_.on_room();
                   },
               .on_refused = [this](const Parcel& parcel) { measures.refused(parcel); },
               .on_enqueued = [this](const std::vector<std::string>& queues) { neighbours.ring(queues); },
               .on_news = [this] { events_.on_wish(); },
               .on_stuck = [this](const std::string& why) { life_.tell(why); }}),
      flights(config, handlers, reports.news(), circumstances.identity.id.to_string(), circumstances.elsewhere,
              circumstances.tracer,
              [this](std::optional<Parcel> parcel) {
                  if (!parcel && life_.handed_over()) circumstances_.on_room();
                  if (parcel) reports.outbox().add(std::move(*parcel));
                  if (flights.take_room_made()) claims.owe();
                  events_.on_landed();
              }),
      promises(circumstances.promise),
      claims(config, circumstances.errand, scale, flights, reports,
             {.on_claimed =
                  [this](const std::vector<store::ClaimedRun>& runs) {
                      promises.promise().looked(!runs.empty(), BootClock::now());
                      rounds.second().claimed(static_cast<int>(runs.size()));
                      measures.looked(runs);
                  },
              .on_due = [this] { rescue.want(); },
              .on_standing = [this](const std::string& standing) { events_.on_standing(standing); }}),
      leases(config.worker.lease, flights, claims.shelf(), reports.outbox(),
             [this](std::vector<Parcel> parcels) {
                 for (Parcel& parcel : parcels) reports.outbox().add(std::move(parcel));
             }),
      rescue(circumstances.predecessors, !circumstances.errand.run.has_value(),
             {.on_rescued =
                  [this](std::int64_t runs) {
                      measures.runs_lost(runs);
                      claims.owe();
                  },
              .on_dead_settled = [this] { neighbours.ring_all(); }}),
      imports(loop, config, circumstances.owns_spool, !circumstances.errand.run,
              {.on_change = [this] { events_.on_change(); }, .on_trouble = [this] { events_.on_trouble(); }}),
      retention({.keep = config.retention.finished,
                 .beside_work = !sleepy(),
                 .at_work = [this] { return !flights.empty() && registry.registered(); },
                 .lease_presses = [this] { return leases.extension_wanted(BootClock::now()); }},
                BootClock::now()),
      rounds(loop,
             {.place = {config.database.url, config.database.passfile, config.database.connect_timeout,
                        circumstances.errand.run.has_value()},
              .identity = circumstances.identity,
              .lease = config.worker.lease,
              .retry_max = config.database.retry_max,
              .suspends = sleepy(),
              .in_haste = [this] { return !rounds.held().empty(); }},
             {.on_queue = [this] { claims.owe(), events_.on_change(); },
              .on_taken_away = [this] { leases.doubt(), events_.on_change(); },
              .on_scaled = [this] { scale.ask(), events_.on_change(); }},
             sleepy() ? 0 : circumstances.second_session_at, events_of_rounds()),
      neighbours(config.pool, circumstances.environment) {
    // The order in which they fill a round. Promises come before claims, which see what they ask for; claims know of
    // the scale by the answer that brings them their first runs.
    rounds.add(scale);
    rounds.add(reports, true);
    rounds.add(leases);
    rounds.add(promises);
    rounds.add(registry);
    rounds.add(rescue);
    rounds.add(imports);
    rounds.add(claims);
    rounds.add(retention);
    rounds.add(measures);
}

rounds::Rounds::Events Participants::events_of_rounds() {
    return {.on_open =
                [this] {
                    log::event(log::Level::info, "listening", "connected to " + database().where());
                    if (const std::string warning = database().untested_server(); warning != untested_) {
                        untested_ = warning;
                        if (!warning.empty()) log::event(log::Level::warning, "configuration", warning);
                    }
                    events_.on_change();
                },
            .on_lost = [this](const Error& error) { events_.on_lost(error); },
            .on_trouble = [this] { events_.on_trouble(); },
            .on_change = [this] { events_.on_change(); },
            .on_compose = [this](store::Round& round) { add_fences(round); }};
}

void Participants::scale_to(handlers::Handlers& handlers, int runs) {
    handlers.make_room_for(runs);
    tell_bounds(config_, runs);
    if (!life_.handed_over()) measures.scaled(runs);
}

bool Participants::awaits_first_look() const {
    return life_.state() == State::starting && !claims.ever_answered() && claims.wanted() > 0;
}

bool Participants::has_something() const {
    return !flights.empty() || !claims.shelf().empty() || !reports.outbox().empty() || flights.elsewhere() > 0;
}

Moment Participants::moment() const {
    return {BootClock::now(), database().is_open(), life_.leaves(), awaits_first_look()};
}

void Participants::add_fences(store::Round& round) const {
    if (!round.due && !round.release_forgotten && !round.rescue && !round.list_lost && !round.rescue_ids) return;
    for (const store::Held& run : rounds.held()) round.fences.push_back(run.fence);
}

void Participants::tell_errand(const store::Ending& ending) {
    if (ending.held.id != circumstances_.errand.run) return;
    if (ending.kind == store::Ending::completed) errand_end_ = ErrandEnd::done;
    if (ending.kind == store::Ending::failed) errand_end_ = ErrandEnd::run_failed;
    if (ending.kind == store::Ending::canceled) errand_end_ = ErrandEnd::run_canceled;
}

void Participants::measure() {
    measures.sampled(BootClock::now(),
                     life_.handed_over() ? std::nullopt : std::optional(flights.count() + flights.taken()),
                     rounds.wire(), rounds.second().wire());
}

}  // namespace dormouse::worker
