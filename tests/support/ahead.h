// A suspend of the host, for tests: the clock of this process is ahead as long as an Ahead lives.
#pragma once

#include "base/clock.h"

namespace dormouse::testing {

#ifdef DORMOUSE_CRASH_POINTS
class Ahead {
  public:
    explicit Ahead(Millis time) : time_(time) { move_clock(time_); }
    ~Ahead() { move_clock(-time_); }
    Ahead(const Ahead&) = delete;
    Ahead& operator=(const Ahead&) = delete;

  private:
    Millis time_;
};
#endif

}  // namespace dormouse::testing
