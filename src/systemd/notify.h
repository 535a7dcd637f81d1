// What the worker tells systemd: ready, how it is, that it lives, that stopping takes longer. Without systemd every
// call does nothing. Source: sd_notify(3), sd_watchdog_enabled(3).
#pragma once

#include <optional>
#include <string>

#include "base/clock.h"

namespace dormouse::systemd {

/// READY=1: the loop runs and the doorbell is being answered.
void notify_ready();
/// STOPPING=1 with a status line. Display only: systemd does not stop sending rings for it.
void notify_stopping(const std::string& status);
/// That one is the unit's main process from here on. It must be in the unit. Source: sd_notify(3), MAINPID=.
void notify_main_process(int pid);
/// From here on every call does nothing: systemd listens to the main process alone.
void notify_no_more();
/// The line that `systemctl status` shows. One line, no secrets.
void notify_status(const std::string& status);
/// Asks for `more` time, from now, before systemd ends the stop phase. Repeat before it has passed.
void extend_stop_timeout(Millis more);
/// I am alive. Send at half of watchdog_period() or more often.
void notify_watchdog();
/// The period within which systemd wants to hear from us; none when there is no watchdog.
std::optional<Millis> watchdog_period();

}  // namespace dormouse::systemd
