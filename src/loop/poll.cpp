#include "loop/poll.h"

#include "base/limits.h"

namespace dormouse::loop {

Poll::Poll(Loop& loop, int fd) : turns_(loop.turns()) {
    if (const int failed = uv_poll_init(loop.get(), handle_.get(), fd); failed != 0)
        end_for_want_of("a descriptor cannot be waited for", -failed);
    handle_.get()->data = this;
}

void Poll::watch(int events, OnReady on_ready) {
    on_ready_ = std::move(on_ready);
    change(events);
}

void Poll::change(int events) {
    if (events == events_) return;
    events_ = events;
    if (events == none) {
        uv_poll_stop(handle_.get());
    } else {
        uv_poll_start(handle_.get(), events, on_event);
    }
}

void Poll::stop() {
    change(none);
}

void Poll::on_event(uv_poll_t* handle, int status, int events) {
    auto* self = static_cast<Poll*>(handle->data);
    const auto call = self->on_ready_;  // a copy: the callee may destroy the Poll
    // On an error libuv stops watching, but there may be more to read than the callee takes at once: go on until it has
    // met the error itself.
    if (status < 0) uv_poll_start(handle, self->events_, on_event);
    self->turns_.changed();
    call(status < 0 ? (readable | writable) : events);
}

}  // namespace dormouse::loop
