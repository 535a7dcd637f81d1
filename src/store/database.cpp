#include "store/database.h"

#include <algorithm>

#include "postgres/migrator.h"
#include "sql/embedded.h"

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

/// A channel name as an SQL identifier. Source: "Identifiers and Key Words".
std::string quoted(const std::string& name) {
    std::string out = "\"";
    for (const char c : name) {
        if (c == '"') out.push_back('"');
        out.push_back(c);
    }
    return out + "\"";
}

std::string worker_channel(const Uuid& worker) {
    return "dormouse@" + worker.to_string();
}

}  // namespace

std::string direct_host_for(const std::string& pooler_host) {
    const auto at = pooler_host.find("-pooler.");
    if (at != std::string::npos) return pooler_host.substr(0, at) + pooler_host.substr(at + 7);
    return {};
}

Database::Database(loop::Loop& loop, Place place, Identity identity, ClaimTerms terms, Events events)
    : loop_(loop),
      place_(std::move(place)),
      identity_(std::move(identity)),
      terms_(terms),
      events_(std::move(events)),
      deferred_(loop, "database.refused"),
      deadline_(loop, "database.deadline"),
      retirement_(loop, "database.retirement") {
    for (const std::string& queue : identity_.queues) listen_sql_.push_back("LISTEN " + quoted("dormouse:" + queue));
    listen_sql_.push_back("LISTEN " + quoted(worker_channel(identity_.id)));
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
    for (auto* session : {&session_, &probe_}) {
        if (!*session) continue;
        (*session)->shut();
        retired_.push_back(std::move(*session));
    }
    if (!retired_.empty()) retirement_.once(Millis{0}, [this] { retired_.clear(); });
}

void Database::on_connected(postgres::ConnectionPtr connection) {
    postgres::Session::Events events;
    events.on_notification = [this](const std::string& channel, const std::string&) { on_notification(channel); };
    events.on_lost = [this](Error error) { on_session_lost(std::move(error)); };
    session_ = std::make_unique<postgres::Session>(loop_, std::move(connection), std::move(events));
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
        if (!through_pooler && replies->at(0).integer(0, 0) != session_->backend_pid()) return probe_pooler();
        listen();
    });
}

// The pid that the protocol told is not the backend's, so something is in between. If a second client is given the
// backend that served us a moment ago, sessions are shared and a LISTEN would belong to nobody.
void Database::probe_pooler() {
    auto target = postgres::parse_target(place_.url, place_.passfile);
    if (!target) return refuse(target.error());
    target->options["application_name"] = "dormouse pooler probe";
    connector_ = std::make_unique<postgres::Connector>(
        loop_, std::move(*target), place_.connect_timeout, [this](Result<postgres::ConnectionPtr> connection) {
            if (!connection) return refuse(connection.error());
            postgres::Session::Events events;
            events.on_notification = [](const std::string&, const std::string&) {};
            events.on_lost = [this](Error error) { refuse(std::move(error)); };
            probe_ = std::make_unique<postgres::Session>(loop_, std::move(*connection), std::move(events));
            connector_.reset();
            ask_pids();
        });
}

void Database::ask_pids() {
    const auto pid = [](Result<std::vector<postgres::Reply>>& replies) { return replies->at(0).integer(0, 0); };
    session_->exchange({Statement{"SELECT pg_backend_pid()", Params{}, false}},
                       [this, pid](Result<std::vector<postgres::Reply>> ours) {
                           if (!ours) return refuse(ours.error());
                           // BEGIN keeps the backend while ours, idle, may lose it.
                           probe_->exchange(
                               {Statement{"BEGIN", {}, false}, Statement{"SELECT pg_backend_pid()", {}, false}},
                               [this, pid, first = pid(ours)](Result<std::vector<postgres::Reply>> theirs) {
                                   if (!theirs) return refuse(theirs.error());
                                   // Ours would wait for its backend if that was the pooler's only one.
                                   if (theirs->at(1).integer(0, 0) == first) return refuse_pooler();
                                   session_->exchange({Statement{"SELECT pg_backend_pid()", {}, false}},
                                                      [this, pid, first](Result<std::vector<postgres::Reply>> again) {
                                                          if (!again) return refuse(again.error());
                                                          if (pid(again) != first) return refuse_pooler();
                                                          deferred_.once(Millis{0}, [this] { probe_.reset(); });
                                                          set_up(true);
                                                      });
                               });
                       });
}

void Database::refuse_pooler() {
    const std::string direct = direct_host_for(session_->host());
    refuse(Error{ErrorKind::incompatible,
                 "the pooler at " + where() + " hands sessions around (transaction mode), so LISTEN cannot work: " +
                     "put the direct host into database.url" + (direct.empty() ? "" : " (" + direct + ")")});
}

void Database::listen() {
    std::vector<Statement> statements;
    for (const std::string& sql : listen_sql_) statements.push_back(Statement{sql.c_str(), Params{}, false});
    session_->exchange(std::move(statements), [this](Result<std::vector<postgres::Reply>> replies) {
        if (!replies) return refuse(replies.error());
        open_ = true;
        deadline_.stop();
        events_.on_open();
    });
}

void Database::exchange(Round round, Done done) {
    auto statements = statements_for(round, identity_, terms_);
    session_->exchange(std::move(statements), [this, round = std::move(round),
                                               done = std::move(done)](Result<std::vector<postgres::Reply>> replies) {
        if (!replies) return done(tl::unexpected(replies.error()));
        done(answer_from(round, *replies, identity_));
    });
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

void Database::on_notification(const std::string& channel) {
    if (channel == worker_channel(identity_.id)) {
        events_.on_taken_away();
    } else {
        events_.on_queue();
    }
}

}  // namespace dormouse::store
