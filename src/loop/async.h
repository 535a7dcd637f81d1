// A knock at the loop's door from another thread: the one thing here that other threads may touch.
#pragma once

#include <functional>

#include "loop/handle.h"
#include "loop/loop.h"

namespace dormouse::loop {

class Async {
  public:
    /// Calls `on_knock` on the loop's thread, once for any number of knocks since the last call. It keeps the loop
    /// running.
    Async(Loop& loop, std::function<void()> on_knock);

    /// From any thread, while this object lives. Source: uv_async_send.
    void knock();

  private:
    Turns& turns_;
    std::function<void()> on_knock_;
    Handle<uv_async_t> handle_;
};

}  // namespace dormouse::loop
