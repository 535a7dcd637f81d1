#include "loop/log_drain.h"

#include "base/log.h"

namespace dormouse::loop {

LogDrain::LogDrain(Loop& loop) : timer_(loop, "log.drain") {
    constexpr Millis pause{200};
    log::on_backlog([this] {
        timer_.every(pause, [this] {
            if (log::drain()) timer_.stop();
        });
    });
}

LogDrain::~LogDrain() {
    log::on_backlog({});
}

}  // namespace dormouse::loop
