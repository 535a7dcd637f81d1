// W8 on the wire: not one byte passes between an idle worker and its database in a whole minute. A file of its own,
// since it takes that minute: ctest runs it beside others.
#include <boost/test/unit_test.hpp>

#include "support/pool_bench.h"
#include "support/proxy_tcp.h"

BOOST_AUTO_TEST_SUITE(worker_silent_minute, *boost::unit_test::precondition(dormouse::testing::has_postgres))

using namespace dormouse;
using namespace dormouse::testing;

BOOST_AUTO_TEST_CASE(no_byte_passes_either_way_while_a_worker_is_idle) {
    TestDatabase database;
    const Cluster& cluster = Cluster::shared();
    ProxyTcp proxy(cluster.socket_directory(), cluster.port());
    database.exec("SELECT dormouse.enqueue('echo'), dormouse.enqueue('echo', delay => '1 hour')");
    PoolBench bench(proxy.url(database.name()), {.leaves_when_idle = true});
    BOOST_TEST_REQUIRE(bench.until(
        [&] { return database.value("SELECT count(*) FROM dormouse.runs WHERE status = 'completed'") == "1"; }));
    BOOST_TEST_REQUIRE(bench.until_idle());
    const auto before = proxy.bytes();
    BOOST_TEST(before > 1'000U);
    BOOST_TEST(bench.turns_within(Millis{60'000}) < 5);
    BOOST_TEST(proxy.bytes() == before);
    BOOST_TEST(proxy.connections() == 1);
}

BOOST_AUTO_TEST_SUITE_END()
