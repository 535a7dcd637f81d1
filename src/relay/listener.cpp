#include "relay/listener.h"

#include "base/backoff.h"
#include "sql/embedded.h"

namespace dormouse::relay {

using postgres::Params;
using postgres::Reply;
using postgres::Statement;

Listener::Listener(loop::Loop& loop, Events events)
    : loop_(loop),
      events_(std::move(events)),
      deferred_(loop, "relay.trouble"),
      deadline_(loop, "relay.deadline"),
      settling_(loop, "relay.settling") {}

void Listener::open(postgres::Target target, const std::vector<std::string>& queues, Millis connect_timeout) {
    close();
    target_ = std::move(target);
    connect_timeout_ = connect_timeout;
    queues_ = queues;
    sql_.clear();
    for (const std::string& queue : queues) sql_.push_back(postgres::listen_sql("dormouse:" + queue));
    connector_ = std::make_unique<postgres::Connector>(loop_, target_, connect_timeout_,
                                                       [this](Result<postgres::ConnectionPtr> connection) {
                                                           if (!connection) return give_up(connection.error());
                                                           on_connected(std::move(*connection));
                                                       });
}

// Never called inside a callback of what it destroys: give_up() takes a turn of its own.
void Listener::close() {
    open_ = false;
    registered_ = false;
    relying_.clear();
    tries_ = 0;
    deferred_.stop();
    deadline_.stop();
    settling_.stop();
    connector_.reset();
    if (session_) session_->shut();
    pooler_check_.reset();
    session_.reset();
}

void Listener::on_connected(postgres::ConnectionPtr connection) {
    postgres::Session::Events events;
    events.on_notification = [this](const std::string&, const std::string&) { events_.on_notified(); };
    events.on_lost = [this](Error error) { give_up(std::move(error)); };
    session_ = std::make_unique<postgres::Session>(loop_, std::move(connection), std::move(events));
    deadline_.once(connect_timeout_, [this] {
        give_up(Error{ErrorKind::transient, "connected to " + where() + ", but it does not answer within " +
                                                std::to_string(connect_timeout_.count()) +
                                                " ms (database.connect_timeout)"});
    });
    set_up(false);
    connector_.reset();
}

void Listener::set_up(bool through_pooler) {
    Params params;
    params.integer(session_->backend_pid()).boolean(through_pooler);
    std::vector<Statement> statements;
    statements.push_back(Statement{sql::open_session, std::move(params), false});
    session_->exchange(std::move(statements), [this, through_pooler](Result<std::vector<Reply>> replies) {
        if (!replies) return give_up(replies.error());
        if (!through_pooler && replies->at(0).integer(0, 0) != session_->backend_pid()) return check_pooler();
        listen();
    });
}

void Listener::check_pooler() {
    pooler_check_ = std::make_unique<postgres::PoolerCheck>(
        loop_, target_, connect_timeout_, *session_, [this](Result<bool> shared) {
            pooler_check_.reset();
            if (!shared) return give_up(shared.error());
            if (*shared) return give_up(postgres::shared_sessions(where(), session_->host()));
            set_up(true);
        });
}

void Listener::listen() {
    std::vector<Statement> statements;
    for (const std::string& sql : sql_) statements.push_back(Statement{sql.c_str(), Params{}, false});
    session_->exchange(std::move(statements), [this](Result<std::vector<Reply>> replies) {
        if (!replies) return give_up(replies.error());
        settle();
    });
}

// As a worker does before it is silent: registered, and nobody relies on its looking later.
void Listener::settle() {
    std::vector<Statement> statements;
    for (const char* sql : {sql::promise_register, sql::promise_rest}) {
        Params params;
        params.texts(queues_);
        if (!registered_ || sql != sql::promise_register)
            statements.push_back(Statement{sql, std::move(params), false});
    }
    session_->exchange(std::move(statements), [this](Result<std::vector<Reply>> replies) {
        if (!replies) return give_up(replies.error());
        const Reply& first = replies->front();
        std::string kept_out;
        for (int row = 0; !registered_ && row < first.rows() && kept_out.empty(); ++row)
            if (!first.boolean(row, 0))
                kept_out = queues_.at(static_cast<std::size_t>(row)) + ": " +
                           (first.is_null(row, 1) ? "somebody" : std::string(first.text(row, 1)));
        const Reply& last = replies->back();
        on_settled(kept_out, last.boolean(0, 0), last.is_null(0, 1) ? "" : std::string(last.text(0, 1)));
    });
}

// Who ends has perhaps committed what nobody was told of; so has, meanwhile, whoever found us not registered.
void Listener::on_settled(const std::string& kept_out, bool rested, const std::string& relying) {
    constexpr Millis pause{1'000};
    constexpr Millis longest_pause{30'000};
    const bool news = (!registered_ && kept_out.empty()) || relying != relying_;
    registered_ = kept_out.empty();
    relying_ = relying;
    if (news) tries_ = 0;
    if (!registered_) {
        settling_.once(pause, [this] { settle(); });
    } else if (!rested) {
        settling_.once(half_jitter(pause, longest_pause, tries_++), [this] { settle(); });
    }
    if (!open_) {
        open_ = true;
        deadline_.stop();
        events_.on_listening();
    } else if (news) {
        events_.on_notified();
    }
    events_.on_kept_out(kept_out);
}

std::string Listener::where() const {
    const std::string host = session_ ? session_->host() : std::string();
    return host.empty() ? "database.url" : host;
}

// On a turn of its own: this may run inside a callback of the connector or the session, which close() destroys.
void Listener::give_up(Error error) {
    open_ = false;
    settling_.stop();
    deferred_.once(Millis{0}, [this, error = std::move(error)] {
        close();
        events_.on_trouble(error);
    });
}

}  // namespace dormouse::relay
