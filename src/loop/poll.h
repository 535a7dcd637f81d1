// Readiness of one descriptor that somebody else owns. Stop it, by destroying it, before the descriptor is closed.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "loop/handle.h"
#include "loop/loop.h"
#include "loop/timer.h"

namespace dormouse::loop {

class Poll {
  public:
    enum Events { none = 0, readable = UV_READABLE, writable = UV_WRITABLE, urgent = UV_PRIORITIZED };
    /// What was done with a descriptor that was ready. One with which nothing is done stays ready: the loop would turn
    /// for it for ever. After a hundred such turns it is left alone for 100 ms at a time, see Turns.
    enum class Did { something, nothing };
    using OnReady = std::function<Did(int events)>;

    /// Watches `fd`; `name` is for what Turns tells. Errors: an fd that epoll cannot watch aborts; it is a broken
    /// invariant of the caller.
    Poll(Loop& loop, int fd, std::string name);

    /// Calls `on_ready` with the ready events (an error counts as both) until told otherwise. `on_ready` may call
    /// watch(), stop() or destroy this object, and answers `something` then.
    void watch(int events, OnReady on_ready);
    /// Changes the events and keeps the callback.
    void change(int events);
    void stop();

  private:
    static void on_event(uv_poll_t* handle, int status, int events);
    void leave_alone();

    Loop& loop_;
    std::string name_;
    OnReady on_ready_;
    int events_ = none;
    std::unique_ptr<Timer> rest_;  ///< armed: left alone
    Handle<uv_poll_t> handle_;
};

}  // namespace dormouse::loop
