// How long what changes the schema waits for locks of others: in short turns, between which nobody queues up behind it,
// and it says who is waited for. Driven by the migrator and by the command for the local wake.
#pragma once

#include <functional>
#include <string>

#include "base/clock.h"
#include "base/error.h"
#include "postgres/blocking.h"

namespace dormouse::postgres {

struct Patience {
    Millis longest{60'000};
    /// Called once, when the first turn was in vain, with who holds what is wanted.
    std::function<void(const std::string&)> tell;
};

/// Calls `attempt` until it is something else than a conflict with others, or the time is up. It is given the statement
/// for the beginning of its transaction that lets a lock be waited for; what it leaves open is rolled back.
/// Errors: conflict, with the login, pid, application and begin of the transaction of each who holds a lock.
Status with_patience(BlockingConnection& connection, const Patience& patience,
                     const std::function<Status(const std::string& lock_timeout)>& attempt);

/// Undoes an open transaction, so that the session can be used again.
void roll_back(BlockingConnection& connection);

}  // namespace dormouse::postgres
