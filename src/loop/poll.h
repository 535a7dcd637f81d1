// Readiness of one descriptor that somebody else owns. Stop it, by destroying it, before the descriptor is closed.
#pragma once

#include <functional>

#include "loop/handle.h"
#include "loop/loop.h"

namespace dormouse::loop {

class Poll {
  public:
    enum Events { none = 0, readable = UV_READABLE, writable = UV_WRITABLE };
    using OnReady = std::function<void(int events)>;

    /// Watches `fd`. Errors: an fd that epoll cannot watch aborts; it is a broken invariant of the caller.
    Poll(Loop& loop, int fd);

    /// Calls `on_ready` with the ready events (an error counts as both) until told otherwise. `on_ready` may call
    /// watch(), stop() or destroy this object.
    void watch(int events, OnReady on_ready);
    /// Changes the events and keeps the callback.
    void change(int events);
    void stop();

  private:
    static void on_event(uv_poll_t* handle, int status, int events);

    Turns& turns_;
    OnReady on_ready_;
    int events_ = none;
    Handle<uv_poll_t> handle_;
};

}  // namespace dormouse::loop
