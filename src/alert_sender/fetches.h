// The URLs that say that all is well (alerts/alive.h), as far as they wait to be fetched: when each is tried, and what
// became of it. What was not taken is tried again with growing pauses (10 s to 10 min), and dropped after an hour: a
// service that hears of a run so late would believe that it has just completed.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "alerts/alive.h"
#include "base/error.h"

namespace dormouse::alert_sender {

class Fetches {
  public:
    /// What text() gave, which is JSON; anything else is none.
    void read(const std::string& text);
    [[nodiscard]] std::string text() const;

    /// Of all notices those of the kind "alive".
    void take(const std::vector<alerts::Notice>& notices);
    /// The worker is no more: what says that it is awake is dropped.
    void drop_pool() { waiting_.erase(""); }
    /// Drops what is too old, and what `urls` does not have.
    void forget(const alerts::AliveUrls& urls, std::int64_t now);
    /// Those that may be tried, the oldest first.
    [[nodiscard]] std::vector<std::string> due(std::int64_t now) const;
    void tried(const std::string& name, bool taken, std::int64_t now);
    [[nodiscard]] bool empty() const { return waiting_.empty(); }
    /// Whether some have not been taken that need no worker.
    [[nodiscard]] bool of_tasks() const;
    [[nodiscard]] std::optional<std::int64_t> again_in(std::int64_t now) const;

  private:
    struct Waiting {
        std::int64_t since = 0;  ///< of the latest
        std::int64_t next = 0;
        int failures = 0;
    };
    std::map<std::string, Waiting> waiting_;  ///< by task; "": the pool's own
};

/// Fetches those, several side by side, within ways.h's longest_try. What there is no time for is not in the answer.
std::map<std::string, Status> fetch_all(const config::Alerts& alerts, const alerts::AliveUrls& urls,
                                        const std::vector<std::string>& names);

}  // namespace dormouse::alert_sender
