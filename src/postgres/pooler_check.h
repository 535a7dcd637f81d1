// Finds out whether a pooler hands sessions around, so that a LISTEN would belong to nobody. For a session whose
// backend is not the one the protocol told: something is in between. Driven by the owner of that session, before it
// LISTENs.
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
    /// True: sessions are handed around.
    using Done = std::function<void(Result<bool> shared)>;

    /// Opens a second session to `target` and compares backends. `done` is called once, on a turn of its own, and may
    /// destroy this object. Destroy it only after `ours` has answered or was shut. Errors: those of Connector and
    /// Session.
    PoolerCheck(loop::Loop& loop, Target target, Millis connect_timeout, Session& ours, Done done);

  private:
    using Replies = Result<std::vector<Reply>>;
    void on_connected(ConnectionPtr connection);
    void ask();
    void on_theirs(int first, const Replies& theirs);
    void finish(Result<bool> shared);

    loop::Loop& loop_;
    Session& ours_;
    Done done_;
    loop::Timer turn_;
    bool finished_ = false;
    std::unique_ptr<Session> theirs_;
    std::unique_ptr<Connector> connector_;
};

/// The refusal of such a pooler, with the remedy. `where` is for people.
Error shared_sessions(const std::string& where, const std::string& host);

}  // namespace dormouse::postgres
