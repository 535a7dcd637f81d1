#include "handlers/in_process_run.h"

#include <utility>

#include "base/deadline.h"
#include "handlers/in_process.h"

namespace dormouse::handlers {

InProcessRun::InProcessRun(InProcess& owner, const Function& function, RunSpec spec, RunListener& listener,
                           const config::Limits& limits)
    : owner_(owner),
      function_(function),
      spec_(std::move(spec)),
      limits_(limits),
      started_at_(std::chrono::system_clock::now()),
      listener_(listener) {}

std::optional<std::chrono::system_clock::time_point> InProcessRun::deadline() const {
    if (spec_.timeout <= Millis{0}) return std::nullopt;
    return after(started_at_, spec_.timeout);
}

// The latest counts, so there is at most one word about it on its way.
void InProcessRun::progress(std::optional<double> fraction, std::string_view text) {
    std::string clean = clean_text(cut(text, progress_bytes));
    {
        const std::lock_guard lock(owner_.inbox_mutex_);
        if (fraction && *fraction >= 0 && *fraction <= 1) progress_.fraction = fraction;
        progress_.text = std::move(clean);
        if (std::exchange(progress_told_, true)) return;
    }
    owner_.say({InProcess::Word::Kind::progress, this});
}

void InProcessRun::log(Level level, std::string_view text) {
    const std::lock_guard lock(log_mutex_);
    log_level_ = level;
    if (!lines_)
        lines_ = std::make_unique<Lines>(log_budget_, [this](std::string_view line) {
            owner_.say({InProcess::Word::Kind::line, this, log_level_, std::string(line)});
        });
    lines_->add(text);
    if (!text.ends_with('\n')) lines_->add("\n");
}

std::string InProcessRun::rest_of_log() {
    const std::lock_guard lock(log_mutex_);
    return log_budget_.rest();
}

void InProcessRun::heartbeat(Millis within) {
    {
        const std::lock_guard lock(owner_.inbox_mutex_);
        beat_within_ = within;
        beat_at_ = BootClock::now();
        if (std::exchange(beat_told_, true)) return;
    }
    owner_.say({InProcess::Word::Kind::heartbeat, this});
}

}  // namespace dormouse::handlers
