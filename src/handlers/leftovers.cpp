#include "handlers/leftovers.h"

#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <limits>
#include <utility>

#include "base/unique_fd.h"
#include "handlers/proc.h"

namespace dormouse::handlers {

namespace {

constexpr Millis patience_with_leftovers{2'000};
constexpr Millis longest_look{50};

enum class Reached { there, gone, forbidden };

/// No other process that has got the pid meanwhile.
Reached signal_member(const Child::Member& member, int number) {
    const UniqueFd fd(static_cast<int>(::syscall(SYS_pidfd_open, member.pid, 0)));
    const auto stat = stat_of(member.pid);
    if (!fd.valid() || !stat || stat->began != member.began || stat->state == 'Z') return Reached::gone;
    if (::syscall(SYS_pidfd_send_signal, fd.get(), number, nullptr, 0) == 0) return Reached::there;
    return errno == EPERM ? Reached::forbidden : Reached::gone;
}

/// Or one of them.
bool is_below(pid_t pid, const std::vector<pid_t>& them) {
    while (pid > 1) {
        if (std::find(them.begin(), them.end(), pid) != them.end()) return true;
        const auto stat = stat_of(pid);
        pid = stat ? stat->parent : 0;
    }
    return false;
}

}  // namespace

bool Leftovers::is_own(const Child::Member& member) const {
    const auto found = own_.find(member.pid);
    return found != own_.end() && found->second == member.began;
}

void Leftovers::keep_present(Child& child) {
    bool again = false;
    own_.clear();
    for (const Child::Member& member : child.members(again)) own_[member.pid] = member.began;
}

bool Leftovers::any_since(Child& child, std::uint64_t since, const std::vector<pid_t>& others) {
    bool again = false;
    const auto members = child.members(again);
    return again || std::any_of(members.begin(), members.end(), [&](const Child::Member& member) {
               return member.began >= since && !is_own(member) && !is_below(member.pid, others);
           });
}

void Leftovers::end(Child& child, std::uint64_t since, const std::vector<pid_t>& kept, std::function<void()> done) {
    begin(child, since, std::numeric_limits<std::uint64_t>::max(), {kept.begin(), kept.end()}, std::move(done));
}

void Leftovers::end_between(Child& child, std::uint64_t since, std::uint64_t until) {
    begin(child, since, until, {}, [] {});
}

void Leftovers::begin(Child& child, std::uint64_t since, std::uint64_t until, std::set<pid_t> spared,
                      std::function<void()> done) {
    timer_.stop();  // of one that this one takes the place of
    child_ = &child;
    since_ = since;
    until_ = until;
    spared_ = std::move(spared);
    asked_.clear();
    kill_at_ = BootClock::now() + patience_with_leftovers;
    pause_ = Millis{1};
    done_ = std::move(done);
    look();
}

void Leftovers::look() {
    if (!child_->running()) return;  // all of it goes, and that is told by the child
    const bool kill = BootClock::now() >= kill_at_;
    bool left = false;
    for (const Child::Member& member : child_->members(left)) {
        if (member.began < since_ || member.began > until_ || is_own(member) || spared_.contains(member.pid)) continue;
        const int number = kill ? SIGKILL : asked_.insert(member.pid).second ? SIGTERM : 0;
        const Reached reached = signal_member(member, number);
        if (reached == Reached::forbidden) spared_.insert(member.pid);
        left = left || reached == Reached::there;
    }
    if (left) {
        timer_.once(pause_, [this] { look(); });
        pause_ = std::min(pause_ * 2, longest_look);
        return;
    }
    child_ = nullptr;
    const auto done = std::move(done_);
    done();
}

}  // namespace dormouse::handlers
