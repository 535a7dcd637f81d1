// The ways on which messages go: a command of the admin's, a webhook, mail; and the URLs that are fetched. Each call
// blocks for `longest_try` at most, and is made on a thread of its own. Knows no book and no state.
#pragma once

#include <functional>
#include <map>
#include <string>

#include "alert_sender/message.h"
#include "alerts/alive.h"
#include "base/clock.h"
#include "base/error.h"
#include "config/config.h"

namespace dormouse::alert_sender {

inline constexpr Millis longest_try{8'000};

/// Errors: why it was not taken; no secret is in it. `within`: what is left of the time.
using Way = std::function<Status(const AlertMessage& message, Millis within)>;

struct Ways {
    std::map<std::string, Way> all;            ///< "command", "webhook", "mail"
    std::map<std::string, std::string> where;  ///< for people: "mail to ops@example by smtp.example:587"
};

/// Those that the configuration names. Errors: a file with a secret that cannot be read.
Result<Ways> ways_of(const config::Alerts& alerts);

/// GET. Errors: which host did not take it, and why; no secret is in it.
Status fetch(const config::Alerts& alerts, const alerts::AliveUrl& place, Millis within);

}  // namespace dormouse::alert_sender
