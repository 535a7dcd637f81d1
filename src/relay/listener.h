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
#include "postgres/listening_session.h"
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
    [[nodiscard]] std::string where() const { return session_.where(); }
    [[nodiscard]] std::string untested_server() const { return session_.untested_server(); }
    [[nodiscard]] std::uint64_t statements_sent() const { return session_.statements_sent(); }

  private:
    void settle();
    void on_settled(const std::string& kept_out, bool rested, const std::string& relying);
    void give_up(const Error& error);

    Events events_;
    std::vector<std::string> queues_;
    Millis connect_timeout_{10'000};
    bool open_ = false;
    bool registered_ = false;
    std::string relying_;   ///< the transactions that have left a NOTIFY out and are not over, as far as we know
    int tries_ = 0;         ///< to settle
    loop::Timer settling_;  ///< the next try
    loop::Timer patience_;  ///< with its answer
    postgres::ListeningSession session_;
};

}  // namespace dormouse::relay
