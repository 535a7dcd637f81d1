// The one switch of a pool, as `systemctl enable --now dormouse@POOL.target` turns it. Used by `dormouse setup`, and
// `dormouse sandbox` for what it has systemd read.
#pragma once

#include <string>

#include "base/clock.h"
#include "base/error.h"

namespace dormouse::systemd {

/// Enables the target and starts it; returns when it is up. Does no harm to one that is up. Errors: denied (needs
/// root), disconnected (no systemd, or no answer within `patience`), invalid (a unit is masked, missing or fails; the
/// message says where to look). Source: org.freedesktop.systemd1(5).
Status switch_on(const std::string& pool, Millis patience);

/// Has systemd read its units' files again. Errors: as switch_on().
Status reload_units(Millis patience);

}  // namespace dormouse::systemd
