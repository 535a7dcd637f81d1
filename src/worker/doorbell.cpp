#include "worker/doorbell.h"

#include <unistd.h>

#include <cerrno>

#include "base/crash_point.h"
#include "base/error.h"
#include "systemd/listen.h"

namespace dormouse::worker {
namespace {

/// For each turn of the loop; with level-triggered polling the rest comes back at once, after everybody else had a
/// turn.
constexpr int most_rings_at_once = 512;

}  // namespace

Doorbell::Doorbell(loop::Loop& loop, std::vector<UniqueFd> listeners) : loop_(loop), listeners_(std::move(listeners)) {
    if (!listeners_.empty()) reserve_ = systemd::reserve_descriptor();
}

void Doorbell::answer(std::function<void()> on_ring) {
    on_ring_ = std::move(on_ring);
    polls_.clear();
    for (const UniqueFd& listener : listeners_) {
        auto& poll = polls_.emplace_back(std::make_unique<loop::Poll>(loop_, listener.get()));
        poll->watch(loop::Poll::readable, [this, fd = listener.get()](int) {
            if (systemd::empty_doorbell(fd, most_rings_at_once, reserve_) == 0) return;
            crash_point("ring.answered");
            on_ring_();
        });
    }
}

void Doorbell::use_wake_file(std::string path) {
    wake_file_ = std::move(path);
    answer_wake_file();
}

/// Removed and never read: it can be a link without harm.
bool Doorbell::answer_wake_file() {
    if (wake_file_.empty()) return false;
    const bool removed = ::unlink(wake_file_.c_str()) == 0;
    const bool absent = !removed && (errno == ENOENT || errno == ENOTDIR);
    wake_trouble_ =
        removed || absent ? "" : from_errno(errno, "the wake file " + wake_file_ + " cannot be removed").message;
    if (!removed) return false;
    crash_point("wake_file.removed");
    return true;
}

bool Doorbell::may_have_wake_files() const {
    return !wake_file_.empty() && ::access(wake_file_.substr(0, wake_file_.rfind('/')).c_str(), F_OK) == 0;
}

void Doorbell::watch_wake_file(bool watched) {
    wake_watch_.reset();
    if (!watched || !may_have_wake_files()) return;
    wake_watch_ = std::make_unique<loop::Watch>(loop_, wake_file_, [this] {
        if (answer_wake_file()) on_ring_();
    });
}

bool Doorbell::empty_now() {
    int rings = answer_wake_file() ? 1 : 0;
    for (const UniqueFd& listener : listeners_)
        rings += systemd::empty_doorbell(listener.get(), most_rings_at_once, reserve_);
    return rings > 0;
}

void Doorbell::stop() {
    polls_.clear();
    wake_watch_.reset();
}

}  // namespace dormouse::worker
