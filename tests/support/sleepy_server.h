// Stands in for a provider that suspends databases: a proxy before a private cluster that ends all sessions and stops
// the server when nothing has passed for a while, and starts it when somebody connects. The server and the sessions are
// real; what is imitated is when a provider stops them.
#pragma once

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <string>
#include <thread>

#include "base/clock.h"
#include "support/cluster.h"
#include "support/proxy_tcp.h"

namespace dormouse::testing {

class SleepyServer {
  public:
    /// The cluster is running and is left running at the end.
    SleepyServer(Cluster& cluster, Millis quiet);
    ~SleepyServer();
    SleepyServer(const SleepyServer&) = delete;
    SleepyServer& operator=(const SleepyServer&) = delete;

    [[nodiscard]] std::string url(const std::string& database) const { return proxy_.url(database); }
    [[nodiscard]] bool sleeps() const { return !running_; }
    /// How often somebody's connection has started it.
    [[nodiscard]] int starts() const { return starts_; }
    /// How often somebody has connected.
    [[nodiscard]] int connects() const { return proxy_.connections(); }

  private:
    void wake();
    void watch();

    Cluster& cluster_;
    Millis quiet_;
    std::mutex mutex_;
    std::atomic<bool> running_{true};
    std::atomic<int> starts_{0};
    std::condition_variable changed_;  ///< of running_ or over_
    bool over_ = false;
    BootClock::time_point woken_at_{};
    ProxyTcp proxy_;
    std::thread thread_;
};

}  // namespace dormouse::testing
