// A network that does not carry what a round may hold in the time that is waited for an answer: the next round has less.
#include <boost/test/unit_test.hpp>
#include <filesystem>
#include <fstream>

#include "support/paths.h"
#include "support/pool_bench.h"
#include "support/proxy_tcp.h"

namespace worker_slow_network {

using namespace dormouse;
using namespace dormouse::testing;

namespace {

struct Scene {
    TestDatabase database;
    ProxyTcp proxy{Cluster::shared().socket_directory(), Cluster::shared().port()};

    Scene() { proxy.carry_at_most(500'000); }
    std::string count(const std::string& status) {
        return database.value("SELECT count(*) FROM dormouse.runs WHERE status = $1", {status});
    }
    /// An answer is waited for during two seconds.
    static PoolBenchOptions slow(const std::string& rest = "") {
        return {.worker = "concurrency = 8\nlease = \"6s\"",
                .database = "retry_max = \"200ms\"\nconnect_timeout = \"1s\"",
                .rest = rest};
    }
};

constexpr std::size_t large = 200'000;

}  // namespace

}  // namespace worker_slow_network

BOOST_FIXTURE_TEST_SUITE(worker_slow_network, Scene, *boost::unit_test::precondition(has_postgres))

BOOST_AUTO_TEST_CASE(a_claim_that_is_too_much_for_it_is_halved_until_it_is_not) {
    database.exec("SELECT dormouse.enqueue_many('echo', array_fill(to_jsonb(repeat('x', " + std::to_string(large) +
                  ")), ARRAY[8]))");
    PoolBench bench(proxy.url(database.name()), slow());
    BOOST_TEST(bench.until([&] { return count("completed") == "8"; }, Millis{60'000}));
    BOOST_TEST(
        database.value("SELECT count(*) FROM dormouse.attempts WHERE outcome NOT IN ('completed', 'handed_back', "
                       "'lost')") == "0");
}

BOOST_AUTO_TEST_CASE(endings_that_are_too_much_for_it_are_written_in_parts) {
    PoolBench bench(proxy.url(database.name()),
                    slow("[task.large]\ncommand = [\"/bin/sh\", \"-c\", \"printf '\\\"'; head -c " +
                         std::to_string(large) + " /dev/zero | tr '\\\\000' x; printf '\\\"'\"]\n"));
    BOOST_TEST_REQUIRE(bench.until_idle());
    database.exec("SELECT dormouse.enqueue_many('large', array_fill('1'::jsonb, ARRAY[8]))");
    BOOST_TEST(bench.until([&] { return count("completed") == "8"; }, Millis{60'000}));
}

BOOST_AUTO_TEST_CASE(spooled_files_that_are_too_much_for_it_are_imported_in_parts) {
    PoolBench bench(proxy.url(database.name()), slow());
    BOOST_TEST_REQUIRE(bench.until_idle());
    for (int i = 1; i <= 8; ++i) {
        const std::string file = "0000000" + std::to_string(i) + "-0000-7000-8000-000000000000.json";
        std::ofstream(bench.spool() + "/." + file)
            << R"({"task": "echo", "payload": ")" << std::string(large, 'x') << "\"}";
        std::filesystem::rename(bench.spool() + "/." + file, bench.spool() + "/" + file);
    }
    BOOST_TEST(bench.until([&] { return count("completed") == "8"; }, Millis{60'000}));
}

BOOST_AUTO_TEST_SUITE_END()
