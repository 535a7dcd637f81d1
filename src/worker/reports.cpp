#include "worker/reports.h"

#include <utility>

#include "base/log.h"

namespace dormouse::worker {
namespace {

constexpr std::int64_t for_notices = 1024;  ///< what a handler's log says where it is cut, beside limits.log_bytes

void tell(log::Level level, const char* event, const Parcel& parcel, const std::string& text) {
    log::event(level, event, text,
               {{"run_id", parcel.ending.held.id.to_string()},
                {"task", parcel.task},
                {"attempt", std::to_string(parcel.attempt)}});
}

void tell_written(const Parcel& parcel) {
    const store::Ending& ending = parcel.ending;
    if (ending.kind == store::Ending::completed) return tell(log::Level::info, "run_completed", parcel, parcel.task);
    std::string why = parcel.task;
    for (const std::string& part : {ending.error_class, ending.error_message})
        if (!part.empty()) why += ": " + part;
    if (ending.kind == store::Ending::failed) {
        log::event(log::Level::warning, "run_failed", why,
                   {{"run_id", ending.held.id.to_string()},
                    {"task", parcel.task},
                    {"attempt", std::to_string(parcel.attempt)},
                    {"error_class", ending.error_class}});
        return;
    }
    const std::string back = why + " (" + store::to_string(ending.kind) + ", due " +
                             (ending.delay ? "in " + std::to_string(ending.delay->count()) + " ms" : "at once") + ")";
    if (parcel.resort != Parcel::Resort::as_it_is) return tell(log::Level::warning, "run_retry", parcel, back);
    // Fetched ahead and given back, it was never tried: no news, and may be said of hundreds at a time.
    if (ending.kind == store::Ending::handed_back && ending.error_class.empty() && !ending.delay)
        return tell(log::Level::debug, "run_retry", parcel, back);
    tell(log::Level::info, "run_retry", parcel, back);
}

Outbox::Events outbox_events(News& news, std::function<void(const Parcel&)> on_settled,
                             std::function<void(const Parcel&)> on_refused,
                             std::function<void(const std::string&)> on_stuck) {
    Outbox::Events events;
    events.on_written = [&news, on_settled](const Parcel& parcel) {
        news.forget(parcel.ending.held);
        on_settled(parcel);
        tell_written(parcel);
    };
    events.on_refused = [&news, on_refused](const Parcel& parcel) {
        news.forget(parcel.ending.held);
        on_refused(parcel);
        tell(log::Level::warning, "result_refused", parcel, parcel.task + ": the run no longer belongs to this worker");
    };
    events.on_kept = [](const Parcel& parcel, const std::string& why, Millis pause) {
        tell(log::Level::error, "ending_kept", parcel,
             parcel.task + ": the database takes neither how the run ended nor its failure, tried again in " +
                 std::to_string(pause.count() / 1'000) +
                 " s; see the trigger, the rule or the right that refuses it: " + why);
    };
    events.on_held_up = [](const Parcel& parcel) {
        tell(log::Level::warning, "ending_kept", parcel,
             parcel.task +
                 ": the run's ending could not be written for a minute or more: its row is locked, or a trigger or "
                 "rule of your own skips it; dormouse doctor names them");
    };
    events.on_passed_over = [on_stuck](const Parcel& parcel, const std::string& remedy, Millis pause) {
        const std::string text =
            "the run's ending cannot be written: a trigger of your own skips it (BEFORE DELETE or UPDATE, RETURN "
            "NULL); fix it, or: " +
            remedy;
        tell(parcel.kept == 1 ? log::Level::error : log::Level::debug, "ending_kept", parcel,
             parcel.task + ": " + text + "; tried again in " + std::to_string(pause.count() / 1'000) + " s");
        on_stuck(parcel.task + ": " + text);
    };
    return events;
}

}  // namespace

Reports::Reports(Terms terms, Events events)
    : terms_(terms),
      events_(std::move(events)),
      news_(terms.log_bytes + for_notices, [this] { events_.on_news(); }),
      outbox_(outbox_events(
          news_, [this](const Parcel& parcel) { events_.on_settled(parcel); },
          [this](const Parcel& parcel) { events_.on_refused(parcel); },
          [this](const std::string& why) { events_.on_stuck(why); })) {}

void Reports::tell_left_behind() const {
    outbox_.each_kept([](const Parcel& parcel) {
        tell(
            log::Level::error, "ending_kept", parcel,
            parcel.task +
                ": left without how the run ended, which could not be written until the end; it is executed again when "
                "its lease is over");
    });
}

void Reports::give_back(const store::ClaimedRun& run) {
    store::Ending ending;
    ending.held = run.held;
    ending.kind = store::Ending::handed_back;
    ending.counts = false;
    outbox_.add(Parcel{std::move(ending), run.task, run.attempts + 1});
}

store::Parts Reports::parts() const {
    using store::Part;
    return store::parts({Part::patience, Part::news, Part::finish, Part::enqueue, Part::put_back, Part::held});
}

bool Reports::fill(store::Round& round, const Moment& moment) {
    news_.try_lock(moment.now);
    if (news_.searching() && news_.fill(round, moment.now)) return true;
    const auto locked = moment.leaving ? std::nullopt : news_.locked_until(moment.now);
    const bool something = outbox_.fill(round, moment.now, [&](const Parcel& parcel) {
        return locked && news_.waits_for(parcel.ending.held) ? locked : std::nullopt;
    });
    if (outbox_.searching()) {
        news_.fill_endings(round);
        return true;
    }
    if (!terms_.news_make_rounds && !news_.has_last_words(moment.now)) return something;  // see fill_along()
    return news_.fill(round, moment.now) || something;
}

void Reports::answered(store::Answer& answer, Time) {
    news_.answered();
    outbox_.answered(answer, BootClock::now());
    if (!answer.enqueued.empty()) events_.on_enqueued(answer.enqueued);
}

void Reports::undone() {
    news_.again();
    outbox_.again();
}

/// A lock that was waited for in vain, and that being careful passes over no more: of a key, or in a trigger.
bool Reports::seeks(const store::Refused& refused) const {
    if (refused.sqlstate != "55P03" || !refused.part || *refused.part == store::Part::news) return false;
    return refused.part == store::Part::enqueue || outbox_.careful_in_vain();
}

Next Reports::refused(const store::Refused& refused) {
    if (refused.part == store::Part::held) {
        undone();
        return Next::later;
    }
    // At the commit it may have been either: news are looked at first, which costs two rounds.
    const bool news =
        refused.part == store::Part::news || (!refused.part && news_.is_on_wire() && !outbox_.searching());
    if (news) {
        outbox_.again();
        return news_.refused(refused);
    }
    news_.again();
    return outbox_.refused(refused, BootClock::now());
}

std::optional<Millis> Reports::wait(const Moment& moment) const {
    const auto endings = outbox_.wait(moment.now);
    const bool make_rounds = terms_.news_make_rounds || news_.searching() || news_.has_last_words(moment.now) ||
                             news_.locked_until(moment.now);
    const auto news = make_rounds ? news_.wait(moment.now) : std::nullopt;
    if (!endings || !news) return endings ? endings : news;
    return std::min(*endings, *news);
}

}  // namespace dormouse::worker
