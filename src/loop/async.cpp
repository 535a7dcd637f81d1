#include "loop/async.h"

#include <cstdlib>

namespace dormouse::loop {

Async::Async(Loop& loop, std::function<void()> on_knock) : turns_(loop.turns()), on_knock_(std::move(on_knock)) {
    const auto call = [](uv_async_t* handle) {
        auto* self = static_cast<Async*>(handle->data);
        if (self == nullptr) return;
        self->turns_.changed();
        self->on_knock_();
    };
    if (uv_async_init(loop.get(), handle_.get(), call) != 0) std::abort();
    handle_.get()->data = this;
}

void Async::knock() {
    uv_async_send(handle_.get());
}

}  // namespace dormouse::loop
