#include "support/sleepy_server.h"

#include <algorithm>

namespace dormouse::testing {

SleepyServer::SleepyServer(Cluster& cluster, Millis quiet)
    : cluster_(cluster),
      quiet_(quiet),
      proxy_(cluster.socket_directory(), cluster.port(), [this] { wake(); }),
      thread_([this] { watch(); }) {}

SleepyServer::~SleepyServer() {
    over_ = true;
    thread_.join();
    const std::lock_guard lock(mutex_);
    if (!running_) cluster_.start();
}

void SleepyServer::wake() {
    const std::lock_guard lock(mutex_);
    woken_at_ = BootClock::now().time_since_epoch().count();
    if (running_) return;
    cluster_.start();
    running_ = true;
    ++starts_;
}

void SleepyServer::watch() {
    std::uint64_t bytes = 0;
    auto active = BootClock::now();
    while (!over_) {
        std::this_thread::sleep_for(Millis{20});  // nobody tells when nothing passes
        const BootClock::time_point woken{BootClock::duration{woken_at_.load()}};
        if (proxy_.bytes() != bytes) active = BootClock::now();
        bytes = proxy_.bytes();
        const std::lock_guard lock(mutex_);
        if (!running_ || since(std::max(active, woken)) < quiet_) continue;
        proxy_.cut();
        cluster_.stop();
        running_ = false;
    }
}

}  // namespace dormouse::testing
