#include "loop/async.h"

#include "base/limits.h"

namespace dormouse::loop {

Async::Async(Loop& loop, std::function<void()> on_knock) : turns_(loop.turns()), on_knock_(std::move(on_knock)) {
    const auto call = [](uv_async_t* handle) {
        auto* self = static_cast<Async*>(handle->data);
        if (self == nullptr) return;
        self->turns_.changed();
        self->on_knock_();
    };
    if (const int failed = uv_async_init(loop.get(), handle_.get(), call); failed != 0)
        end_for_want_of("no other thread can be listened to", -failed);
    handle_.get()->data = this;
}

void Async::knock() {
    uv_async_send(handle_.get());
}

}  // namespace dormouse::loop
