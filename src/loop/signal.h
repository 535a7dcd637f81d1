// One signal, taken on the loop's thread.
#pragma once

#include <functional>

#include "loop/handle.h"
#include "loop/loop.h"

namespace dormouse::loop {

class Signal {
  public:
    /// Calls `on_signal` each time `number` (SIGTERM, …) arrives, until destroyed.
    Signal(Loop& loop, int number, std::function<void()> on_signal);

  private:
    Turns& turns_;
    std::function<void()> on_signal_;
    Handle<uv_signal_t> handle_;
};

}  // namespace dormouse::loop
