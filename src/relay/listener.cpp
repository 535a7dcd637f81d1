#include "relay/listener.h"

#include "base/backoff.h"
#include "sql/embedded.h"

namespace dormouse::relay {

using postgres::Params;
using postgres::Reply;
using postgres::Statement;

Listener::Listener(loop::Loop& loop, Events events)
    : events_(std::move(events)),
      settling_(loop, "relay.settling"),
      patience_(loop, "relay.patience"),
      session_(loop, {},
               {.on_open = [this] { settle(); },
                .on_refused = [this](const Error& error) { give_up(error); },
                .on_lost = [this](const Error& error) { give_up(error); },
                .on_notification = [this](const std::string&, const std::string&) { events_.on_notified(); }}) {}

void Listener::open(postgres::Target target, const std::vector<std::string>& queues, Millis connect_timeout) {
    close();
    connect_timeout_ = connect_timeout;
    queues_ = queues;
    std::vector<std::string> topics;
    for (const std::string& queue : queues) topics.push_back("queue:" + queue);
    session_.listen_to(std::move(topics));
    session_.open(std::move(target), connect_timeout);
}

void Listener::close() {
    open_ = false;
    registered_ = false;
    relying_.clear();
    tries_ = 0;
    settling_.stop();
    patience_.stop();
    session_.close();
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
    patience_.once(connect_timeout_, [this] {
        give_up(Error{ErrorKind::transient, "connected to " + where() + ", but it does not answer within " +
                                                std::to_string(connect_timeout_.count()) +
                                                " ms (database.connect_timeout)"});
    });
    session_.exchange(std::move(statements), [this](postgres::Replies replies) {
        patience_.stop();
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
        events_.on_listening();
    } else if (news) {
        events_.on_notified();
    }
    events_.on_kept_out(kept_out);
}

void Listener::give_up(const Error& error) {
    close();
    events_.on_trouble(error);
}

}  // namespace dormouse::relay
