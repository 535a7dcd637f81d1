// W10 while nobody listens: producers send no NOTIFY, whoever comes finds what they commit, however late, and whoever
// is registered is told of everything. And somebody who may do nothing but connect changes nothing of that by his
// locks.
#include <atomic>
#include <boost/test/unit_test.hpp>
#include <random>
#include <thread>

#include "promising_pool.h"

BOOST_AUTO_TEST_SUITE(reliance_nobody, *boost::unit_test::precondition(dormouse::testing::has_postgres))

using namespace dormouse;
using namespace dormouse::testing;

namespace {

constexpr const char* listening = "hashtextextended('default', 1685024366)";
constexpr const char* reliance = "hashtextextended('default', 1685024367)";

/// Who LISTENs without being registered, and hears what is sent.
struct Ear {
    explicit Ear(TestDatabase& database) : session(database.connect()) {
        BOOST_TEST_REQUIRE(session.listen({"queue:default"}).has_value());
    }
    int heard() {
        session.ask("wait", "SELECT 1");
        int count = 0;
        while (true) {
            const auto one = session.wait(BootClock::now());
            if (!one || !*one) return count;
            ++count;
        }
    }
    postgres::BlockingConnection session;
};

struct Guest {
    explicit Guest(TestDatabase& database) : session(login(database)) {}
    static postgres::BlockingConnection login(TestDatabase& database) {
        database.exec(
            "DO $$ BEGIN CREATE ROLE passer_by LOGIN; EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; "
            "END $$");
        return database.connect("passer_by");
    }
    void hold(const std::string& lock, const std::string& key) {
        go_on(session, "SELECT pg_advisory_" + lock + "(" + key + ")");
    }
    void let_go() { go_on(session, "SELECT pg_advisory_unlock_all()"); }

    postgres::BlockingConnection session;
};

std::string locks_of(TestDatabase& database, const postgres::BlockingConnection& session) {
    return database.value("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = " +
                          std::to_string(PQbackendPID(session.get())));
}

std::string registered(TestDatabase& database) {
    return database.value(
        "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND mode = 'ShareLock' AND granted AND database ="
        " (SELECT oid FROM pg_database WHERE datname = current_database())"
        " AND ((classid::bigint << 32) | objid::bigint) = " +
        std::string(listening));
}

}  // namespace

BOOST_AUTO_TEST_CASE(while_nobody_is_registered_nothing_is_sent_and_whoever_registers_hears) {
    TestDatabase database;
    Ear ear(database);
    database.exec("SELECT dormouse.enqueue('echo')");
    BOOST_TEST(ear.heard() == 0);
    database.exec("SET dormouse.notify = always; SELECT dormouse.enqueue('echo'); RESET dormouse.notify");
    BOOST_TEST(ear.heard() == 1);
    go_on(ear.session, "SELECT dormouse.listens('other')");
    database.exec("SELECT dormouse.enqueue('echo')");
    BOOST_TEST(ear.heard() == 0);
    go_on(ear.session, "SELECT dormouse.listens('default')");
    database.exec("SELECT dormouse.enqueue('echo')");
    BOOST_TEST(ear.heard() == 1);
    go_on(ear.session, "SELECT dormouse.enqueue('echo')");  // its own lock does not make it think that nobody is there
    BOOST_TEST(ear.heard() == 1);
}

BOOST_AUTO_TEST_CASE(who_comes_while_such_a_transaction_is_open_waits_for_it) {
    TestDatabase database;
    auto producer = relying_producer(database);
    BOOST_TEST(locks_of(database, producer) == "1");
    Ear ear(database);
    PoolBench bench(database.url());
    BOOST_TEST_REQUIRE(bench.until([&] { return registered(database) == "1"; }));
    bench.turns_within(Millis{300});
    BOOST_TEST((bench.worker().state() == worker::State::running));
    go_on(producer, "COMMIT");
    BOOST_TEST(bench.until([&] { return database.value(completed_sql) == "1"; }));
    BOOST_TEST(bench.until_idle());
    BOOST_TEST(ear.heard() == 0);
}

BOOST_AUTO_TEST_CASE(a_transaction_can_be_prepared_and_is_waited_for) {
    TestDatabase database;
    auto producer = relying_producer(database);
    go_on(producer, "PREPARE TRANSACTION 'nobody'");
    PoolBench bench(database.url());
    BOOST_TEST_REQUIRE(bench.until([&] { return registered(database) == "1"; }));
    bench.turns_within(Millis{300});
    BOOST_TEST((bench.worker().state() == worker::State::running));
    go_on(producer, "COMMIT PREPARED 'nobody'");
    BOOST_TEST(bench.until([&] { return database.value(completed_sql) == "1"; }));
}

BOOST_AUTO_TEST_CASE(a_transaction_for_thousands_of_queues_takes_few_locks) {
    TestDatabase database;
    auto producer = database.connect();
    go_on(producer, "BEGIN; SELECT dormouse.enqueue('echo', queue => 'q' || n) FROM generate_series(1, 20000) n");
    BOOST_TEST(locks_of(database, producer) == "50");
    go_on(producer, "COMMIT");
    go_on(producer, "BEGIN; SELECT dormouse.enqueue('echo')");  // counted anew
    BOOST_TEST(locks_of(database, producer) == "1");
    go_on(producer, "COMMIT");
}

// Workers come and go while producers commit late: what was left untold because nobody was there is found by the next.
BOOST_AUTO_TEST_CASE(whoever_comes_at_whatever_moment_finds_all_of_it) {
    TestDatabase database;
    constexpr int producers = 8;
    constexpr int rounds = 20;
    std::vector<postgres::BlockingConnection> sessions;
    for (int i = 0; i < producers; ++i) sessions.push_back(database.connect());
    Ear ear(database);
    std::mt19937 dice(1);
    int committed = 0;
    for (int round = 0; round < rounds; ++round) {
        std::atomic<int> ready{0};
        std::vector<std::thread> threads;
        for (auto& session : sessions) {
            const std::string before = std::to_string(static_cast<double>(dice() % 60) / 1'000.0);
            const std::string after = std::to_string(static_cast<double>(dice() % 60) / 1'000.0);
            threads.emplace_back([&session, &ready, before, after] {
                (void)session.script("late", "SELECT pg_sleep(" + before +
                                                 "); BEGIN; SELECT dormouse.enqueue('echo');" + "SELECT pg_sleep(" +
                                                 after + "); COMMIT");
                ++ready;
            });
        }
        PoolBench bench(database.url());
        const bool over = bench.until([&] { return ready == producers; });
        for (std::thread& thread : threads) thread.join();
        BOOST_TEST_REQUIRE(over);
        committed += producers;
        BOOST_TEST_REQUIRE(bench.until([&] { return database.value(completed_sql) == std::to_string(committed); }),
                           "round " << round);
        BOOST_TEST_REQUIRE(bench.until_idle());
    }
    const int heard = ear.heard();
    BOOST_TEST_MESSAGE(committed << " runs, " << heard << " notifications");
    BOOST_TEST(heard < committed);  // or nobody ever relied
}

BOOST_AUTO_TEST_CASE(a_guest_that_holds_reliance_keeps_nobody_awake) {
    TestDatabase database;
    Guest guest(database);
    for (const char* const lock : {"lock_shared", "lock"}) {
        guest.hold(lock, reliance);
        PoolBench bench(database.url());
        BOOST_TEST(bench.until_idle(), lock);
        const auto statements = bench.statements();
        bench.turns_within(Millis{1'500});
        BOOST_TEST(bench.statements() == statements, lock);
        database.exec("SELECT dormouse.enqueue('echo')");
        BOOST_TEST(bench.until(
            [&] { return database.value("SELECT count(*) FROM dormouse.runs WHERE status <> 'completed'") == "0"; }));
        guest.let_go();
    }
}

BOOST_AUTO_TEST_CASE(a_guest_that_holds_the_listeners_lock_delays_nothing) {
    TestDatabase database;
    Guest guest(database);
    Ear ear(database);
    for (const char* const lock : {"lock_shared", "lock"}) {
        guest.hold(lock, listening);
        const std::string taken = registered(database);
        PoolBench bench(database.url());
        BOOST_TEST(bench.until_idle(), lock);
        ear.heard();
        database.exec("SELECT dormouse.enqueue('echo')");
        BOOST_TEST(ear.heard() == 1);
        BOOST_TEST(bench.until(
            [&] { return database.value("SELECT count(*) FROM dormouse.runs WHERE status <> 'completed'") == "0"; }));
        guest.let_go();
        BOOST_TEST(bench.until([&] { return registered(database) == "1"; }), lock << ", " << taken);
        BOOST_TEST(bench.until_idle());
    }
}

// Whatever lets him insert: what counts is that he has, and so locks the table as nobody can by himself.
BOOST_AUTO_TEST_CASE(who_inserts_by_a_function_of_somebody_else_is_waited_for) {
    TestDatabase database;
    Guest guest(database);
    database.exec(
        "CREATE FUNCTION public.order_it() RETURNS void LANGUAGE sql SECURITY DEFINER AS"
        " $$ SELECT dormouse.enqueue('echo') $$; GRANT EXECUTE ON FUNCTION public.order_it TO PUBLIC");
    Ear ear(database);
    go_on(guest.session, "BEGIN; SELECT public.order_it()");
    BOOST_TEST(locks_of(database, guest.session) == "1");
    PoolBench bench(database.url());
    BOOST_TEST_REQUIRE(bench.until([&] { return registered(database) == "1"; }));
    bench.turns_within(Millis{300});
    BOOST_TEST((bench.worker().state() == worker::State::running));
    go_on(guest.session, "COMMIT");
    BOOST_TEST(ear.heard() == 0);
    BOOST_TEST(bench.until([&] { return database.value(completed_sql) == "1"; }));
}

BOOST_AUTO_TEST_SUITE_END()
