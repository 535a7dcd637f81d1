#include "spool/watch.h"

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/inotify.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include "spool/entry.h"

namespace dormouse::spool {

Result<UniqueFd> watch(const std::string& path) {
    UniqueFd fd(::inotify_init1(IN_NONBLOCK | IN_CLOEXEC));
    constexpr std::uint32_t all = IN_ATTRIB | IN_CREATE | IN_MODIFY | IN_DELETE | IN_DELETE_SELF | IN_MOVE_SELF |
                                  IN_MOVED_FROM | IN_MOVED_TO | IN_ONLYDIR;
    if (fd.valid() && ::inotify_add_watch(fd.get(), path.c_str(), all) >= 0) {
        // That a directory is removed is not told where it is watched, as long as somebody has it open: we do.
        const std::string above = path.substr(0, path.rfind('/'));
        constexpr std::uint32_t names = IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_ONLYDIR;
        static_cast<void>(::inotify_add_watch(fd.get(), above.empty() ? "/" : above.c_str(), names));
        return fd;
    }
    const int problem = errno;
    Error error = from_errno(problem, path + " cannot be watched");
    if (problem == EMFILE || problem == ENOSPC)
        error.message += " (raise sysctl fs.inotify.max_user_instances and fs.inotify.max_user_watches)";
    return tl::unexpected(error);
}

Awaited await(const std::string& path) {
    Awaited awaited;
    UniqueFd fd(::inotify_init1(IN_NONBLOCK | IN_CLOEXEC));
    constexpr std::uint32_t arrivals = IN_ATTRIB | IN_CREATE | IN_DELETE_SELF | IN_MOVE_SELF | IN_MOVED_TO | IN_ONLYDIR;
    for (std::string below = path; fd.valid() && below.rfind('/') != std::string::npos;) {
        const std::size_t slash = below.rfind('/');
        awaited.name = below.substr(slash + 1);
        below.resize(slash);
        if (::inotify_add_watch(fd.get(), below.empty() ? "/" : below.c_str(), arrivals) < 0) continue;
        awaited.watch = std::move(fd);
        break;
    }
    return awaited;
}

bool may_have_come(const Awaited& awaited) {
    bool come = false;
    std::array<char, 16 << 10> buffer{};
    const ssize_t size = ::read(awaited.watch.get(), buffer.data(), buffer.size());
    for (const char* at = buffer.data(); at < buffer.data() + std::max<ssize_t>(size, 0);) {
        inotify_event event{};
        std::memcpy(&event, at, sizeof event);
        at += sizeof event;
        if (event.len == 0 || awaited.name == at) come = true;
        at += event.len;
    }
    return come;
}

UniqueFd watch_mounts() {
    UniqueFd mounts(::open("/proc/self/mountinfo", O_RDONLY | O_CLOEXEC));
    const UniqueFd trial(::epoll_create1(EPOLL_CLOEXEC));
    epoll_event event{};
    event.events = EPOLLPRI;
    // a kernel that is not Linux itself may have a plain file there
    if (!mounts.valid() || ::epoll_ctl(trial.get(), EPOLL_CTL_ADD, mounts.get(), &event) != 0) return {};
    return mounts;
}

Seen take_changes(const UniqueFd& watch, const std::string& directory) {
    constexpr int most_reads = 32;  // the rest makes it readable again
    Seen seen = Seen::nothing;
    std::array<char, 16 << 10> buffer{};
    for (int i = 0; i < most_reads; ++i) {
        const ssize_t size = ::read(watch.get(), buffer.data(), buffer.size());
        if (size <= 0) break;
        if (seen == Seen::nothing) seen = Seen::others;
        for (const char* at = buffer.data(); at < buffer.data() + size;) {
            inotify_event event{};
            std::memcpy(&event, at, sizeof event);
            at += sizeof event;
            // One without a name is about the directory, or says that some were lost.
            if (event.len == 0 || is_entry(at) || directory == at) seen = Seen::entries;
            at += event.len;
        }
    }
    return seen;
}

}  // namespace dormouse::spool
