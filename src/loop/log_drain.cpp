#include "loop/log_drain.h"

#include "base/log.h"

namespace dormouse::loop {
namespace {

constexpr Millis short_pause{5};
constexpr Millis long_pause{200};

}  // namespace

LogDrain::LogDrain(Loop& loop) : timer_(loop, "log.drain") {
    log::on_backlog([this] { timer_.once(long_pause, [this] { drain(); }); });
}

/// A reader that is there takes a few datagrams or a pipe's length at a time.
void LogDrain::drain() {
    const std::size_t before = log::waiting();
    if (log::drain()) return;
    timer_.once(log::waiting() < before ? short_pause : long_pause, [this] { drain(); });
}

LogDrain::~LogDrain() {
    log::on_backlog({});
}

}  // namespace dormouse::loop
