// Makes one session: resolves names off the loop, then tries every address of every host, each with a deadline of its
// own, until one answers. Driven by Session's owner; destroying it abandons the attempt.
#pragma once

#include <libpq-fe.h>

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "base/clock.h"
#include "base/error.h"
#include "loop/loop.h"
#include "loop/poll.h"
#include "loop/resolve.h"
#include "loop/timer.h"
#include "postgres/target.h"

namespace dormouse::postgres {

struct FinishConnection {
    void operator()(PGconn* connection) const { PQfinish(connection); }
};
using ConnectionPtr = std::unique_ptr<PGconn, FinishConnection>;

class Connector {
  public:
    using Done = std::function<void(Result<ConnectionPtr>)>;

    /// Starts at once. `done` is called exactly once, from the loop, unless this object is destroyed before; it may
    /// destroy it. `deadline` is for each address. Errors: the last place's, by its SQLSTATE: denied, incompatible,
    /// transient. Source: libpq chapter, PQconnectPoll (which ignores connect_timeout and may change its socket).
    Connector(loop::Loop& loop, Target target, Millis deadline, Done done);

  private:
    void next();
    void resolve(const Endpoint& place);
    void attempt(const Endpoint& place);
    void advance();
    void wait_for_socket(PostgresPollingStatusType wanted);
    void attempt_failed(Error error);
    void finish(Result<ConnectionPtr> result);

    loop::Loop& loop_;
    std::map<std::string, std::string> options_;
    std::deque<Endpoint> places_;
    Millis deadline_;
    Done done_;
    std::string where_;
    std::optional<Error> last_error_;
    loop::Timer timer_;
    std::optional<loop::Resolve> resolve_;
    // The poll handle goes before the connection that owns its descriptor.
    ConnectionPtr connection_;
    std::unique_ptr<loop::Poll> poll_;
};

/// Maps the error of a connection that could not be made. Messages name `where` and never hold a password.
Error connect_error(const PGconn* connection, const std::string& where);

}  // namespace dormouse::postgres
