#include "loop/watch.h"

#include <string_view>

namespace dormouse::loop {

Watch::Watch(Loop& loop, const std::string& path, std::function<void()> on_change)
    : turns_(loop.turns()), on_change_(std::move(on_change)) {
    const auto slash = path.rfind('/');
    const std::string directory = slash == std::string::npos ? "." : slash == 0 ? "/" : path.substr(0, slash);
    name_ = slash == std::string::npos ? path : path.substr(slash + 1);
    uv_fs_event_init(loop.get(), handle_.get());
    handle_.get()->data = this;
    const int failed = uv_fs_event_start(
        handle_.get(),
        [](uv_fs_event_t* handle, const char* name, int, int) {
            auto* self = static_cast<Watch*>(handle->data);
            self->turns_.changed();
            if (name == nullptr || self->name_ == name || std::string_view(name) == "..data") {
                const auto call = self->on_change_;
                call();
            }
        },
        directory.c_str(), 0);
    if (failed == 0) return;
    trouble_ = directory + " cannot be watched: " + uv_strerror(failed);
    if (failed == UV_EMFILE || failed == UV_ENOSPC)
        trouble_ +=
            " (raise sysctl fs.inotify.max_user_instances and fs.inotify.max_user_watches, or LimitNOFILE= of the "
            "unit)";
}

}  // namespace dormouse::loop
