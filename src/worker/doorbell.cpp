#include "worker/doorbell.h"

#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <ctime>

#include "base/crash_point.h"
#include "systemd/listen.h"

namespace dormouse::worker {
namespace {

/// For each turn of the loop; with level-triggered polling the rest comes back at once, after everybody else had a
/// turn.
constexpr int most_rings_at_once = 512;

constexpr Millis first_pause{100};
constexpr Millis longest_pause{5'000};

}  // namespace

Doorbell::Doorbell(loop::Loop& loop, std::vector<UniqueFd> listeners)
    : loop_(loop), listeners_(std::move(listeners)), pause_(loop, "doorbell.pause"), next_pause_(first_pause) {
    if (!listeners_.empty()) reserve_ = systemd::reserve_descriptor();
}

void Doorbell::answer(std::function<void()> on_ring) {
    on_ring_ = std::move(on_ring);
    polls_.clear();
    for (const UniqueFd& listener : listeners_) {
        auto& poll = polls_.emplace_back(std::make_unique<loop::Poll>(loop_, listener.get(), "doorbell"));
        poll->watch(loop::Poll::readable, [this, &listener](int) {
            if (empty(listener) == 0) return loop::Poll::Did::nothing;
            crash_point("ring.answered");
            on_ring_();
            return loop::Poll::Did::something;
        });
    }
}

/// A ring that cannot be accepted is one all the same, and is answered by a look; it is accepted when that is possible
/// again.
int Doorbell::empty(const UniqueFd& listener) {
    const systemd::Answered answered = systemd::empty_doorbell(listener.get(), most_rings_at_once, reserve_);
    if (!answered.stuck) {
        next_pause_ = first_pause;
        return answered.rings;
    }
    for (const auto& poll : polls_) poll->change(loop::Poll::none);
    if (!polls_.empty() && !pause_.armed()) {
        pause_.once(next_pause_, [this] {
            for (const auto& poll : polls_) poll->change(loop::Poll::readable);
        });
        next_pause_ = std::min(next_pause_ * 2, longest_pause);
    }
    return answered.rings + 1;
}

void Doorbell::use_wake_file(std::string path) {
    wake_file_ = std::move(path);
    answer_wake_file();
}

/// Looked at and never opened: it can be anything without harm. A time that is so young may be that of a later write,
/// too, since the kernel's clock for files ticks: it is answered once more.
bool Doorbell::answer_wake_file() {
    constexpr std::chrono::milliseconds longest_tick{50};
    struct stat found{};
    if (wake_file_.empty() || ::lstat(wake_file_.c_str(), &found) != 0) return false;
    const auto time = [](const timespec& at) {
        return std::chrono::seconds(at.tv_sec) + std::chrono::nanoseconds(at.tv_nsec);
    };
    const WakeFile seen{found.st_ino, time(found.st_ctim)};
    if (seen == answered_) return false;
    timespec now{};
    ::clock_gettime(CLOCK_REALTIME, &now);
    if (time(now) - seen.written > longest_tick) answered_ = seen;
    crash_point("wake_file.answered");
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
    // what is stuck wakes the next worker
    for (const UniqueFd& listener : listeners_)
        rings += systemd::empty_doorbell(listener.get(), most_rings_at_once, reserve_).rings;
    return rings > 0;
}

bool Doorbell::has_ring() const {
    return std::any_of(listeners_.begin(), listeners_.end(), [](const UniqueFd& listener) {
        pollfd waiting{listener.get(), POLLIN, 0};
        return ::poll(&waiting, 1, 0) > 0;
    });
}

std::vector<int> Doorbell::sockets() const {
    std::vector<int> all;
    for (const UniqueFd& listener : listeners_) all.push_back(listener.get());
    return all;
}

void Doorbell::stop() {
    polls_.clear();
    pause_.stop();
    wake_watch_.reset();
}

}  // namespace dormouse::worker
