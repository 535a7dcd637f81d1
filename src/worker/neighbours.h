// The other pools of this machine, to be rung when a commit of this worker has put a run into a queue that they serve:
// whoever of them is awake has heard of it by NOTIFY, whoever sleeps has not. Driven by Worker, after the commit. A
// ring never blocks; their files, this pool's own among them, are small and in /etc, and read by the loop itself, at
// most every few seconds: where /etc hangs, so do programs and libraries.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "base/clock.h"
#include "config/local_pools.h"
#include "systemd/local_rings.h"

namespace dormouse::worker {

class Neighbours {
  public:
    /// `own`: the pool that is not rung. Of `environment` counts what says where files and sockets are: the rest is
    /// this worker's own.
    Neighbours(std::string own, const config::Environment& environment);

    /// Those that serve one of these queues, or whose file cannot be read, so that they may.
    void ring(const std::vector<std::string>& queues);
    void ring_all();

  private:
    static constexpr Millis known_for{5'000};

    void look_around();
    void note(const systemd::PoolRing& ring, bool wanted);

    std::string own_;
    config::Environment environment_;
    std::vector<config::LocalPool> pools_;
    std::optional<BootClock::time_point> looked_at_;
    std::set<std::string> unreachable_;  ///< said once, until they answer
};

}  // namespace dormouse::worker
