// For how long the host has been awake. A lease that ends while it is suspended says nothing of the worker that had it.
// Used by the statements that take runs back.
#pragma once

#include "base/clock.h"

namespace dormouse {

/// Since the host was suspended the last time, as far as this process has seen it, else since it booted. Of a suspend
/// before the first call nobody knows when it was: the host counts as awake since that call. From any thread.
Millis awake_for();

}  // namespace dormouse
