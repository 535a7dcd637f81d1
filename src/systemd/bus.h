// The system's service manager on the bus: one connection, one kind of error. Used by units.cpp, which looks, and
// switch.cpp, which switches.
#pragma once

#include <systemd/sd-bus.h>

#include <memory>

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

}  // namespace dormouse::systemd
