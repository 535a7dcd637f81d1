// A database, a worker in this process that may promise to look again, and somebody who counts the notifications.
#pragma once

#include <boost/test/unit_test.hpp>
#include <string>

#include "idle_pool.h"

namespace dormouse::testing {

/// Of a worker that promises at the first run it finds, and stays with that for as long as the test wants.
inline worker::Promise::Terms steadfast() {
    return {.promises = true,
            .after = 1,
            .apart = Millis{10'000},
            .linger = Millis{3'600'000},
            .pause = Millis{20},
            .longest_pause = Millis{40}};
}

struct PromisingPool {
    TestDatabase database;
    PoolBench bench;
    postgres::BlockingConnection listener = database.connect();  ///< LISTENs, but is not registered

    explicit PromisingPool(const worker::Promise::Terms& terms = steadfast(), PoolBenchOptions options = {})
        : bench(database.url(), with(std::move(options), terms)) {
        BOOST_TEST_REQUIRE(listener.listen({"queue:default"}).has_value());
        BOOST_TEST_REQUIRE(bench.until_idle());
    }
    static PoolBenchOptions with(PoolBenchOptions options, const worker::Promise::Terms& terms) {
        options.promise = terms;
        return options;
    }

    std::string completed() { return database.value(completed_sql); }
    bool until_completed(const std::string& count) {
        return bench.until([&] { return completed() == count; });
    }
    /// Sessions and transactions that hold this lock of the queue `default` in this mode.
    int holders(const std::string& seed, const std::string& mode) {
        return std::stoi(database.value(
            "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND granted AND mode = $2 AND objsubid = 1"
            " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
            " AND ((classid::bigint << 32) | objid::bigint) = hashtextextended('default', $1::bigint)",
            {seed, mode}));
    }
    /// With a worker that was idle, and is not registered any more.
    bool promised() { return registered() == 0; }
    int registered() { return holders("1685024366", "ShareLock"); }
    int relying() { return holders("1685024367", "ShareLock"); }
    /// One run, and it is taken for the beginning of many.
    void promise() {
        database.exec("SELECT dormouse.enqueue('echo')");
        BOOST_TEST_REQUIRE(until_completed("1"));
        BOOST_TEST_REQUIRE(bench.until([&] { return promised(); }));
        notifications();
    }
    /// Since the last time that it was asked.
    int notifications() {
        listener.ask("wait", "SELECT 1");
        int count = 0;
        while (true) {
            const auto one = listener.wait(BootClock::now());
            if (!one || !*one) return count;
            ++count;
        }
    }
};

/// BEGIN, and a run in it.
inline postgres::BlockingConnection relying_producer(TestDatabase& database, const std::string& begin = "BEGIN") {
    auto producer = database.connect();
    BOOST_TEST_REQUIRE(producer.script("insert", begin + "; SELECT dormouse.enqueue('echo')").has_value());
    return producer;
}

inline void go_on(postgres::BlockingConnection& session, const std::string& sql) {
    const auto done = session.script("test", sql);
    BOOST_TEST_REQUIRE(done.has_value(), (done ? "" : done.error().message));
}

}  // namespace dormouse::testing
