#include "postgres/listening_session.h"

#include <utility>

#include "base/crash_point.h"
#include "postgres/acting.h"
#include "postgres/engine.h"
#include "sql/embedded.h"

namespace dormouse::postgres {

ListeningSession::ListeningSession(loop::Loop& loop, Terms terms, Events events)
    : loop_(loop),
      terms_(std::move(terms)),
      events_(std::move(events)),
      deferred_(loop, "session.refused"),
      deadline_(loop, "session.deadline"),
      retirement_(loop, "session.retirement") {}

void ListeningSession::open(Result<Target> target, Millis connect_timeout) {
    close();
    if (!target) return refuse(target.error());
    target_ = std::move(*target);
    connect_timeout_ = connect_timeout;
    connector_ =
        std::make_unique<Connector>(loop_, *target_, connect_timeout, [this](Result<ConnectionPtr> connection) {
            if (!connection) return refuse(connection.error());
            on_connected(std::move(*connection));
        });
}

void ListeningSession::close() {
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

void ListeningSession::on_connected(ConnectionPtr connection) {
    Session::Events events;
    events.on_notification = [this](const std::string& channel, const std::string& payload) {
        if (const auto known = topic_of_.find(channel); known != topic_of_.end() && events_.on_notification)
            events_.on_notification(known->second, payload);
        if (pooler_check_) pooler_check_->heard(payload);
    };
    events.on_lost = [this](Error error) { on_session_lost(std::move(error)); };
    session_ = std::make_unique<Session>(loop_, std::move(connection), std::move(events));
    crash_point("session.opened");
    if (const Status fit = require_version(session_->server_version()); !fit) return refuse(fit.error());
    deadline_.once(connect_timeout_, [this] {
        refuse(Error{ErrorKind::transient, "connected to " + where() + ", but it does not answer within " +
                                               std::to_string(connect_timeout_.count()) +
                                               " ms (database.connect_timeout)"});
    });
    set_up(session_->backend_pid());
    connector_.reset();
}

void ListeningSession::set_up(int backend) {
    Params params;
    params.integer(backend);
    std::vector<Statement> statements;
    statements.push_back(Statement{sql::open_session, std::move(params), false});
    statements.push_back(Statement{ground_gate_sql, Params{}, false});
    if (terms_.check_sql != nullptr) statements.push_back(Statement{terms_.check_sql, Params{}, false});
    session_->exchange(std::move(statements), [this, backend](Replies replies) {
        if (!replies && replies.error().statement == 1U && replies.error().sqlstate == "42501")
            return name_ground(replies.error());
        if (!replies && (terms_.check_sql == nullptr || replies.error().statement != 2U))
            return refuse(replies.error());
        if (terms_.check_sql != nullptr) {
            const Status fit = replies ? terms_.check(std::move(replies->at(2)))
                                       : terms_.check(tl::unexpected<Error>(replies.error()));
            if (!fit) return refuse(fit.error());
        }
        if (replies->at(0).integer(0, 0) == backend) return listen();
        if (backend == session_->backend_pid()) return check_pooler();
        refuse(shared_sessions(session_->host(), "its backend changes"));
    });
}

// What it was refused for, which takes a round trip more.
void ListeningSession::name_ground(const Error& refused) {
    session_->exchange(looks_at_ground(), [this, refused](Replies replies) {
        if (!replies) return refuse(replies.error());
        const Status fits = may_use_ground(*replies);
        refuse(fits ? refused : fits.error());
    });
}

// The pid that the protocol told is not the backend's, so something is in between.
void ListeningSession::check_pooler() {
    pooler_check_ =
        std::make_unique<PoolerCheck>(loop_, *target_, connect_timeout_, *session_, [this](Result<int> backend) {
            if (!backend) return refuse(backend.error());  // it goes with the session, which may owe it an answer
            pooler_check_.reset();
            set_up(*backend);
        });
}

void ListeningSession::listen() {
    std::vector<Statement> statements;
    if (!terms_.topics.empty()) {
        Params params;
        params.texts(terms_.topics);
        statements.push_back(Statement{sql::listen, std::move(params), false});
    }
    session_->exchange(std::move(statements), [this](Replies replies) {
        if (!replies) return refuse(replies.error());
        topic_of_.clear();
        for (std::size_t i = 0; i < terms_.topics.size(); ++i)
            topic_of_[std::string(replies->front().text(static_cast<int>(i), 0))] = terms_.topics[i];
        crash_point("listen.done");
        open_ = true;
        deadline_.stop();
        events_.on_open();
    });
    crash_point("listen.sent");
}

void ListeningSession::exchange(std::vector<Statement> statements, Session::Done done) {
    session_->exchange(std::move(statements), std::move(done));
}

std::string ListeningSession::untested_server() const {
    return session_ ? untested_version(session_->server_version()) : std::string();
}

std::string ListeningSession::where() const {
    const std::string host = session_ ? session_->host() : std::string();
    return host.empty() ? "database.url" : host;
}

// On a turn of its own: this may run inside a callback of a connector, which close() destroys.
void ListeningSession::refuse(Error error) {
    open_ = false;
    deferred_.once(Millis{0}, [this, error = std::move(error)] {
        close();
        events_.on_refused(error);
    });
}

void ListeningSession::on_session_lost(Error error) {
    const bool was_open = open_;
    open_ = false;
    if (!was_open) return refuse(std::move(error));
    close();
    events_.on_lost(std::move(error));
}

}  // namespace dormouse::postgres
