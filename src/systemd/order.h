// In which order the service manager stops a pool's worker and its database's server: whoever ends second at a shutdown
// can be written to by the first. Used by `dormouse setup` and `dormouse doctor`. Source: systemd.unit(5), Before= and
// After=.
#pragma once

#include <string>

#include "base/clock.h"
#include "base/error.h"

namespace dormouse::systemd {

/// Whether the pool's worker has ended before `server` is stopped: its unit is ordered after that one, or after an
/// active one that is ordered after it, as Debian's postgresql.service is after each cluster's. Errors: disconnected:
/// there is no system bus or no systemd here, or it does not answer within `patience`.
Result<bool> ends_before(const std::string& pool, const std::string& server, Millis patience);

/// The drop-in of the pool's service that orders it so, and where it belongs.
std::string order_drop_in(const std::string& server);
std::string order_path(const std::string& pool);

}  // namespace dormouse::systemd
