#include "loop/watch.h"

#include <boost/test/unit_test.hpp>
#include <fstream>

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

BOOST_AUTO_TEST_SUITE_END()
