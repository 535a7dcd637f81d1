#include "loop/signal.h"

#include "base/limits.h"

namespace dormouse::loop {

Signal::Signal(Loop& loop, int number, std::function<void()> on_signal)
    : turns_(loop.turns()), on_signal_(std::move(on_signal)) {
    if (const int failed = uv_signal_init(loop.get(), handle_.get()); failed != 0)
        end_for_want_of("no signal can be waited for", -failed);
    handle_.get()->data = this;
    uv_signal_start(
        handle_.get(),
        [](uv_signal_t* handle, int) {
            auto* self = static_cast<Signal*>(handle->data);
            self->turns_.changed();
            self->on_signal_();
        },
        number);
}

}  // namespace dormouse::loop
