#include "handlers/orphans.h"

#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>

#include "handlers/proc.h"

namespace dormouse::handlers {

namespace {

constexpr Millis reap_period{5'000};

/// Orphans are children of ours in a session that is not ours: every leader starts one, so all that comes out
/// of a handler is in a foreign session, and what some library forked for itself is not.
bool foreign(pid_t session) {
    return session != 0 && session != ::getsid(0);
}

}  // namespace

void Orphans::adopt() {
    ::prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
    adopting_ = true;
}

void Orphans::add(pid_t leader, std::string mark) {
    leaders_[leader] = Leader{++last_serial_, std::move(mark)};
    if (adopting_ && !timer_.armed()) timer_.every(reap_period, [this] { reap_dead(); });
}

void Orphans::remove(pid_t leader) {
    leaders_.erase(leader);
    std::erase_if(claimed_, [leader](const auto& entry) { return entry.second == leader; });
    if (leaders_.empty()) timer_.stop();
}

void Orphans::claim_descendants(pid_t leader) {
    if (!adopting_) return;
    for (const pid_t pid : descendants_of(leader)) claimed_[pid] = leader;
}

int Orphans::sweep(pid_t leader) {
    if (!adopting_) return 0;
    // What dies during a pass gives its own children to us after the list was read: look until a pass meets
    // no dead.
    for (;;) {
        bool again = false;
        const int left = pass(leader, again);
        if (!again) return left;
    }
}

int Orphans::pass(pid_t leader, bool& again) {
    int left = 0;
    for (const pid_t pid : children_of(::getpid())) {
        const auto stat = stat_of(pid);
        if (!stat || !is_orphan(pid, stat->session)) continue;
        if (reap(pid)) {
            again = true;
            continue;
        }
        if (is_loading(pid)) {
            ++left;  // whose it is can be read in a moment
            continue;
        }
        if (!belongs(pid, stat->session, leader)) continue;
        for (const pid_t below : descendants_of(pid)) claimed_[below] = leader;
        if (::kill(pid, SIGKILL) == 0 || errno != EPERM) ++left;
    }
    return left;
}

std::vector<pid_t> Orphans::lost_by(pid_t leader, bool& again) {
    std::vector<pid_t> lost;
    if (!adopting_) return lost;
    for (const pid_t pid : children_of(::getpid())) {
        const auto stat = stat_of(pid);
        if (!stat || !is_orphan(pid, stat->session) || reap(pid)) continue;
        if (is_loading(pid)) {
            again = true;
            continue;
        }
        if (!belongs(pid, stat->session, leader)) continue;
        lost.push_back(pid);
        for (const pid_t below : descendants_of(pid)) {
            claimed_[below] = leader;
            lost.push_back(below);
        }
    }
    return lost;
}

// In this order: a process is known to be starting before it leaves our session.
bool Orphans::is_orphan(pid_t pid, pid_t session) const {
    return foreign(session) && !leaders_.contains(pid) && !launcher_.is_starting(pid);
}

bool Orphans::belongs(pid_t orphan, pid_t session, pid_t leader) {
    if (session == leader) return true;
    if (const auto claim = claimed_.find(orphan); claim != claimed_.end()) return claim->second == leader;
    for (const char* variable : {"DORMOUSE_FENCE", "DORMOUSE_PROCESS"}) {
        const auto mark = variable_of(orphan, variable);
        if (!mark) continue;
        const auto owner = std::find_if(leaders_.begin(), leaders_.end(),
                                        [&mark](const auto& entry) { return entry.second.mark == *mark; });
        if (owner != leaders_.end()) return owner->first == leader;
    }
    if (leaders_.contains(session)) return false;
    const Serial newest = unknown_.try_emplace(orphan, last_serial_).first->second;
    return std::none_of(leaders_.begin(), leaders_.end(),
                        [&](const auto& entry) { return entry.first != leader && entry.second.serial <= newest; });
}

bool Orphans::reap(pid_t orphan) {
    if (::waitpid(orphan, nullptr, WNOHANG) == 0) return false;
    claimed_.erase(orphan);
    unknown_.erase(orphan);
    return true;
}

void Orphans::reap_dead() {
    for (const pid_t pid : children_of(::getpid())) {
        const auto stat = stat_of(pid);
        if (stat && stat->state == 'Z' && is_orphan(pid, stat->session)) reap(pid);
    }
}

}  // namespace dormouse::handlers
