// One session that LISTENs to the channels of a pool's queues and sends nothing else, once it is registered there and
// nobody relies on its being away (W10): from then on it hears of everything. Driven by Relay, which says when to open
// it. Knows no run and no schema: a database without one has nothing to tell.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/error.h"
#include "loop/loop.h"
#include "loop/timer.h"
#include "postgres/connector.h"
#include "postgres/pooler_check.h"
#include "postgres/session.h"
#include "postgres/target.h"

namespace dormouse::relay {

class Listener {
  public:
    struct Events {
        std::function<void()> on_listening;     ///< LISTEN has taken effect
        std::function<void()> on_notified;      ///< there may be something to claim, also that we were not told of
        std::function<void(Error)> on_trouble;  ///< there is no session, or no longer, and why
        /// Somebody holds a lock that he should not, so it tries again and again; empty: no longer.
        std::function<void(const std::string&)> on_kept_out;
    };

    Listener(loop::Loop& loop, Events events);

    /// Connects, checks for a pooler and LISTENs; then on_listening or on_trouble, never from inside this call. Each
    /// address has `connect_timeout`, and so has all that follows the connection.
    void open(postgres::Target target, const std::vector<std::string>& queues, Millis connect_timeout);
    /// Closes whatever there is; no event follows.
    void close();
    [[nodiscard]] bool is_open() const { return open_; }
    /// Where the session is, for people. No secrets.
    [[nodiscard]] std::string where() const;
    [[nodiscard]] std::uint64_t statements_sent() const { return session_ ? session_->statements_sent() : 0; }

  private:
    void on_connected(postgres::ConnectionPtr connection);
    void set_up(bool through_pooler);
    void check_pooler();
    void listen();
    void settle();
    void on_settled(const std::string& kept_out, bool rested, const std::string& relying);
    void give_up(Error error);

    loop::Loop& loop_;
    Events events_;
    postgres::Target target_;
    std::vector<std::string> queues_;
    std::vector<std::string> sql_;
    Millis connect_timeout_{10'000};
    bool open_ = false;
    bool registered_ = false;
    std::string relying_;  ///< the transactions that have left a NOTIFY out and are not over, as far as we know
    int tries_ = 0;        ///< to settle
    loop::Timer deferred_;
    loop::Timer deadline_;
    loop::Timer settling_;
    std::unique_ptr<postgres::Session> session_;
    std::unique_ptr<postgres::Connector> connector_;
    std::unique_ptr<postgres::PoolerCheck> pooler_check_;
};

}  // namespace dormouse::relay
