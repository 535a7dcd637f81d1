#include "support/slow_disk.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/fanotify.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <deque>
#include <stdexcept>

#include "support/cluster.h"

namespace dormouse::testing {
namespace {

UniqueFd hold(const std::string& directory) {
    UniqueFd events(
        static_cast<int>(::fanotify_init(FAN_CLASS_CONTENT | FAN_CLOEXEC | FAN_NONBLOCK, O_RDONLY | O_CLOEXEC)));
    constexpr std::uint64_t opening = FAN_OPEN_PERM | FAN_ONDIR | FAN_EVENT_ON_CHILD;
    if (!events.valid() || ::fanotify_mark(events.get(), FAN_MARK_ADD, opening, AT_FDCWD, directory.c_str()) != 0)
        throw std::runtime_error("fanotify does not hold an open of " + directory + ": " + std::strerror(errno));
    return events;
}

}  // namespace

boost::test_tools::assertion_result has_slow_disks(boost::unit_test::test_unit_id unit) {
    boost::test_tools::assertion_result result = has_postgres(unit);
    return result ? can_hold_opens(unit) : result;
}

boost::test_tools::assertion_result can_hold_opens(boost::unit_test::test_unit_id /*unit*/) {
    boost::test_tools::assertion_result result = true;
    try {
        const TemporaryDirectory directory;
        hold(directory.path());
    } catch (const std::runtime_error& error) {
        result = boost::test_tools::assertion_result(false);
        result.message() << error.what() << " (run the tests as root)";
    }
    return result;
}

SlowDisk::SlowDisk(const std::string& directory, Millis delay)
    : events_(hold(directory)), over_(::eventfd(0, EFD_CLOEXEC)), delay_(delay), thread_([this] { live(); }) {}

SlowDisk::~SlowDisk() {
    const std::uint64_t one = 1;
    if (::write(over_.get(), &one, sizeof one) != sizeof one) std::abort();
    thread_.join();
    events_.reset();  // the kernel lets go whoever waits
}

void SlowDisk::live() {
    struct Waiting {
        int fd;
        BootClock::time_point until;
    };
    std::deque<Waiting> waiting;
    const auto let_go = [&] {
        const fanotify_response response{waiting.front().fd, FAN_ALLOW};
        if (::write(events_.get(), &response, sizeof response) < 0) std::abort();
        ::close(waiting.front().fd);
        waiting.pop_front();
    };
    while (true) {
        std::array<pollfd, 2> ready{{{events_.get(), POLLIN, 0}, {over_.get(), POLLIN, 0}}};
        const auto left =
            waiting.empty() ? Millis{-1} : std::chrono::ceil<Millis>(waiting.front().until - BootClock::now());
        ::poll(ready.data(), ready.size(), waiting.empty() ? -1 : static_cast<int>(std::max(Millis{0}, left).count()));
        if (ready[1].revents != 0) break;
        fanotify_event_metadata event{};
        while (::read(events_.get(), &event, sizeof event) == sizeof event) {
            ++asked_;
            waiting.push_back({event.fd, BootClock::now() + delay_});
        }
        while (!waiting.empty() && waiting.front().until <= BootClock::now()) let_go();
    }
    while (!waiting.empty()) let_go();
}

}  // namespace dormouse::testing
