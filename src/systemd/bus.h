// The system's service manager on the bus: one connection, one kind of error. Used by units.cpp and order.cpp,
// which look, and switch.cpp, which switches.
#pragma once

#include <systemd/sd-bus.h>

#include <memory>
#include <string>

#include "base/clock.h"
#include "base/error.h"

namespace dormouse::systemd {

inline constexpr const char* bus_service = "org.freedesktop.systemd1";
inline constexpr const char* bus_object = "/org/freedesktop/systemd1";
inline constexpr const char* bus_unit = "org.freedesktop.systemd1.Unit";
inline constexpr const char* bus_manager = "org.freedesktop.systemd1.Manager";

using Bus = std::unique_ptr<sd_bus, decltype(&sd_bus_flush_close_unref)>;
using Message = std::unique_ptr<sd_bus_message, decltype(&sd_bus_message_unref)>;

/// `code` is what sd-bus returned. Errors: denied for what only root may, else disconnected.
Error bus_failed(int code);

/// Each call fails after `patience`. Errors: disconnected: there is no system bus here.
Result<Bus> open_bus(Millis patience);

/// Loads the unit's files if nobody has, which starts nothing; `path` is its object's. Returns what sd-bus did.
int load_unit(sd_bus* bus, const std::string& unit, std::string& path);

}  // namespace dormouse::systemd
