#include "loop/watch.h"

#include <fcntl.h>
#include <sys/resource.h>

#include <boost/test/unit_test.hpp>
#include <filesystem>
#include <fstream>
#include <optional>

#include "base/log_tap.h"
#include "base/unique_fd.h"
#include "loop/timer.h"
#include "support/cluster.h"

BOOST_AUTO_TEST_SUITE(watch)

using namespace dormouse;
using namespace dormouse::testing;

BOOST_AUTO_TEST_CASE(a_directory_that_is_there_is_watched_and_tells_of_its_file) {
    const TemporaryDirectory directory;
    loop::Loop loop;
    int told = 0;
    const loop::Watch watch(loop, directory.path() + "/file", [&] { ++told; });
    BOOST_TEST(watch.trouble() == "");
    loop::Timer deadline(loop, "test.deadline");
    bool over = false;
    deadline.once(Millis{20'000}, [&] { over = true; });
    std::ofstream(directory.path() + "/another") << "";
    std::ofstream(directory.path() + "/file") << "";
    while (told == 0 && !over) loop.turn();
    BOOST_TEST(told > 0);
}

BOOST_AUTO_TEST_CASE(what_cannot_be_watched_is_said) {
    const TemporaryDirectory directory;
    loop::Loop loop;
    const loop::Watch watch(loop, directory.path() + "/nowhere/file", [] {});
    BOOST_TEST(watch.trouble() == directory.path() + "/nowhere cannot be watched: no such file or directory");
}

/// None can be opened any more, as when other workers of this account have all watches that the kernel gives.
class NoMoreFiles {
  public:
    NoMoreFiles() {
        ::getrlimit(RLIMIT_NOFILE, &before_);
        const UniqueFd next(::fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 0));
        const rlimit none{static_cast<rlim_t>(next.get()), before_.rlim_max};
        ::setrlimit(RLIMIT_NOFILE, &none);
    }
    ~NoMoreFiles() { ::setrlimit(RLIMIT_NOFILE, &before_); }
    NoMoreFiles(const NoMoreFiles&) = delete;
    NoMoreFiles& operator=(const NoMoreFiles&) = delete;

  private:
    rlimit before_{};
};

BOOST_AUTO_TEST_CASE(without_a_watch_to_be_had_the_file_is_looked_at_until_there_is_one) {
    const TemporaryDirectory directory;
    const std::string file = directory.path() + "/file";
    std::ofstream(file) << "first";
    loop::Loop loop;
    std::vector<std::string> events;
    log::tap([&](auto, std::string_view event, auto, auto) { events.emplace_back(event); });
    std::optional<NoMoreFiles> no_more(std::in_place);
    int told = 0;
    const loop::Watch watch(loop, file, [&] { ++told; });
    no_more.reset();
    BOOST_TEST(watch.trouble().find("cannot be watched: too many open files (raise sysctl") != std::string::npos,
               watch.trouble());
    log::tap({});
    BOOST_TEST(events == std::vector<std::string>{"not_watched"}, boost::test_tools::per_element());

    const auto until = [&](const auto& happened) {
        const auto end = BootClock::now() + Millis{20'000};
        loop::Timer tick(loop, "test.tick");
        tick.every(Millis{20}, [] {});
        while (!happened() && BootClock::now() < end) loop.turn();
        return happened();
    };
    no_more.emplace();
    move_clock(Millis{6'000});
    loop.turn();  // looks, and nothing has changed
    no_more.reset();
    std::ofstream(file + ".new") << "second";
    std::filesystem::rename(file + ".new", file);
    BOOST_TEST(told == 0);
    no_more.emplace();
    move_clock(Millis{6'000});
    BOOST_TEST(until([&] { return told == 1; }));
    BOOST_TEST(watch.trouble() != "");

    no_more.reset();
    move_clock(Millis{6'000});
    BOOST_TEST(until([&] { return watch.trouble().empty(); }));
    BOOST_TEST(told == 1);
    std::ofstream(file) << "third";
    BOOST_TEST(until([&] { return told > 1; }));
    BOOST_TEST(loop.armed_timers().empty());
}

BOOST_AUTO_TEST_SUITE_END()
