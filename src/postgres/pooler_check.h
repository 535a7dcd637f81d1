// Finds out whether a pooler hands sessions around, so that a LISTEN would belong to nobody. For a session whose
// backend is not the one the protocol told: something is in between. Driven by the owner of that session, before it
// sets anything in it.
#pragma once

#include <functional>
#include <memory>

#include "base/clock.h"
#include "base/error.h"
#include "loop/loop.h"
#include "loop/timer.h"
#include "postgres/connector.h"
#include "postgres/session.h"
#include "postgres/target.h"

namespace dormouse::postgres {

class PoolerCheck {
  public:
    /// The backend that is ours alone, or why there is none: `incompatible` for a pooler that hands sessions around.
    using Done = std::function<void(Result<int> backend)>;

    /// Opens a second session to `target`. Several turns each keep their backend, and what the second one notifies is
    /// heard by `ours`. `done` is called once, on a turn of its own, and may destroy this object. Destroy it only after
    /// `ours` has answered or was shut. Other errors: those of Connector and Session.
    PoolerCheck(loop::Loop& loop, Target target, Millis connect_timeout, Session& ours, Done done);

    /// To be told of every notification that `ours` gets.
    void heard(const std::string& payload);

  private:
    using Replies = Result<std::vector<Reply>>;
    using Then = std::function<void()>;
    void on_connected(ConnectionPtr connection);
    /// Asks for the backend `turns` times, each in a transaction of its own; goes on if it was always `backend`, which
    /// is set if it is not known yet.
    void keeps(Session& session, int& backend, int turns, Then then);
    void hear();
    void unlisten(Result<int> backend);
    void refuse(const std::string& why);
    void finish(Result<int> backend);

    loop::Loop& loop_;
    Millis patience_;
    Session& ours_;
    Done done_;
    loop::Timer turn_;
    loop::Timer silence_;
    std::string nonce_;
    int our_backend_ = 0;
    int their_backend_ = 0;
    bool finished_ = false;
    std::unique_ptr<Session> theirs_;
    std::unique_ptr<Connector> connector_;
};

/// The refusal of such a pooler, with what was seen and the remedy.
Error shared_sessions(const std::string& host, const std::string& why);

}  // namespace dormouse::postgres
