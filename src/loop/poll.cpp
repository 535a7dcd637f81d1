#include "loop/poll.h"

#include "base/limits.h"

namespace dormouse::loop {

Poll::Poll(Loop& loop, int fd, std::string name) : loop_(loop), name_(std::move(name)) {
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
    rest_.reset();
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
    Turns& turns = self->loop_.turns();
    const Turns::Streak before = turns.streak();
    turns.changed();  // as it is seen by whatever is called
    if (call(status < 0 ? (readable | writable) : events) == Did::something) return;
    turns.nothing_came_of(self->name_, before);
    if (turns.are_idle()) self->leave_alone();
}

void Poll::leave_alone() {
    uv_poll_stop(handle_.get());
    rest_ = std::make_unique<Timer>(loop_, name_);
    rest_->once(Millis{0}, [this] {  // as long as Turns finds suited
        uv_poll_start(handle_.get(), events_, on_event);
        rest_.reset();
    });
}

}  // namespace dormouse::loop
