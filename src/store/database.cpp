#include "store/database.h"

#include <algorithm>

#include "base/crash_point.h"
#include "postgres/hosts.h"
#include "postgres/migrator.h"
#include "sql/embedded.h"
#include "store/crash_parts.h"

namespace dormouse::store {
namespace {

using postgres::Params;
using postgres::Statement;

std::vector<postgres::Migration> migrations() {
    std::vector<postgres::Migration> list;
    for (const auto& migration : sql::migrations)
        list.push_back(postgres::Migration{migration.version, migration.name, migration.text});
    return list;
}

std::string worker_channel(const Uuid& worker) {
    return "dormouse@" + worker.to_string();
}

}  // namespace

Database::Database(loop::Loop& loop, Place place, Identity identity, Millis lease, Events events)
    : loop_(loop),
      place_(std::move(place)),
      identity_(std::move(identity)),
      lease_(lease),
      events_(std::move(events)),
      deferred_(loop, "database.refused"),
      deadline_(loop, "database.deadline"),
      retirement_(loop, "database.retirement") {
    if (!place_.listens) return;
    for (const std::string& queue : identity_.queues) listen_sql_.push_back(postgres::listen_sql("dormouse:" + queue));
    listen_sql_.push_back(postgres::listen_sql(worker_channel(identity_.id)));
    if (place_.hears_of_ends) listen_sql_.push_back(postgres::listen_sql("dormouse:done"));
}

void Database::open() {
    close();
    auto target = postgres::parse_target(place_.url, place_.passfile);
    if (!target) {
        refuse(target.error());
        return;
    }
    target->options["application_name"] = "dormouse worker " + identity_.pool;
    target->options["client_encoding"] = "UTF8";
    connector_ = std::make_unique<postgres::Connector>(loop_, std::move(*target), place_.connect_timeout,
                                                       [this](Result<postgres::ConnectionPtr> connection) {
                                                           if (!connection) return refuse(connection.error());
                                                           on_connected(std::move(*connection));
                                                       });
}

void Database::close() {
    open_ = false;
    deferred_.stop();
    deadline_.stop();
    connector_.reset();
    pooler_check_.reset();
    if (!session_) return;
    session_->shut();
    retired_.push_back(std::move(session_));
    retirement_.once(Millis{0}, [this] { retired_.clear(); });
}

void Database::on_connected(postgres::ConnectionPtr connection) {
    postgres::Session::Events events;
    events.on_notification = [this](const std::string& channel, const std::string& payload) {
        on_notification(channel, payload);
    };
    events.on_lost = [this](Error error) { on_session_lost(std::move(error)); };
    session_ = std::make_unique<postgres::Session>(loop_, std::move(connection), std::move(events));
    crash_point("session.opened");
    deadline_.once(place_.connect_timeout, [this] {
        refuse(Error{ErrorKind::transient, "connected to " + where() + ", but it does not answer within " +
                                               std::to_string(place_.connect_timeout.count()) +
                                               " ms (database.connect_timeout)"});
    });
    set_up(false);
    connector_.reset();
}

void Database::set_up(bool through_pooler) {
    Params params;
    params.integer(session_->backend_pid()).boolean(through_pooler);
    std::vector<Statement> statements;
    statements.push_back(Statement{sql::open_session, std::move(params), false});
    statements.push_back(Statement{postgres::schema_check_sql, Params{}, false});
    session_->exchange(std::move(statements), [this, through_pooler](Result<std::vector<postgres::Reply>> replies) {
        if (!replies && replies.error().kind == ErrorKind::incompatible)
            return refuse(Error{ErrorKind::incompatible, "there is no schema dormouse in the database at " + where() +
                                                             ": run `dormouse migrate` as the owner of the database"});
        if (!replies) return refuse(replies.error());
        const auto known = migrations();
        const auto state = postgres::interpret_schema(replies->at(1).get(), known, identity_.version);
        if (!state) return refuse(state.error());
        if (const auto fit = postgres::require_fit(*state, identity_.version); !fit) return refuse(fit.error());
        if (!through_pooler && replies->at(0).integer(0, 0) != session_->backend_pid()) return check_pooler();
        listen();
    });
}

// The pid that the protocol told is not the backend's, so something is in between.
void Database::check_pooler() {
    auto target = postgres::parse_target(place_.url, place_.passfile);
    if (!target) return refuse(target.error());
    pooler_check_ = std::make_unique<postgres::PoolerCheck>(
        loop_, std::move(*target), place_.connect_timeout, *session_, [this](Result<bool> shared) {
            pooler_check_.reset();
            if (!shared) return refuse(shared.error());
            if (*shared) return refuse(postgres::shared_sessions(where(), session_->host()));
            set_up(true);
        });
}

void Database::listen() {
    std::vector<Statement> statements;
    for (const std::string& sql : listen_sql_) statements.push_back(Statement{sql.c_str(), Params{}, false});
    session_->exchange(std::move(statements), [this](Result<std::vector<postgres::Reply>> replies) {
        if (!replies) return refuse(replies.error());
        crash_point("listen.done");
        open_ = true;
        deadline_.stop();
        events_.on_open();
    });
    crash_point("listen.sent");
}

void Database::exchange(Round round, Done done) {
    auto statements = statements_for(round, identity_, lease_);
    const CrashParts parts(round);
    session_->exchange(std::move(statements), [this, parts, round = std::move(round),
                                               done = std::move(done)](Result<std::vector<postgres::Reply>> replies) {
        if (!replies) return done(tl::unexpected(replies.error()));
        parts.answered();
        done(answer_from(round, *replies, identity_));
    });
    parts.sent();
}

std::string Database::where() const {
    const std::string host = session_ ? session_->host() : std::string();
    return host.empty() ? "database.url" : host;
}

// On a turn of its own: this may run inside a callback of a connector, which close() destroys.
void Database::refuse(Error error) {
    open_ = false;
    deferred_.once(Millis{0}, [this, error = std::move(error)] {
        close();
        events_.on_refused(error);
    });
}

void Database::on_session_lost(Error error) {
    const bool was_open = open_;
    open_ = false;
    if (!was_open) return refuse(std::move(error));
    close();
    events_.on_lost(std::move(error));
}

void Database::on_notification(const std::string& channel, const std::string& payload) {
    if (channel == worker_channel(identity_.id)) {
        events_.on_taken_away();
    } else if (payload == "arrived") {  // promise_register.sql
        events_.on_arrival();
    } else {
        events_.on_queue();
    }
}

bool known_to_suspend(const std::string& url) {
    const auto target = postgres::parse_target(url, "");
    return target && std::any_of(target->places.begin(), target->places.end(),
                                 [](const postgres::Place& place) { return postgres::known_to_suspend(place.host); });
}

}  // namespace dormouse::store
