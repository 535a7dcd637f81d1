#include "worker/news.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/log.h"

namespace dormouse::worker {
namespace {

constexpr Millis patience_of_a_try{20};  ///< all others wait meanwhile

std::int64_t now_ms() {
    return std::chrono::duration_cast<Millis>(std::chrono::system_clock::now().time_since_epoch()).count();
}

/// Without NUL, which Postgres takes in no text.
std::string storable(std::string_view text) {
    std::string out(text);
    std::replace(out.begin(), out.end(), '\0', ' ');
    return out;
}

std::optional<std::int64_t> millionths(const std::optional<double>& fraction) {
    if (!fraction || std::isnan(*fraction)) return std::nullopt;
    return std::llround(std::clamp(*fraction, 0.0, 1.0) * 1e6);
}

}  // namespace

News::Attempt& News::attempt_of(const store::Held& held) {
    Attempt& attempt = attempts_[held.id];
    // a new attempt, or the next of a run whose last one shows a fence that is gone
    if (attempt.held.fence != held.fence) {
        attempt = Attempt{};
        attempt.held = held;
    }
    return attempt;
}

void News::append(Attempt& attempt, const char* level, std::string_view text) {
    const nlohmann::json line{now_ms(), level, storable(text)};
    if (!attempt.open.json.empty()) attempt.open.json += ',';
    attempt.open.json += line.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
    ++attempt.next_line;
    attempt.bytes += text.size() + 1;
}

void News::line(const store::Held& held, const handlers::Line& line) {
    Attempt& attempt = attempt_of(held);
    if (attempt.bytes > 0 && attempt.bytes + line.text.size() > most_) {
        ++attempt.missing;
    } else {
        append(attempt, log::name_of(line.level), line.text);
    }
    something_waits();
}

void News::progress(const store::Held& held, const handlers::Progress& progress) {
    Attempt& attempt = attempt_of(held);
    const auto fraction = progress.fraction || !attempt.progress ? progress.fraction : attempt.progress->fraction;
    attempt.progress = handlers::Progress{fraction, storable(progress.text)};
    something_waits();
}

void News::something_waits() {
    if (std::exchange(waits_, true)) return;
    on_first_();
}

std::size_t News::bytes_of(const store::Held& held) const {
    const auto found = attempts_.find(held.id);
    return found == attempts_.end() ? 0 : found->second.bytes;
}

void News::forget(const store::Held& held) {
    const auto found = attempts_.find(held.id);
    if (found == attempts_.end() || found->second.held.fence != held.fence) return;
    attempts_.erase(found);
}

void News::let_go(const store::Held& held) {
    const auto found = attempts_.find(held.id);
    if (found == attempts_.end() || found->second.held.fence != held.fence) return;
    found->second.progress.reset();
    found->second.over = true;
    if (!found->second.is_on_wire && !found->second.waits()) {
        attempts_.erase(found);
    } else {
        something_waits();
    }
}

/// False: there is nothing of it.
bool News::put(store::Round& round, Attempt& attempt) {
    if (attempt.missing > 0) {
        const int missing = std::exchange(attempt.missing, 0);
        append(attempt, "warning",
               "[" + std::to_string(missing) + (missing == 1 ? " line is" : " lines are") +
                   " missing here: more waited to be written than limits.log_bytes]");
    }
    if (!attempt.open.json.empty()) {
        attempt.closed.push_back(std::exchange(attempt.open, Portion{attempt.next_line, {}}));
    }
    if (attempt.progress) attempt.progress_on_wire = std::exchange(attempt.progress, std::nullopt);
    if (attempt.closed.empty() && !attempt.progress_on_wire) return false;
    if (!round.news) round.news.emplace();
    std::optional<std::int64_t> fraction;
    std::optional<std::string> text;
    if (attempt.progress_on_wire) {
        fraction = millionths(attempt.progress_on_wire->fraction);
        text = attempt.progress_on_wire->text;
    }
    if (attempt.closed.empty()) round.news->push_back({attempt.held, fraction, text, 0, {}});
    for (const Portion& portion : attempt.closed) {
        round.news->push_back({attempt.held, fraction, text, portion.first_line, "[" + portion.json + "]"});
        fraction.reset();
        text.reset();
    }
    attempt.is_on_wire = true;
    attempt.on_wire = attempt.closed.size();
    attempt.bytes_on_wire = attempt.bytes;
    wire_.push_back(attempt.held.id);
    return true;
}

void News::fill_endings(store::Round& round) {
    if (!round.endings || lock_pause_ > Millis{0}) return;
    for (const store::Ending& ending : *round.endings) {
        const auto found = attempts_.find(ending.held.id);
        if (found != attempts_.end() && found->second.held.fence == ending.held.fence) put(round, found->second);
    }
}

bool News::fill(store::Round& round, Time now, bool all) {
    if (searching() && fill_group(round)) return true;
    if (locked_until(now)) return false;
    fill_endings(round);
    if (!waits_ || (!all && now < next_)) return round.news.has_value();
    waits_ = false;
    std::size_t bytes = 0;
    for (auto& [id, attempt] : attempts_) {
        if (attempt.is_on_wire) continue;
        if (bytes > most_bytes_in_a_round || (!all && now < attempt.not_before)) {
            waits_ = true;
            continue;
        }
        bytes += attempt.bytes;
        put(round, attempt);
    }
    next_ = now + least_between;
    return round.news.has_value();
}

/// False: of those that were searched nothing is left.
bool News::fill_group(store::Round& round) {
    while (bisection_.active()) {
        bool any = bisection_.next().empty();  // only whether the statement is taken at all
        if (any) {
            round.news.emplace();
            if (lock_pause_ > Millis{0}) round.patience = patience_of_a_try;
        }
        for (const Uuid& id : bisection_.next()) {
            const auto found = attempts_.find(id);
            if (found != attempts_.end() && put(round, found->second)) any = true;
        }
        if (any) return true;
        bisection_.passed();
    }
    return false;
}

void News::answered() {
    if (bisection_.active()) {
        bisection_.passed();
        lock_pause_ = Millis{0};
    }
    for (const Uuid& id : wire_) {
        const auto found = attempts_.find(id);
        if (found == attempts_.end()) continue;
        Attempt& attempt = found->second;
        attempt.is_on_wire = false;
        attempt.closed.erase(attempt.closed.begin(),
                             attempt.closed.begin() + static_cast<std::ptrdiff_t>(std::exchange(attempt.on_wire, 0)));
        attempt.bytes -= std::exchange(attempt.bytes_on_wire, 0);
        attempt.progress_on_wire.reset();
        attempt.pause = Millis{0};
        if (attempt.over && !attempt.waits()) attempts_.erase(found);
    }
    wire_.clear();
}

void News::again() {
    for (const Uuid& id : wire_) {
        const auto found = attempts_.find(id);
        if (found == attempts_.end()) continue;
        Attempt& attempt = found->second;
        attempt.is_on_wire = false;
        attempt.on_wire = 0;
        attempt.bytes_on_wire = 0;
        if (const auto older = std::exchange(attempt.progress_on_wire, std::nullopt)) {
            if (!attempt.progress) attempt.progress = older;
            if (!attempt.progress->fraction) attempt.progress->fraction = older->fraction;
        }
        waits_ = true;
    }
    wire_.clear();
}

Next News::refused(const store::Refused& refused) {
    using Found = Bisection<Uuid>::Found;
    if (!bisection_.active()) {
        bisection_.suspect(wire_);
        again();
        return Next::again;
    }
    const Found found = bisection_.refused();
    again();
    if (found == Found::everyone && refused.kind == ErrorKind::conflict) {
        wait_for_lock(refused.message);
        return Next::again;
    }
    if (found == Found::everyone) return Next::everyone;
    if (found == Found::nothing) return Next::again;
    const auto guilty = attempts_.find(bisection_.guilty());
    if (guilty == attempts_.end()) return Next::again;
    refused.kind == ErrorKind::conflict ? put_off(guilty->second) : replace_lines(guilty->second, refused.message);
    return Next::again;
}

/// A lock of somebody's: it passes, and the news wait for that.
void News::put_off(Attempt& attempt) {
    constexpr Millis first{1'000};
    constexpr Millis longest{30'000};
    attempt.pause = std::clamp(attempt.pause * 2, first, longest);
    attempt.not_before = BootClock::now() + attempt.pause;
}

/// Of somebody's who holds the whole table (CREATE INDEX does): runs that have said nothing end meanwhile.
void News::wait_for_lock(const std::string& why) {
    constexpr Millis first{1'000};
    constexpr Millis longest{30'000};
    log::event(
        lock_pause_ == Millis{0} ? log::Level::warning : log::Level::debug, "round_refused",
        "news: somebody has locked dormouse.run_logs; what runs say waits for it, and the end of those that have "
        "said something; dormouse doctor names who it is: " +
            why);
    lock_pause_ = std::clamp(lock_pause_ * 2, first, longest);
    locked_until_ = BootClock::now() + lock_pause_;
    waits_ = true;
}

std::optional<News::Time> News::locked_until(Time now) const {
    if (lock_pause_ == Millis{0} || searching()) return std::nullopt;
    return std::max(locked_until_, now);
}

void News::try_lock(Time now) {
    if (lock_pause_ > Millis{0} && !searching() && now >= locked_until_) bisection_.suspect({});
}

bool News::waits_for(const store::Held& held) const {
    const auto found = attempts_.find(held.id);
    return found != attempts_.end() && found->second.held.fence == held.fence && found->second.waits();
}

void News::replace_lines(Attempt& attempt, const std::string& why) {
    const int first = attempt.closed.empty() ? attempt.next_line : attempt.closed.front().first_line;
    const int lines = attempt.next_line - first;
    attempt.closed.clear();
    attempt.open = Portion{first, {}};
    attempt.next_line = first;
    attempt.bytes = 0;
    attempt.progress.reset();
    if (std::exchange(attempt.replaced, true)) {
        attempt.replaced = false;  // not even that: nothing
        log::event(log::Level::warning, "round_refused",
                   "news: the database takes no line and no progress of this run, they are dropped: " + why,
                   {{"run_id", attempt.held.id.to_string()}});
        return;
    }
    append(attempt, "warning",
           "[" + std::to_string(lines) +
               " lines or a progress are missing here, the database does not take them: " + why + "]");
    bisection_.again(attempt.held.id);
}

bool News::has_last_words(Time now) const {
    return waits_ && !locked_until(now) && std::any_of(attempts_.begin(), attempts_.end(), [now](const auto& entry) {
               const Attempt& attempt = entry.second;
               return attempt.over && attempt.waits() && !attempt.is_on_wire && now >= attempt.not_before;
           });
}

std::optional<Millis> News::wait(Time now) const {
    if (bisection_.active()) return Millis{0};
    if (lock_pause_ > Millis{0} && attempts_.empty()) return std::nullopt;
    if (lock_pause_ > Millis{0}) return std::max(Millis{0}, std::chrono::ceil<Millis>(locked_until_ - now));
    if (!waits_) return std::nullopt;
    return std::max(Millis{0}, std::chrono::ceil<Millis>(next_ - now));
}

}  // namespace dormouse::worker
