// Which clock leases are counted on. On most machines CLOCK_MONOTONIC says the same until somebody suspends them, so
// this is asked where the two differ: in a time namespace, which takes a kernel that has them and the right to make
// one.
#include <fcntl.h>
#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>

#include <boost/test/unit_test.hpp>
#include <functional>
#include <string>

#include "base/clock.h"
#include "base/unique_fd.h"

BOOST_AUTO_TEST_SUITE(boot_clock)

using namespace dormouse;

namespace {

constexpr time_t boot_ahead_s = 1'000'000;
constexpr int not_permitted = 77;

/// The exit code of a child; -1 if it did not exit.
int in_child(const std::function<int()>& act) {
    const pid_t child = ::fork();
    if (child == 0) ::_exit(act());
    int status = 0;
    if (child < 0 || ::waitpid(child, &status, 0) != child || !WIFEXITED(status)) return -1;
    return WEXITSTATUS(status);
}

/// The exit code of `act` in a process whose CLOCK_BOOTTIME is ahead, or not_permitted. Only children of who unshares
/// are in the namespace, and offsets are taken before the first of them. Source: time_namespaces(7).
int where_boot_time_is_ahead(const std::function<int()>& act) {
    return in_child([&] {
        if (::unshare(CLONE_NEWTIME) != 0 && ::unshare(CLONE_NEWUSER | CLONE_NEWTIME) != 0) return not_permitted;
        const UniqueFd offsets(::open("/proc/self/timens_offsets", O_WRONLY | O_CLOEXEC));
        const std::string line = "boottime " + std::to_string(boot_ahead_s) + " 0\n";
        if (!offsets.valid() || ::write(offsets.get(), line.data(), line.size()) != static_cast<ssize_t>(line.size()))
            return not_permitted;
        return in_child(act);
    });
}

boost::test_tools::assertion_result can_move_boot_time(boost::unit_test::test_unit_id) {
    boost::test_tools::assertion_result result(where_boot_time_is_ahead([] { return 0; }) == 0);
    if (!result) result.message() << "no time namespace can be made here (CLONE_NEWTIME)";
    return result;
}

std::chrono::nanoseconds read(clockid_t clock) {
    timespec time{};
    ::clock_gettime(clock, &time);
    return std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec);
}

enum Saw { all_is_well, clocks_alike, another_clock };

}  // namespace

BOOST_AUTO_TEST_CASE(leases_are_counted_on_the_clock_that_goes_on_while_the_host_is_suspended,
                     *boost::unit_test::precondition(can_move_boot_time)) {
    const int saw = where_boot_time_is_ahead([]() -> int {
        const auto apart = read(CLOCK_BOOTTIME) - read(CLOCK_MONOTONIC);
        if (apart < std::chrono::seconds(boot_ahead_s / 2)) return clocks_alike;
        const auto before = read(CLOCK_BOOTTIME);
        const auto now = BootClock::now().time_since_epoch();
        const auto after = read(CLOCK_BOOTTIME);
        return before <= now && now <= after ? all_is_well : another_clock;
    });
    BOOST_TEST(saw == all_is_well);
}

BOOST_AUTO_TEST_SUITE_END()
