// The worker's database: one session that LISTENs, and Rounds that go over it one after the other. Driven by Worker.
// Opens when told, never by itself: when to try again is the worker's business. The only user of sql/queries besides
// statements.cpp.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "loop/loop.h"
#include "postgres/connector.h"
#include "postgres/pooler_check.h"
#include "postgres/session.h"
#include "store/round.h"
#include "store/statements.h"

namespace dormouse::store {

class Database {
  public:
    struct Place {
        std::string url;
        std::string passfile;  ///< empty: none
        Millis connect_timeout{10'000};
        bool hears_of_ends = false;  ///< of watched runs, too: on_queue
        bool listens = true;         ///< false: it hears of nothing
    };
    struct Events {
        std::function<void()> on_open;          ///< LISTEN has taken effect: now look
        std::function<void(Error)> on_refused;  ///< open() failed, and why
        std::function<void(Error)> on_lost;     ///< an open session is gone; the round on the wire gets no answer
        std::function<void()> on_queue;         ///< NOTIFY for one of our queues: there may be something to claim
        std::function<void()> on_arrival;       ///< somebody else wants to register with one of our queues
        std::function<void()> on_taken_away;    ///< NOTIFY for this worker: somebody may have taken a run away
    };
    using Done = std::function<void(Result<Answer>)>;

    Database(loop::Loop& loop, Place place, Identity identity, Millis lease, Events events);

    /// Connects, checks server, pooler and schema, LISTENs; then on_open or on_refused, never from inside this call. A
    /// server that took the connection has Place::connect_timeout for all the rest.
    void open();
    /// Closes whatever there is; no event follows.
    void close();
    [[nodiscard]] bool is_open() const { return open_; }
    [[nodiscard]] bool is_opening() const { return !open_ && (connector_ || session_); }

    /// Sends one round as one transaction; `done` comes once, unless the session is lost first. Only while is_open().
    /// Errors: by kind; the whole round is undone.
    void exchange(Round round, Done done);

    /// Where the session is, for the log and the status text. No secrets.
    [[nodiscard]] std::string where() const;
    [[nodiscard]] std::uint64_t statements_sent() const { return session_ ? session_->statements_sent() : 0; }

  private:
    void on_connected(postgres::ConnectionPtr connection);
    void set_up(bool through_pooler);
    void check_pooler();
    void listen();
    void refuse(Error error);
    void on_session_lost(Error error);
    void on_notification(const std::string& channel, const std::string& payload);

    loop::Loop& loop_;
    Place place_;
    Identity identity_;
    Millis lease_;
    Events events_;
    std::vector<std::string> listen_sql_;
    bool open_ = false;
    loop::Timer deferred_;
    loop::Timer deadline_;  ///< for everything between connection and on_open
    std::unique_ptr<postgres::Session> session_;
    std::unique_ptr<postgres::Connector> connector_;
    std::unique_ptr<postgres::PoolerCheck> pooler_check_;
    loop::Timer retirement_;  ///< sessions end on a turn of their own: close() may run inside one of their callbacks
    std::vector<std::unique_ptr<postgres::Session>> retired_;
};

/// Whether `url` names a host of a provider that suspends databases (postgres/hosts.h).
bool known_to_suspend(const std::string& url);

}  // namespace dormouse::store
