// The worker is killed, its successor at the same point, and the third one completes. All points with ./dev test
// --full.
#include <algorithm>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>
#include <cstdlib>

#include "postgres/crash_points.h"

BOOST_AUTO_TEST_SUITE(crash_twice, *boost::unit_test::precondition(dormouse::testing::has_crash_points))

using namespace dormouse::testing;

namespace {

std::vector<Moment> chosen() {
    const bool all = std::getenv("DORMOUSE_FULL") != nullptr;
    const std::vector<std::string> handful{"claim.answered",  "handler.landed",  "finish.sent",
                                           "rescue.answered", "import.answered", "due_file.renamed"};
    std::vector<Moment> moments;
    for (const auto* points : {&start_points, &run_points, &round_points, &spool_points, &exit_points})
        for (const Moment& moment : *points)
            if (all || std::find(handful.begin(), handful.end(), moment.name) != handful.end())
                moments.push_back(moment);
    return moments;
}

}  // namespace

BOOST_DATA_TEST_CASE(nothing_is_lost_when_the_successor_dies_too, boost::unit_test::data::make(chosen()), moment) {
    CrashBench bench(moment);
    bench.dies();
    bench.dies();
    bench.lives();
    bench.check();
}

BOOST_AUTO_TEST_SUITE_END()
