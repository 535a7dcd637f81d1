#include "handlers/survivors.h"

#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <map>
#include <thread>

#include "base/deadline.h"
#include "base/unique_fd.h"
#include "handlers/proc.h"

namespace dormouse::handlers {

namespace {

constexpr Millis while_loading{5};

using Killed = std::map<pid_t, UniqueFd>;

bool names_one_of(pid_t pid, const std::vector<std::string>& workers) {
    for (const char* variable : {"DORMOUSE_FENCE", "DORMOUSE_PROCESS"}) {
        const auto mark = variable_of(pid, variable);
        if (!mark || mark->find(':') == std::string::npos) continue;
        const std::string worker = mark->substr(mark->rfind(':') + 1);
        if (std::find(workers.begin(), workers.end(), worker) != workers.end()) return true;
    }
    return false;
}

bool wait_for(const UniqueFd& pidfd, BootClock::time_point end) {
    const auto left = std::chrono::ceil<Millis>(end - BootClock::now()).count();
    pollfd ready{pidfd.get(), POLLIN, 0};
    return ::poll(&ready, 1, left > 0 ? static_cast<int>(left) : 0) > 0;
}

/// A thread of the kernel has no environment either, for good; what is in no session that we see is taken for one.
bool has_none_yet(pid_t pid) {
    const auto stat = stat_of(pid);
    return stat && stat->session != 0 && is_loading(pid);
}

/// Kills those that are there now. True: somebody may have come meanwhile.
bool pass(const std::vector<std::string>& workers, Killed& killed, int& refused) {
    bool again = false;
    refused = 0;
    for (const pid_t pid : all_processes()) {
        if (pid == ::getpid()) continue;
        if (has_none_yet(pid)) {
            again = true;
            continue;
        }
        if (killed.contains(pid) || !names_one_of(pid, workers)) continue;
        // glibc has wrappers from 2.36 on only
        UniqueFd pidfd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
        if (!pidfd.valid() || !names_one_of(pid, workers)) continue;  // from here on the pidfd means that process alone
        if (::syscall(SYS_pidfd_send_signal, pidfd.get(), SIGKILL, nullptr, 0) == 0) {
            killed.emplace(pid, std::move(pidfd));
            again = true;
        } else {
            ++refused;
        }
    }
    return again;
}

}  // namespace

Survivors end_survivors(const std::vector<std::string>& workers, Millis patience) {
    Survivors told;
    if (workers.empty()) return told;
    const auto end = after(BootClock::now(), patience);
    Killed killed;
    while (pass(workers, killed, told.left)) {
        if (BootClock::now() > end) break;
        for (auto one = killed.begin(); one != killed.end();) {
            const bool gone = wait_for(one->second, end);
            told.ended += gone ? 1 : 0;
            one = gone ? killed.erase(one) : std::next(one);
        }
        std::this_thread::sleep_for(while_loading);
    }
    told.left += static_cast<int>(killed.size());
    return told;
}

}  // namespace dormouse::handlers
