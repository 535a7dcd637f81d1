// W1 to W3 and W6: a ring is answered by a look that is sent after it, a session listens before it looks, and a flood
// of rings is a bounded number of looks.
#include <boost/test/unit_test.hpp>
#include <thread>

#include "idle_pool.h"

BOOST_AUTO_TEST_SUITE(worker_rings, *boost::unit_test::precondition(dormouse::testing::has_postgres))

using namespace dormouse;
using namespace dormouse::testing;

namespace {

/// A run that comes without NOTIFY: only a look finds it.
void insert_silently(postgres::BlockingConnection session) {
    const auto done =
        session.script("insert", "BEGIN; SET LOCAL dormouse.notify = off; SELECT dormouse.enqueue('echo'); COMMIT");
    BOOST_TEST_REQUIRE(done.has_value());
}

}  // namespace

BOOST_FIXTURE_TEST_CASE(a_ring_is_a_look, IdlePool) {
    insert_silently(database.connect());
    bench.turns_within(Millis{200});
    BOOST_TEST(completed() == "0");
    bench.ring();
    BOOST_TEST(bench.until([&] { return completed() == "1"; }));
}

BOOST_FIXTURE_TEST_CASE(a_notification_is_a_look, IdlePool) {
    database.exec("SELECT dormouse.enqueue('echo')");
    BOOST_TEST(bench.until([&] { return completed() == "1"; }));
}

BOOST_FIXTURE_TEST_CASE(a_ring_that_arrives_while_a_look_is_on_the_wire_causes_another_look, IdlePoolBehindProxy) {
    proxy.hold_answers();
    const auto before = bench.statements();
    bench.ring();
    BOOST_TEST_REQUIRE(bench.until([&] { return bench.statements() > before && proxy.held() > 0; }));
    insert_silently(database.connect());  // the look has been answered without it, but nobody knows yet
    bench.ring();
    bench.turns_within(Millis{100});
    BOOST_TEST(completed() == "0");
    proxy.let_go();
    BOOST_TEST(bench.until([&] { return completed() == "1"; }));
}

BOOST_FIXTURE_TEST_CASE(a_notification_that_arrives_while_a_look_is_on_the_wire_causes_another_look,
                        IdlePoolBehindProxy) {
    proxy.hold_answers();
    bench.ring();
    BOOST_TEST_REQUIRE(bench.until([&] { return proxy.held() > 0; }));
    database.exec("SELECT dormouse.enqueue('echo')");
    proxy.let_go();
    BOOST_TEST(bench.until([&] { return completed() == "1"; }));
}

BOOST_AUTO_TEST_CASE(a_run_that_comes_between_listen_and_look_is_found) {
    TestDatabase database;
    // The look waits for this lock, so the insert falls between LISTEN and what the look sees.
    auto person = database.connect();
    BOOST_TEST_REQUIRE(
        person.script("lock", "BEGIN; LOCK TABLE dormouse.runs_live IN SHARE ROW EXCLUSIVE MODE").has_value());
    PoolBench bench(database.url());
    BOOST_TEST_REQUIRE(bench.until([&] {
        return database.value(
                   "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = "
                   "'Lock'") == "1";
    }));
    BOOST_TEST(
        database.value(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'LISTEN%'") ==
        "0");
    BOOST_TEST_REQUIRE(person.script("unlock", "SELECT dormouse.enqueue('echo'); COMMIT").has_value());
    BOOST_TEST(bench.until([&] { return database.value(completed_sql) == "1"; }));
}

// With the order reversed the notification of an insert after the look would go to nobody: here the look is answered,
// the answer is held back, and the session already hears.
BOOST_AUTO_TEST_CASE(a_run_that_comes_after_the_first_look_is_heard_of_at_once) {
    TestDatabase database;
    const Cluster& cluster = Cluster::shared();
    ProxyTcp proxy(cluster.socket_directory(), cluster.port());
    PoolBench bench(proxy.url(database.name()));
    BOOST_TEST_REQUIRE(bench.until([&] { return bench.worker().database().is_open(); }));
    proxy.hold_answers();
    BOOST_TEST_REQUIRE(bench.until([&] { return proxy.held() > 0; }));
    database.exec("SELECT dormouse.enqueue('echo')");
    proxy.let_go();
    BOOST_TEST(bench.until([&] { return database.value(completed_sql) == "1"; }));
}

// The first look of all is followed by a round that asks what is due, which would find the run of somebody unheard.
// After a reconnect both are one round: whom it does not see is heard of or lost.
BOOST_FIXTURE_TEST_CASE(a_run_that_comes_after_the_look_of_a_new_session_is_heard_of_at_once, IdlePoolBehindProxy) {
    const std::string ours =
        "FROM pg_stat_activity WHERE datname = current_database() AND application_name LIKE 'dormouse worker%'";
    auto person = database.connect();  // holds the look up until its answer is held up
    BOOST_TEST_REQUIRE(
        person.script("lock", "BEGIN; LOCK TABLE dormouse.runs_live IN SHARE ROW EXCLUSIVE MODE").has_value());
    BOOST_TEST_REQUIRE(database.value("SELECT count(pg_terminate_backend(pid)) " + ours) == "1");
    BOOST_TEST_REQUIRE(bench.until([&] { return !bench.worker().database().is_open(); }));
    BOOST_TEST_REQUIRE(bench.until(
        [&] { return database.value("SELECT count(*) " + ours + " AND wait_event_type = 'Lock'") == "1"; }));
    proxy.hold_answers();
    BOOST_TEST_REQUIRE(person.script("unlock", "COMMIT").has_value());
    BOOST_TEST_REQUIRE(bench.until([&] { return proxy.held() > 0; }));
    database.exec("SELECT dormouse.enqueue('echo')");
    proxy.let_go();
    BOOST_TEST(bench.until([&] { return completed() == "1"; }));
}

BOOST_FIXTURE_TEST_CASE(five_thousand_rings_are_a_few_looks_and_no_ringer_blocks, IdlePool) {
    const auto before = bench.statements();
    constexpr int rings = 5'000;
    std::atomic<int> blocked{0};
    std::atomic<bool> over{false};
    const auto start = BootClock::now();
    std::thread ringer([&] {
        for (int i = 0; i < rings; ++i)
            if (!ring_at(bench.bell())) ++blocked;
        over = true;
    });
    BOOST_TEST(bench.until([&] { return over.load(); }));
    ringer.join();
    const Millis took = since(start);
    BOOST_TEST_REQUIRE(bench.until_idle());
    const auto looks = (bench.statements() - before) / 3 + 1;  // rescue or not, claim, due
    BOOST_TEST_MESSAGE(rings << " rings in " << took.count() << " ms: " << bench.statements() - before
                             << " statements");
    BOOST_TEST(blocked == 0);
    BOOST_TEST(looks <= 12U + static_cast<std::uint64_t>(took.count()) / 100);
}

BOOST_FIXTURE_TEST_CASE(rings_while_the_database_is_down_are_owed_and_never_block, PoolWithoutServer) {
    int blocked = 0;
    for (int i = 0; i < 20'000; ++i) {
        if (!ring_at(bench.bell())) ++blocked;
        if (i % 500 == 0) bench.loop().turn(false);
    }
    BOOST_TEST(blocked == 0);
    BOOST_TEST((bench.worker().state() == worker::State::claiming));
    cluster.start();
    insert_silently(database.connect());
    BOOST_TEST(until_completed("1"));
}

BOOST_AUTO_TEST_CASE(a_ring_hastens_the_next_try_but_not_each_ring) {
    const TemporaryDirectory nowhere;
    PoolBench bench("postgresql:///none?host=" + nowhere.path(), {.database = "retry_max = \"10min\""});
    BOOST_TEST_REQUIRE(bench.until([&] { return bench.worker().is_waiting_for_database(); }));
    for (int i = 0; i < 100; ++i) bench.ring();
    BOOST_TEST(bench.turns_within(Millis{1'000}) < 300);
}

BOOST_AUTO_TEST_SUITE_END()
