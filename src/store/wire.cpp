#include "store/wire.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <utility>

#include "base/backoff.h"
#include "postgres/hosts.h"
#include "postgres/migrator.h"
#include "sql/embedded.h"

namespace dormouse::store {
namespace {

constexpr Millis first_pause{500};
constexpr Millis least_between_tries{5'000};

std::vector<postgres::Migration> migrations() {
    std::vector<postgres::Migration> list;
    for (const auto& migration : sql::migrations)
        list.push_back(postgres::Migration{migration.version, migration.name, migration.text});
    return list;
}

std::string worker_topic(const store::Identity& who) {
    return "worker:" + who.id.to_string();
}

std::string pool_topic(const store::Identity& who) {
    return "pool:" + who.pool;
}

std::vector<std::string> topics_of(const Wire::Terms& terms) {
    if (!terms.listens) return {};
    std::vector<std::string> topics;
    for (const std::string& queue : terms.identity.queues) topics.push_back("queue:" + queue);
    topics.push_back(worker_topic(terms.identity));
    topics.push_back(pool_topic(terms.identity));
    if (terms.place.hears_of_ends) topics.emplace_back("done");
    return topics;
}

/// Postgres found other columns in dormouse.runs than the statement names (finish.sql).
bool columns_may_have_changed(const Refused& refused) {
    return (refused.part == Part::finish || refused.part == Part::refuse) &&
           (refused.sqlstate == "42601" || refused.sqlstate == "42702" || refused.sqlstate == "42703" ||
            refused.sqlstate == "428C9");
}

Result<postgres::Target> target_of(const Wire::Terms& terms) {
    auto target = postgres::parse_target(terms.place.url, terms.place.passfile);
    if (!target) return target;
    target->options["application_name"] = "dormouse worker " + terms.identity.pool;
    target->options["client_encoding"] = "UTF8";
    return target;
}

}  // namespace

Wire::Wire(loop::Loop& loop, Terms terms, Events events)
    : terms_(std::move(terms)),
      events_(std::move(events)),
      session_(loop,
               {.topics = topics_of(terms_),
                .check_sql = postgres::schema_check_sql,
                .check = [this](const auto& reply) { return check_schema(reply); }},
               {.on_open = [this] { on_session_open(); },
                .on_refused = [this](const Error& error) { on_gone(error); },
                .on_lost = [this](const Error& error) { on_gone(error); },
                .on_notification = [this](const std::string& topic, const std::string&) { on_notification(topic); }}),
      answer_timer_(loop, "wire.answer"),
      retry_timer_(loop, "wire.retry") {}

/// The one place that assigns the state. An edge that is not drawn in wire.h is a mistake of ours, and ends the
/// process.
void Wire::enter(State state) {
    const auto legal = [&] {
        switch (state) {
            case State::closed:
                return true;
            case State::opening:
                return state_ == State::closed || state_ == State::lost;
            case State::open:
                return state_ == State::opening || state_ == State::waiting;
            case State::waiting:
                return state_ == State::open;
            case State::lost:
                return state_ != State::closed;
        }
        return false;
    }();
    if (!legal) {
        std::fprintf(stderr, "store::Wire: no way from state %d to %d\n", static_cast<int>(state_),
                     static_cast<int>(state));
        std::abort();
    }
    state_ = state;
}

void Wire::open() {
    if (is_open() || state_ == State::opening) return;
    retry_timer_.stop();
    last_try_ = BootClock::now();
    enter(State::opening);
    session_.open(target_of(terms_), terms_.place.connect_timeout);
}

void Wire::close() {
    answer_timer_.stop();
    retry_timer_.stop();
    on_wire_.reset();
    done_ = nullptr;
    session_.close();
    enter(State::closed);
}

void Wire::hurry() {
    if (state_ == State::lost && since(last_try_) >= least_between_tries) open();
}

void Wire::on_session_open() {
    enter(State::open);
    events_.on_open();
}

void Wire::give_up(const Error& error) {
    session_.close();
    on_gone(error);
}

void Wire::on_gone(const Error& error) {
    answer_timer_.stop();
    on_wire_.reset();
    done_ = nullptr;
    enter(State::lost);
    if (tries_ == 0) lost_at_ = BootClock::now();
    Millis longest = longest_pause(terms_.retry_max, since(lost_at_), terms_.suspends);
    if (terms_.in_haste()) longest = std::min(longest, terms_.lease / 10);
    const Millis pause = half_jitter(first_pause, longest, tries_++);
    if (terms_.opens_again) {
        retry_timer_.once(pause, [this] { open(); });
    } else {
        close();
    }
    events_.on_lost(error);
}

void Wire::exchange(const Round& round, Done done) {
    enter(State::waiting);
    on_wire_ = parts_of(round);
    done_ = std::move(done);
    await_answer();
    session_.exchange(statements_for(round, terms_.identity, terms_.lease, columns_),
                      [this](postgres::Replies replies) { on_replies(std::move(replies)); });
    crash_after_sending(on_wire_);
}

void Wire::on_replies(postgres::Replies replies) {
    answer_timer_.stop();
    const Parts sent = std::exchange(on_wire_, {});
    const Done done = std::exchange(done_, nullptr);
    enter(State::open);
    if (replies) {
        tries_ = 0;
        crash_before_telling(sent);
        return done(answer_from(sent, *replies, terms_.identity));
    }
    if (replies.error().kind == ErrorKind::disconnected) return give_up(replies.error());
    Refused refused{replies.error(), std::nullopt, replies.error().sqlstate, replies.error().of_a_function};
    std::size_t at = 0;
    for (const PartRow& row : part_rows())
        if (has(sent, row.part) && at++ == replies.error().statement) refused.part = row.part;
    if (columns_may_have_changed(refused)) return read_columns_again(refused, done);
    if (refused.sqlstate == "0A000") return name_rules(refused, done);
    done(tl::unexpected(std::move(refused)));
}

/// After a refusal: one more question, then `read` says what the refusal is now, or what the session is given up for.
void Wire::ask_about(const Refused& refused, const char* sql, const Done& done, const Reading& read) {
    enter(State::waiting);
    await_answer();
    session_.exchange({{sql, {}, false}}, [this, refused, done, read](postgres::Replies replies) {
        answer_timer_.stop();
        enter(State::open);
        const bool gone = !replies && replies.error().kind == ErrorKind::disconnected;
        Refused told = refused;
        const Status fit = gone ? Status(tl::unexpected<Error>(replies.error())) : read(replies, told);
        if (!fit) return give_up(fit.error());
        done(tl::unexpected(std::move(told)));
    });
}

/// A rule of somebody's makes a statement one that Postgres does not support, and its message does not name it.
void Wire::name_rules(const Refused& refused, const Done& done) {
    ask_about(refused, sql::rules, done, [](postgres::Replies& replies, Refused& told) -> Status {
        if (replies && !replies->at(0).is_null(0, 0)) told.message += "; " + std::string(replies->at(0).text(0, 0));
        return {};
    });
}

Status Wire::check_schema(const Result<postgres::Reply>& reply) {
    if (!reply && reply.error().kind == ErrorKind::incompatible)
        return fail(ErrorKind::incompatible, "there is no schema dormouse in the database at " + where() +
                                                 ": run `dormouse migrate` as the owner of the database");
    if (!reply) return tl::unexpected(reply.error());
    const std::string& version = terms_.identity.version;
    const auto state = postgres::interpret_schema(reply->get(), migrations(), version);
    if (!state) return tl::unexpected(state.error());
    if (auto fit = postgres::require_fit(*state, version); !fit) return fit;
    columns_changed_ = columns_.read(state->columns, state->writable_columns);
    if (columns_.missing().empty()) return {};
    return fail(ErrorKind::incompatible,
                "dormouse.runs has no column " + columns_.missing() +
                    " any more: it was renamed or dropped; you may add columns to this table, but must keep its own");
}

/// Somebody has altered dormouse.runs since this session began: what was sent is sent again with the columns of now.
void Wire::read_columns_again(const Refused& refused, const Done& done) {
    ask_about(refused, postgres::schema_check_sql, done, [this](postgres::Replies& replies, Refused& told) -> Status {
        if (!replies) return tl::unexpected<Error>(replies.error());
        const Status fit = check_schema(std::move(replies->at(0)));
        if (columns_changed_) told.kind = ErrorKind::conflict;
        return fit;
    });
}

/// A server that hangs, or something in between that takes bytes and passes none on: TCP sees nothing wrong with it.
/// Late enough for a slow server, and early enough for another session to write what is in hand before its lease ends.
Millis Wire::longest_answer() const {
    constexpr Millis longest{60'000};
    return std::max(terms_.place.connect_timeout, std::min(longest, terms_.lease / 3));
}

void Wire::await_answer() {
    // Not at once: an answer that came while this process stood still is read before the next turn's timers.
    static constexpr Millis next_turn{1};
    answer_timer_.once(longest_answer(), [this] {
        answer_timer_.once(next_turn, [this] {
            give_up(Error{
                ErrorKind::disconnected,
                "the database at " + where() + " has not answered for " + std::to_string(longest_answer().count()) +
                    " ms, the session is abandoned; check whether the server hangs, and the network in between"});
        });
    });
}

void Wire::on_notification(const std::string& topic) {
    if (topic == worker_topic(terms_.identity)) return events_.on_taken_away();
    topic == pool_topic(terms_.identity) ? events_.on_scaled() : events_.on_queue();
}

bool known_to_suspend(const std::string& url) {
    const auto target = postgres::parse_target(url, "");
    return target && std::any_of(target->places.begin(), target->places.end(), [](const postgres::Endpoint& place) {
               return postgres::known_to_suspend(place.host);
           });
}

}  // namespace dormouse::store
