// What the service manager says of the pools' units, asked over the bus. Only looks. Used by the command line.
// Source: org.freedesktop.systemd1(5).
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/error.h"

namespace dormouse::systemd {

/// Of one pool. States are systemd's: active, inactive, failed, activating, …, or masked; empty: the unit is not
/// loaded, so nobody has started it.
struct PoolUnits {
    std::string target;
    std::string socket;
    std::string path;
    std::string service;
    std::string service_sub;  ///< running, auto-restart, …
    std::string relay;        ///< of dormouse-relay@POOL.service; failed too while it is started again and again
    bool due_timer = false;   ///< one is armed for what is due next, or for the look of the start
    bool at_boot = true;      ///< the target is enabled; false only if that is known

    /// Whether its switch is on: the target is up, or on its way.
    [[nodiscard]] bool on() const { return target == "active" || target == "activating"; }
};

/// Those of the pools `names`, by pool. Errors: disconnected: there is no system bus or no systemd here, or it does not
/// answer within `patience`.
Result<std::map<std::string, PoolUnits>> units_of(const std::vector<std::string>& names, Millis patience);

/// A pool's worker while it is not there: how its service ended, and what is armed for it. Times are seconds since
/// 1970.
struct UnitAtRest {
    std::optional<double> since;     ///< its service is in the state that it is in; none: not since the boot
    std::string result;              ///< of its last end: success, exit-code, signal, watchdog, …
    int exit_status = 0;             ///< an exit code or a signal
    std::optional<double> fires_at;  ///< when its timer for what is due next does; none: none is armed
};

/// Of the pools that are named, with the number of the timer that dormouse-due has armed last (due_file.h). Errors: as
/// units_of().
Result<std::map<std::string, UnitAtRest>> at_rest(const std::map<std::string, std::optional<std::uint64_t>>& pools,
                                                  Millis patience);

/// What an administrator has changed of a unit.
struct UnitChange {
    std::string unit;
    std::vector<std::string> drop_ins;  ///< paths
    bool needs_reload = false;          ///< its files are others than those that systemd has read
};

/// Of the pool's target, socket, path and service. Errors: as units_of().
Result<std::vector<UnitChange>> changes_of(const std::string& pool, Millis patience);

/// User= of the pool's service, as systemd has read it; empty: none is said. Errors: as units_of().
Result<std::string> account_of_service(const std::string& pool, Millis patience);

/// TimeoutStopSec= of the pool's service, as systemd has read it. Errors: as units_of().
Result<Millis> stop_timeout_of(const std::string& pool, Millis patience);

/// The lines "KEY=VALUE" of [Service] of the pool's service and its drop-ins, in the order in which systemd reads them,
/// with continued lines joined, the specifiers that name the unit filled in, and without those that a later empty one
/// takes back. Errors: as units_of(); invalid: there is no such unit, or one of its files cannot be read.
Result<std::vector<std::string>> service_settings(const std::string& pool, Millis patience);

}  // namespace dormouse::systemd
