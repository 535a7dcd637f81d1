// One piece of work off the loop's thread, for a system call that waits for the kernel. Nothing comes back from it.
#pragma once

#include <functional>

#include "loop/loop.h"

namespace dormouse::loop {

/// Runs `work` once on a thread of libuv's pool. It must not touch what the loop's thread may change meanwhile. The
/// loop stays alive until it is done. Source: uv_queue_work.
void in_background(Loop& loop, std::function<void()> work);

}  // namespace dormouse::loop
