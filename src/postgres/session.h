// One session with Postgres in non-blocking pipeline mode. Statements go in as exchanges: each exchange is one implicit
// transaction, several may be on the wire, answers come in order. Driven by store; knows no run and no queue.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/error.h"
#include "loop/loop.h"
#include "loop/poll.h"
#include "loop/timer.h"
#include "postgres/connector.h"
#include "postgres/params.h"
#include "postgres/result.h"

namespace dormouse::postgres {

/// One statement. `prepare` is for statements that come again: prepared once for each session, by the address of `sql`.
struct Statement {
    const char* sql = nullptr;  ///< lives as long as the session, with the same text
    Params params;
    bool prepare = false;
};

/// The error that undid a whole exchange.
struct Undone : Error {
    std::optional<std::size_t> statement;  ///< which one was refused; none: the commit, so it may be any of them
    std::string sqlstate;                  ///< empty: libpq's own error
    bool of_a_function = false;            ///< of somebody's: a trigger
};
using Replies = tl::expected<std::vector<Reply>, Undone>;

class Session {
  public:
    /// One result for each statement, in order, with binary columns; or the error that undid the whole transaction.
    using Done = std::function<void(Replies)>;

    struct Events {
        std::function<void(const std::string& channel, const std::string& payload)> on_notification;
        /// The session is gone. Exchanges on the wire get no answer: what became of them is unknown. Called once, as
        /// the last thing this object does; it may destroy it.
        std::function<void(Error)> on_lost;
    };

    /// Takes over a connection that a Connector has made.
    Session(loop::Loop& loop, ConnectionPtr connection, Events events);

    /// Sends `statements` as one transaction. `done` is called from the loop, once, unless the session is lost first;
    /// it may send more, and may not destroy the session.
    void exchange(std::vector<Statement> statements, Done done);

    /// No event follows, no answer comes. Unlike destruction it is allowed inside a callback of this session.
    void shut();

    [[nodiscard]] bool busy() const { return !waiting_.empty(); }
    [[nodiscard]] int backend_pid() const { return PQbackendPID(connection_.get()); }
    [[nodiscard]] int server_version() const { return PQserverVersion(connection_.get()); }
    [[nodiscard]] std::string host() const;
    /// Every statement sent so far; tests of silence count it.
    [[nodiscard]] std::uint64_t statements_sent() const { return statements_sent_; }

  private:
    /// What one command of an exchange is: answers carry no name, only their place in line.
    enum class Command { prepare, query };
    struct Waiting {
        std::vector<std::pair<Command, const char*>> commands;
        std::size_t answered = 0;
        std::vector<Reply> results;
        std::optional<Undone> error;
        Done done;
    };

    void send(Waiting& waiting, const Statement& statement);
    void on_ready();
    void flush();
    void take_notifications();
    void take_results();
    bool take_result(Reply result);
    void lose(const std::string& what);

    loop::Loop& loop_;
    ConnectionPtr connection_;
    Events events_;
    std::deque<Waiting> waiting_;
    std::unordered_map<const char*, std::string> prepared_;
    std::deque<std::string> prepared_names_in_flight_;
    std::uint64_t statements_sent_ = 0;
    bool lost_ = false;
    loop::Timer deferred_loss_;
    std::unique_ptr<loop::Poll> poll_;
};

}  // namespace dormouse::postgres
