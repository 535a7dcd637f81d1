#include "worker/imports.h"

#include <algorithm>
#include <cstdlib>
#include <set>
#include <utility>

#include "base/backoff.h"
#include "base/log.h"
#include "spool/watch.h"

namespace dormouse::worker {
namespace {

constexpr Millis first_stuck_pause{1'000};
constexpr Millis longest_stuck_pause{300'000};
constexpr std::int64_t room_for_the_rest = 64 << 10;  ///< of a file, beside the payload

}  // namespace

Imports::Imports(loop::Loop& loop, const config::Config& config, SpoolOwner owner, bool wanted, Events events)
    : loop_(loop),
      events_(std::move(events)),
      directory_(config.paths.spool_directory),
      pool_(config.pool),
      owner_(owner),
      makes_(owner == SpoolOwner::unit         ? spool::Spool::Make::yes
             : owner == SpoolOwner::foreground ? spool::Spool::Make::if_ours
                                               : spool::Spool::Make::no),
      note_(owner == SpoolOwner::unit ? config.paths.runtime_directory + "/" + config.pool + "/spool" : std::string()),
      slow_timer_(loop, "imports.slow"),
      background_(loop) {
    terms_.queues = config.worker.queues;
    terms_.file_bytes = config.limits.payload_bytes + room_for_the_rest;
    if (!wanted) return;
    wanted_ = true;
    start(State::opening);
}

/// The one place that assigns the state. An edge that imports.h does not draw is a mistake of ours, and ends the
/// process.
void Imports::enter(State state) {
    if (!may_follow(state_, state)) std::abort();
    state_ = state;
}

bool Imports::may_follow(State from, State to) {
    switch (to) {
        case State::closed:
            return true;
        case State::opening:
            return from == State::closed;
        case State::idle:
            return from != State::closed && from != State::idle;
        case State::looking:
        case State::scanning:
            return from == State::idle;
        case State::scanned:
            return from == State::scanning;
        case State::sent:
            return from == State::scanned;
        case State::finishing:
            return from == State::sent;
    }
    return false;
}

/// Without a thread it is as if the files were not there yet: they are looked for a little later.
void Imports::start(State state, std::vector<ImportJob::Finished> files, Time now) {
    using Kind = ImportJob::Kind;
    enter(state);
    auto job = std::make_unique<ImportJob>();
    job->kind = state == State::opening    ? Kind::open
                : state == State::looking  ? Kind::look
                : state == State::scanning ? Kind::scan
                                           : Kind::finish;
    job->spool = std::exchange(spool_, std::nullopt);
    job->directory = directory_;
    job->pool = pool_;
    job->makes = makes_;
    job->note = note_;
    job->terms = terms_;
    job->now = now;
    job->files = std::move(files);
    job->on_done = [this](ImportJob& done) { come_back(done); };
    asked_at_ = BootClock::now();
    std::unique_ptr<loop::Job> taken = std::move(job);
    if (background_.start(taken)) return slow_timer_.once(disk_takes, [this] { tell_slow(); });
    spool_ = std::move(static_cast<ImportJob&>(*taken).spool);
    enter(State::idle);
    wanted_ = false;
    look_again_at(BootClock::now() + first_stuck_pause);
    log::event(log::Level::warning, "spool_stuck",
               "no thread can be started for the files in " + path() +
                   "; is there a limit on processes or memory (TasksMax=, ulimit -u)?");
}

void Imports::come_back(ImportJob& job) {
    slow_timer_.stop();
    tell_answer();
    const State was = state_;
    spool_ = std::exchange(job.spool, std::nullopt);
    if (!job.opened || job.watch.valid() || !job.watched) watch(job);
    if (state_ == State::closed) return events_.on_change();
    if (was == State::scanning) {
        scanned(job);
    } else {
        enter(State::idle);
    }
    if (was == State::finishing) finished(job.files);
    if (was == State::looking) {
        const auto on_nothing = std::exchange(on_nothing_, nullptr);
        if (!job.found) return on_nothing();
        wanted_ = true;
    }
    events_.on_change();
}

void Imports::watch(ImportJob& job) {
    tell_closed(job.opened ? job.watched : job.opened, job.opened.has_value());
    if (!job.opened) return await(job);
    if (job.moved)
        log::event(log::Level::warning, "spool_replaced",
                   path() +
                       " is on another file system than when a worker of this pool opened it last; what was put "
                       "there before may lie below a mount, where no worker sees it: sudo dormouse doctor looks",
                   {{"pool", pool_}});
    on_awaited_.reset();
    awaited_ = {};
    watch_mounts(std::move(job.mounts));
    on_watch_.reset();
    watch_ = std::move(job.watch);
    if (!watch_.valid()) return;
    on_watch_ = std::make_unique<loop::Poll>(loop_, watch_.get(), "spool");
    on_watch_->watch(loop::Poll::readable, [this](int) {
        const spool::Seen seen = spool::take_changes(watch_, pool_);
        if (seen == spool::Seen::entries) {
            wanted_ = true;
            if (state_ == State::idle) events_.on_change();
        }
        return seen == spool::Seen::nothing ? loop::Poll::Did::nothing : loop::Poll::Did::something;
    });
}

/// Without a spool there is nothing to import, until one comes.
void Imports::await(ImportJob& job) {
    abandon();
    awaited_ = std::move(job.awaited);
    if (!awaited_.watch.valid()) return;
    on_awaited_ = std::make_unique<loop::Poll>(loop_, awaited_.watch.get(), "spool.awaited");
    on_awaited_->watch(loop::Poll::readable, [this](int) {
        const bool tries = spool::may_have_come(awaited_) && state_ == State::closed;
        wanted_ |= tries;
        if (tries) start(State::opening);
        return loop::Poll::Did::something;
    });
}

/// Each mount of this machine is a reason to look whether one lies over the spool, which is no reason for a session.
void Imports::watch_mounts(UniqueFd mounts) {
    on_mounts_.reset();
    mounts_ = std::move(mounts);
    if (!mounts_.valid()) return;
    on_mounts_ = std::make_unique<loop::Poll>(loop_, mounts_.get(), "mounts");
    on_mounts_->watch(loop::Poll::urgent, [this](int) {
        if (state_ == State::idle) {
            look([this] { events_.on_change(); });
        } else {
            wanted_ = true;
        }
        return loop::Poll::Did::something;  // that it was waited for is the answer to it
    });
}

std::optional<Millis> Imports::wait(const Moment& moment) const {
    if (moment.leaving) return std::nullopt;
    if (state_ == State::scanned) return Millis{0};
    if (state_ != State::idle) return std::nullopt;
    if (wanted_ || search_.active()) return Millis{0};
    if (look_again_) return std::max(Millis{0}, std::chrono::ceil<Millis>(*look_again_ - moment.now));
    return std::nullopt;
}

bool Imports::fill(store::Round& round, const Moment& moment) {
    const auto due = wait(moment);
    if (!due || *due > Millis{0}) return false;
    if (state_ == State::idle) {
        wanted_ = false;  // what comes from here on may not be seen by this scan
        look_again_.reset();
        start(State::scanning, {}, moment.now);
        return false;
    }
    enter(State::sent);
    round.imports.emplace();
    for (spool::SpoolFile& entry : entries_) round.imports->push_back({entry.id, std::move(entry.text)});
    return true;
}

void Imports::scanned(ImportJob& job) {
    const spool::Scan& scan = job.scanned;
    if (job.left_behind && !job.files_left) tell_left_behind(job);
    stuck_in_a_row_ = scan.stuck.empty() ? 0 : stuck_in_a_row_ + 1;
    if (scan.look_again) look_again_at(job.now + *scan.look_again);
    if (!scan.stuck.empty())
        look_again_at(job.now + half_jitter(first_stuck_pause, longest_stuck_pause, stuck_in_a_row_ - 1));
    tell(scan);
    entries_ = std::move(job.scanned.entries);
    const bool some = !entries_.empty();
    const bool wanted_before = wanted_;
    wanted_ |= scan.more || job.files_left;
    const bool searching = choose(job.now);
    if (!searching && entries_.size() > portion_.most()) {
        entries_.resize(portion_.most());
        wanted_ = true;
    }
    if (!entries_.empty() || searching) return enter(State::scanned);
    enter(State::idle);
    if (some) wanted_ = wanted_before;  // all are held back: there is more, but a scan gets no further
}

void Imports::look_again_at(Time time) {
    look_again_ = look_again_ ? std::min(*look_again_, time) : time;
}

/// Of what was scanned, what the search wants; false: nobody is searched.
bool Imports::choose(Time now) {
    const auto is_here = [&](const std::string& name) {
        return std::any_of(entries_.begin(), entries_.end(),
                           [&](const spool::SpoolFile& entry) { return entry.name == name; });
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
        look_again_at(one.until);
    }
    std::erase_if(entries_, [&](const spool::SpoolFile& entry) { return waiting.contains(entry.name); });
    while (search_.active()) {
        wanted_ = true;
        const std::set<std::string> group(search_.next().begin(), search_.next().end());
        std::vector<spool::SpoolFile> chosen;
        for (const spool::SpoolFile& entry : entries_)
            if (group.contains(entry.name)) chosen.push_back(entry);
        if (!chosen.empty() || group.empty()) {
            entries_ = std::move(chosen);
            return true;
        }
        search_.passed();  // they are gone
    }
    return false;
}

void Imports::answered(store::Answer& answer, Time) {
    if (search_.active()) search_.passed();
    if (state_ != State::sent) return;
    const auto sent = std::exchange(entries_, {});
    if (sent.empty()) return enter(State::idle);
    portion_.answered();
    std::size_t imported = 0;
    std::vector<ImportJob::Finished> files;
    for (std::size_t i = 0; i < sent.size() && i < answer.imported.size(); ++i) {
        const store::Imported& one = answer.imported[i];
        ImportJob::Finished& file = files.emplace_back(ImportJob::Finished{sent[i].name, std::nullopt});
        if (one.kind == store::Imported::Kind::refused) file.refused = one.reason;
        std::erase_if(held_back_, [&](const HeldBack& held) { return held.name == sent[i].name; });
        if (one.kind == store::Imported::Kind::imported) ++imported;
    }
    log::event(log::Level::info, "spool_imported",
               std::to_string(imported) + " runs from " + std::to_string(sent.size()) + " files");
    start(State::finishing, std::move(files));
}

void Imports::finished(const std::vector<ImportJob::Finished>& files) {
    for (const ImportJob::Finished& one : files) {
        if (one.still_there) wanted_ = true;  // the next scan says what is wrong, and slows down
        if (!one.place.empty())
            log::event(log::Level::warning, "spool_rejected",
                       one.name + ": " + *one.refused + "; it is now " + one.place);
    }
}

void Imports::hold_back(const std::string& name, Time now) {
    const auto same = [&](const HeldBack& one) { return one.name == name; };
    const auto known = std::find_if(held_back_.begin(), held_back_.end(), same);
    const int times = known == held_back_.end() ? 0 : known->times + 1;
    std::erase_if(held_back_, same);
    held_back_.push_back({name, now + half_jitter(first_stuck_pause, longest_stuck_pause, times), times});
}

void Imports::undone() {
    if (state_ != State::scanned && state_ != State::sent) return;
    entries_.clear();
    wanted_ = true;
    enter(State::idle);
}

void Imports::lost() {
    if (state_ == State::sent && !entries_.empty()) portion_.lost(entries_.size());
    undone();
}

Next Imports::refused(const store::Refused& refused) {
    using Found = Bisection<std::string>::Found;
    if (state_ != State::sent) return Next::again;
    const auto sent = std::exchange(entries_, {});
    wanted_ = true;
    if (!search_.active()) {
        std::vector<std::string> names;
        for (const spool::SpoolFile& entry : sent) names.push_back(entry.name);
        search_.suspect(std::move(names));
        enter(State::idle);
        return Next::again;
    }
    const Found found = search_.refused();
    const bool guilty = found == Found::one && !sent.empty();
    if (guilty && refused.kind != ErrorKind::conflict) {
        start(State::finishing, {{sent.front().name, refused.message}});
    } else {
        if (guilty) hold_back(sent.front().name, BootClock::now());
        enter(State::idle);
    }
    return found == Found::everyone ? Next::everyone : Next::again;
}

void Imports::look(std::function<void()> on_nothing) {
    if (state_ == State::closed) return on_nothing();
    if (state_ != State::idle) return;
    on_nothing_ = std::move(on_nothing);
    start(State::looking);
    if (state_ == State::idle) events_.on_change();  // there is no thread for it
}

void Imports::abandon() {
    background_.abandon();
    slow_timer_.stop();
    slow_.clear();
    on_watch_.reset();
    watch_.reset();
    on_mounts_.reset();
    mounts_.reset();
    on_awaited_.reset();
    awaited_ = {};
    spool_.reset();
    entries_.clear();
    look_again_.reset();
    wanted_ = false;
    enter(State::closed);
}

}  // namespace dormouse::worker
