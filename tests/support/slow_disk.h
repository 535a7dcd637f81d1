// A disk that is slow, or does not answer at all, for who opens a directory or a file in it: open(2) waits in the
// kernel for this object, as it would for a network file system whose server is gone. Needs root. Used by tests only.
// Source: fanotify(7), FAN_OPEN_PERM.
#pragma once

#include <atomic>
#include <boost/test/tools/assertion_result.hpp>
#include <boost/test/tree/test_unit.hpp>
#include <string>
#include <thread>

#include "base/clock.h"
#include "base/unique_fd.h"

namespace dormouse::testing {

/// For suites: without the right to hold an open(2) they are skipped and say so. The second wants Postgres as well.
boost::test_tools::assertion_result can_hold_opens(boost::unit_test::test_unit_id);
boost::test_tools::assertion_result has_slow_disks(boost::unit_test::test_unit_id);

class SlowDisk {
  public:
    /// From now on each open(2) of `directory` and of what is in it takes `delay`. Throws std::runtime_error.
    explicit SlowDisk(const std::string& directory, Millis delay);
    /// Whoever waits goes on.
    ~SlowDisk();
    SlowDisk(const SlowDisk&) = delete;
    SlowDisk& operator=(const SlowDisk&) = delete;

    /// How many have been waiting.
    [[nodiscard]] int asked() const { return asked_; }

  private:
    void live();

    UniqueFd events_;
    UniqueFd over_;
    Millis delay_;
    std::atomic<int> asked_{0};
    std::thread thread_;
};

/// Longer than what a case waits for: it does not answer.
inline constexpr Millis for_ever{40'000};

}  // namespace dormouse::testing
