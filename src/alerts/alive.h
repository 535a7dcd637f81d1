// The URLs that are fetched because all is well, for a service that raises the alarm when that stays away: of a task
// after a run has completed, of the pool while its worker listens. Says when which of them is due. Driven by Desk; no
// loop, no network. Bounds: one entry for each URL; a task's is due at most once in 30 s.
#pragma once

#include <initializer_list>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "alerts/notice.h"
#include "base/clock.h"
#include "base/log.h"
#include "config/config.h"

namespace dormouse::alerts {

struct AliveUrl {
    std::string url;
    std::string file;  ///< holds it instead; empty: none
    bool operator==(const AliveUrl&) const = default;
};
/// By task; "" is the pool's own.
using AliveUrls = std::map<std::string, AliveUrl>;
AliveUrls alive_urls(const config::Config& config);

class Alive {
  public:
    using Time = BootClock::time_point;
    explicit Alive(const config::Config& config);

    /// True: something has become due that was not.
    bool observe(std::string_view event, std::initializer_list<log::Field> fields, Time now);
    /// Until something is to be fetched; none: nothing is.
    [[nodiscard]] std::optional<Millis> wait(Time now) const;
    /// What is due now, and with `all` what would be later: as notices of the kind "alive".
    std::vector<Notice> take(Time now, bool all = false);
    /// Could not be handed on: once more after `pause`.
    void put_back(const std::vector<Notice>& notices, Time now, Millis pause);
    /// Whether take(…, true) would give something.
    [[nodiscard]] bool owes() const;

  private:
    struct Place {
        Millis apart{0};  ///< at least, between two
        Time next{};      ///< not before
        bool owed = false;
    };
    /// A pool that listens and has its database owes its own again and again.
    [[nodiscard]] bool keeps_owing() const { return listening_ && !outage_; }

    std::map<std::string, Place, std::less<>> places_;
    bool listening_ = false;
    bool outage_ = false;
};

}  // namespace dormouse::alerts
