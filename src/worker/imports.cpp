#include "worker/imports.h"

#include <algorithm>
#include <set>

#include "base/backoff.h"
#include "base/log.h"

namespace dormouse::worker {
namespace {

constexpr Millis first_stuck_pause{1'000};
constexpr Millis longest_stuck_pause{300'000};
constexpr std::int64_t room_for_the_rest = 64 << 10;  ///< of a file, beside the payload

}  // namespace

Imports::Imports(loop::Loop& loop, const config::Config& config, bool owner, bool wanted,
                 std::function<void()> on_change)
    : on_change_(std::move(on_change)) {
    terms_.queues = config.worker.queues;
    terms_.file_bytes = config.limits.payload_bytes + room_for_the_rest;
    if (!wanted) return;
    auto spool = spool::Spool::open(config.paths.spool_directory, config.pool, owner);
    if (!spool) {
        if (owner)
            log::event(log::Level::warning, "spool_closed", "runs cannot be spooled: " + spool.error().message,
                       {{"pool", config.pool}});
        return;
    }
    spool_ = std::move(*spool);
    watch_ = std::make_unique<loop::Watch>(loop, spool_->path() + "/", [this] {
        wanted_ = true;
        if (sent_.empty()) on_change_();
    });
    wanted_ = true;  // what came before the watch
    if (!watch_->trouble().empty())
        log::event(log::Level::warning, "spool_closed",
                   "files that come while a worker is awake wait for its end: " + watch_->trouble(),
                   {{"pool", config.pool}});
}

std::optional<Millis> Imports::wait(const Moment& moment) const {
    if (!spool_ || moment.leaving || !sent_.empty()) return std::nullopt;
    if (wanted_ || search_.active()) return Millis{0};
    if (look_again_) return std::max(Millis{0}, std::chrono::ceil<Millis>(*look_again_ - moment.now));
    return std::nullopt;
}

bool Imports::fill(store::Round& round, const Moment& moment) {
    const auto due = wait(moment);
    if (!due || *due > Millis{0}) return false;
    spool::Scan scan = spool_->scan(terms_, moment.now);
    wanted_ = scan.more;
    look_again_.reset();
    if (scan.look_again) look_again_ = moment.now + *scan.look_again;
    stuck_in_a_row_ = scan.stuck.empty() ? 0 : stuck_in_a_row_ + 1;
    if (!scan.stuck.empty()) {
        const Time retry = moment.now + half_jitter(first_stuck_pause, longest_stuck_pause, stuck_in_a_row_ - 1);
        look_again_ = look_again_ ? std::min(*look_again_, retry) : retry;
    }
    tell(scan);
    sent_ = std::move(scan.entries);
    const bool searching = choose(moment.now);
    if (sent_.empty() && !searching) return false;
    round.imports.emplace();
    for (spool::Entry& entry : sent_) round.imports->push_back({entry.id, std::move(entry.text)});
    return true;
}

/// Of what was scanned, what the search wants; false: nobody is searched.
bool Imports::choose(Time now) {
    const auto is_here = [&](const std::string& name) {
        return std::any_of(sent_.begin(), sent_.end(), [&](const spool::Entry& entry) { return entry.name == name; });
    };
    if (!wanted_) std::erase_if(held_back_, [&](const HeldBack& one) { return !is_here(one.name); });
    std::set<std::string> waiting;
    for (HeldBack& one : held_back_) {
        if (now >= one.until && !search_.active()) {
            one.until = now + longest_stuck_pause;  // if nothing else is heard of it
            search_.again(one.name);
        } else {
            waiting.insert(one.name);
        }
        look_again_ = look_again_ ? std::min(*look_again_, one.until) : one.until;
    }
    std::erase_if(sent_, [&](const spool::Entry& entry) { return waiting.contains(entry.name); });
    while (search_.active()) {
        wanted_ = true;
        const std::set<std::string> group(search_.next().begin(), search_.next().end());
        std::vector<spool::Entry> chosen;
        for (const spool::Entry& entry : sent_)
            if (group.contains(entry.name)) chosen.push_back(entry);
        if (!chosen.empty() || group.empty()) {
            sent_ = std::move(chosen);
            return true;
        }
        search_.passed();  // they are gone
    }
    return false;
}

void Imports::tell(const spool::Scan& scan) {
    for (const spool::Complaint& one : scan.rejected)
        log::event(log::Level::warning, "spool_rejected", one.name + ": " + one.reason);
    std::string trouble;
    if (!scan.stuck.empty()) {
        trouble = std::to_string(scan.stuck.size()) +
                  " spooled files can be neither imported nor moved away: " + spool_->path() + "/" +
                  scan.stuck.front().name + ": " + scan.stuck.front().reason;
        log::event(trouble == trouble_ ? log::Level::debug : log::Level::warning, "spool_stuck", trouble);
    }
    trouble_ = std::move(trouble);
}

void Imports::answered(store::Answer& answer, Time) {
    if (search_.active()) search_.passed();
    const auto sent = std::exchange(sent_, {});
    if (sent.empty()) return;
    std::size_t imported = 0;
    for (std::size_t i = 0; i < sent.size() && i < answer.imported.size(); ++i) {
        finish(sent[i], answer.imported[i]);
        std::erase_if(held_back_, [&](const HeldBack& one) { return one.name == sent[i].name; });
        if (answer.imported[i].kind == store::Imported::Kind::imported) ++imported;
    }
    log::event(log::Level::info, "spool_imported",
               std::to_string(imported) + " runs from " + std::to_string(sent.size()) + " files");
}

void Imports::finish(const spool::Entry& entry, const store::Imported& imported) {
    if (imported.kind != store::Imported::Kind::refused) {
        if (!spool_->remove(entry.name)) wanted_ = true;  // the next scan says what is wrong, and slows down
        return;
    }
    const auto place = spool_->reject(entry.name, imported.reason);
    if (!place) wanted_ = true;
    if (place)
        log::event(log::Level::warning, "spool_rejected",
                   entry.name + ": " + imported.reason + "; it is now " + *place);
}

void Imports::hold_back(const std::string& name, Time now) {
    const auto same = [&](const HeldBack& one) { return one.name == name; };
    const auto known = std::find_if(held_back_.begin(), held_back_.end(), same);
    const int times = known == held_back_.end() ? 0 : known->times + 1;
    std::erase_if(held_back_, same);
    held_back_.push_back({name, now + half_jitter(first_stuck_pause, longest_stuck_pause, times), times});
}

void Imports::undone() {
    if (!std::exchange(sent_, {}).empty()) wanted_ = true;
}

Next Imports::refused(const store::Refused& refused) {
    using Found = Bisection<std::string>::Found;
    const auto sent = std::exchange(sent_, {});
    wanted_ = true;
    if (!search_.active()) {
        std::vector<std::string> names;
        for (const spool::Entry& entry : sent) names.push_back(entry.name);
        search_.suspect(std::move(names));
        return Next::again;
    }
    const Found found = search_.refused();
    if (found == Found::one && !sent.empty() && refused.kind == ErrorKind::conflict)
        hold_back(sent.front().name, BootClock::now());
    else if (found == Found::one && !sent.empty())
        finish(sent.front(), {store::Imported::Kind::refused, refused.message});
    return found == Found::everyone ? Next::everyone : Next::again;
}

bool Imports::anything_new() {
    if (!spool_ || !spool_->has_entries()) return false;
    wanted_ = true;
    return true;
}

}  // namespace dormouse::worker
