// A session that LISTENs: connect → settings, whose code would it execute (acting.h), a check of the owner's → is a
// pooler in between? → LISTEN. One machine for whoever wants such a session; opens when told, never by itself. Driven
// by its owner; knows no run and no queue.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "loop/loop.h"
#include "loop/timer.h"
#include "postgres/connector.h"
#include "postgres/pooler_check.h"
#include "postgres/session.h"
#include "postgres/target.h"

namespace dormouse::postgres {

class ListeningSession {
  public:
    struct Terms {
        /// What to be told of, as sql/migrations/0001_baseline/02_notify.sql has it; none: it hears of nothing.
        std::vector<std::string> topics;
        /// Sent with the settings, and what is said of its answer; none: nothing is checked.
        const char* check_sql = nullptr;
        std::function<Status(const Result<Reply>&)> check{};
    };
    struct Events {
        std::function<void()> on_open;          ///< LISTEN has taken effect
        std::function<void(Error)> on_refused;  ///< open() failed, and why; on a turn of its own
        std::function<void(Error)> on_lost;     ///< an open session is gone; what is on the wire gets no answer
        std::function<void(const std::string& topic, const std::string& payload)> on_notification;
    };
    ListeningSession(loop::Loop& loop, Terms terms, Events events);

    /// What the next open() LISTENs to.
    void listen_to(std::vector<std::string> topics) { terms_.topics = std::move(topics); }
    /// Then on_open or on_refused, never from inside this call. A server that took the connection has `connect_timeout`
    /// for all the rest.
    void open(Result<Target> target, Millis connect_timeout);
    /// Closes whatever there is; no event follows. Allowed inside an event of this object.
    void close();
    [[nodiscard]] bool is_open() const { return open_; }
    /// Only while is_open().
    void exchange(std::vector<Statement> statements, Session::Done done);
    /// Where the session is, for people. No secrets.
    [[nodiscard]] std::string where() const;
    /// What to be told of the server's version; mostly empty.
    [[nodiscard]] std::string untested_server() const;
    [[nodiscard]] std::uint64_t statements_sent() const { return session_ ? session_->statements_sent() : 0; }

  private:
    void on_connected(ConnectionPtr connection);
    void set_up(int backend);
    void name_ground(const Error& refused);
    void check_pooler();
    void listen();
    void refuse(Error error);
    void on_session_lost(Error error);

    loop::Loop& loop_;
    Terms terms_;
    Events events_;
    std::map<std::string, std::string> topic_of_;  ///< by the channel it is told on
    std::optional<Target> target_;
    Millis connect_timeout_{0};
    bool open_ = false;
    loop::Timer deferred_;
    loop::Timer deadline_;  ///< for everything between connection and on_open
    std::unique_ptr<Session> session_;
    std::unique_ptr<Connector> connector_;
    std::unique_ptr<PoolerCheck> pooler_check_;
    loop::Timer retirement_;  ///< sessions end on a turn of their own: close() may run inside one of their callbacks
    std::vector<std::unique_ptr<Session>> retired_;
};

}  // namespace dormouse::postgres
