// Lets the lines of the log that nobody read go on when somebody reads again. Whoever logs from a loop has one, made on
// the thread that logs.
#pragma once

#include "loop/loop.h"
#include "loop/timer.h"

namespace dormouse::loop {

class LogDrain {
  public:
    explicit LogDrain(Loop& loop);
    ~LogDrain();
    LogDrain(const LogDrain&) = delete;
    LogDrain& operator=(const LogDrain&) = delete;

  private:
    void drain();

    Timer timer_;  ///< armed only while lines wait
};

}  // namespace dormouse::loop
