#include "support/sleepy_server.h"

#include <algorithm>

namespace dormouse::testing {

SleepyServer::SleepyServer(Cluster& cluster, Millis quiet)
    : cluster_(cluster),
      quiet_(quiet),
      proxy_(cluster.socket_directory(), cluster.port(), [this] { wake(); }),
      thread_([this] { watch(); }) {}

SleepyServer::~SleepyServer() {
    {
        const std::lock_guard lock(mutex_);
        over_ = true;
    }
    changed_.notify_one();
    thread_.join();
    if (!running_) cluster_.start();
}

void SleepyServer::wake() {
    const std::lock_guard lock(mutex_);
    woken_at_ = BootClock::now();
    if (running_) return;
    cluster_.start();
    woken_at_ = BootClock::now();
    running_ = true;
    ++starts_;
    changed_.notify_one();
}

// Waits for the moment at which it would have been quiet for long enough, and then looks whether it was.
void SleepyServer::watch() {
    std::unique_lock lock(mutex_);
    while (!over_) {
        if (!running_) {
            changed_.wait(lock);
            continue;
        }
        const auto left = std::max(proxy_.last_passed(), woken_at_) + quiet_ - BootClock::now();
        if (left > Millis{0}) {
            changed_.wait_for(lock, left);
            continue;
        }
        proxy_.cut();
        cluster_.stop();
        running_ = false;
    }
}

}  // namespace dormouse::testing
