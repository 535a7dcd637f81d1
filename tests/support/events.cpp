#include "support/events.h"

#include <poll.h>
#include <sys/inotify.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <stdexcept>

#include "base/clock.h"
#include "base/unique_fd.h"

namespace dormouse::testing {
namespace {

constexpr Millis patience{20'000};

/// False when the deadline has passed without.
bool readable_before(BootClock::time_point end, int fd) {
    for (;;) {
        const auto left = std::chrono::ceil<Millis>(end - BootClock::now());
        pollfd ready{fd, POLLIN, 0};
        const int count = ::poll(&ready, 1, static_cast<int>(std::max(left, Millis{0}).count()));
        if (count >= 0 || errno != EINTR) return count > 0;
    }
}

}  // namespace

bool until_changed(const std::string& directory, const std::function<bool()>& happened) {
    const auto end = BootClock::now() + patience;
    const UniqueFd changes(::inotify_init1(IN_CLOEXEC));
    if (::inotify_add_watch(changes.get(), directory.c_str(), IN_CREATE | IN_MODIFY | IN_MOVED_TO | IN_DELETE) < 0)
        throw std::runtime_error("cannot watch " + directory);
    while (!happened()) {
        if (!readable_before(end, changes.get())) return happened();
        std::array<char, 4'096> taken{};
        static_cast<void>(::read(changes.get(), taken.data(), taken.size()) > 0);
    }
    return true;
}

bool until_ended(int pid) {
    const UniqueFd process(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
    if (!process.valid()) return errno == ESRCH;
    return readable_before(BootClock::now() + patience, process.get());
}

}  // namespace dormouse::testing
