// A database and a worker in this process that is idle: where cases about what comes next begin.
#pragma once

#include <boost/test/unit_test.hpp>

#include "support/pool_bench.h"
#include "support/proxy_tcp.h"

namespace dormouse::testing {

inline constexpr const char* completed_sql = "SELECT count(*) FROM dormouse.runs WHERE status = 'completed'";

struct IdlePool {
    TestDatabase database;
    PoolBench bench{database.url()};

    IdlePool() { BOOST_TEST_REQUIRE(bench.until_idle()); }
    std::string completed() { return database.value(completed_sql); }
};

/// What the database says can be held back.
struct IdlePoolBehindProxy {
    TestDatabase database;
    ProxyTcp proxy{Cluster::shared().socket_directory(), Cluster::shared().port()};
    PoolBench bench{proxy.url(database.name())};

    IdlePoolBehindProxy() { BOOST_TEST_REQUIRE(bench.until_idle()); }
    std::string completed() { return database.value(completed_sql); }
};

/// Its server has been killed, and it knows.
struct PoolWithoutServer {
    Cluster cluster;
    TestDatabase database{TestDatabase::Schema::migrated, cluster};
    PoolBench bench{database.url()};

    PoolWithoutServer() {
        BOOST_TEST_REQUIRE(bench.until_idle());
        cluster.kill();
        BOOST_TEST_REQUIRE(bench.until([&] { return !bench.worker().database().is_open(); }));
    }
    /// Turns the loop until so many runs are completed, on the server that has been started again.
    bool until_completed(const std::string& count) {
        auto person = database.connect();
        return bench.until([&] { return person.ask("count", completed_sql)->text(0, 0) == count; }, Millis{30'000});
    }
};

}  // namespace dormouse::testing
