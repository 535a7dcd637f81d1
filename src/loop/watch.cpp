#include "loop/watch.h"

#include <sys/stat.h>

#include <string_view>

#include "base/log.h"

namespace dormouse::loop {
namespace {

constexpr Millis between_looks{5'000};

bool is_scarce(int error) {
    return error == UV_EMFILE || error == UV_ENFILE || error == UV_ENOSPC || error == UV_ENOMEM;
}

/// Another text when another file is there, or something was written.
std::string state_of(const std::string& path) {
    struct stat file{};
    if (::stat(path.c_str(), &file) != 0) return {};
    std::string state;
    for (const auto number : {file.st_dev, file.st_ino, static_cast<ino_t>(file.st_size),
                              static_cast<ino_t>(file.st_ctim.tv_sec), static_cast<ino_t>(file.st_ctim.tv_nsec)})
        state += std::to_string(number) + " ";
    return state;
}

}  // namespace

Watch::Watch(Loop& loop, const std::string& path, std::function<void()> on_change)
    : turns_(loop.turns()), path_(path), on_change_(std::move(on_change)), again_(loop, "watch.again") {
    const auto slash = path.rfind('/');
    directory_ = slash == std::string::npos ? "." : slash == 0 ? "/" : path.substr(0, slash);
    name_ = slash == std::string::npos ? path : path.substr(slash + 1);
    uv_fs_event_init(loop.get(), handle_.get());
    handle_.get()->data = this;
    start();
    if (again_.armed())
        log::event(log::Level::warning, "not_watched",
                   trouble_ + "; it is looked at every " + std::to_string(between_looks.count() / 1'000) + " s instead",
                   {{"file", path_}});
}

void Watch::start() {
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
        directory_.c_str(), 0);
    trouble_ = failed == 0 ? "" : directory_ + " cannot be watched: " + uv_strerror(failed);
    if (!is_scarce(failed)) return;
    trouble_ +=
        " (raise sysctl fs.inotify.max_user_instances and fs.inotify.max_user_watches, or LimitNOFILE= of the unit)";
    seen_ = state_of(path_);
    again_.once(between_looks, [this] { look(); });
}

/// What changed before a watch began is found as well.
void Watch::look() {
    const std::string before = seen_;
    start();
    if (state_of(path_) == before) return;
    const auto call = on_change_;
    call();
}

}  // namespace dormouse::loop
