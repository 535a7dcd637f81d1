// What somebody can hold up who may connect and nothing else, or look and nothing else: nothing. Anybody can take an
// advisory lock, so none counts by itself. reliance_nobody_test and relay_test have more of it.
#include <boost/test/unit_test.hpp>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "idle_pool.h"
#include "retention_fixture.h"
#include "support/foreground_worker.h"
#include "support/process.h"

BOOST_AUTO_TEST_SUITE(guest, *boost::unit_test::precondition(dormouse::testing::has_postgres))

using namespace dormouse;
using namespace dormouse::testing;
using nlohmann::json;

namespace {

constexpr const char* reliance = "hashtextextended('default', 1685024367)";
constexpr const char* listening = "hashtextextended('default', 1685024366)";

void go_on(postgres::BlockingConnection& session, const std::string& sql) {
    const auto done = session.script("test", sql);
    BOOST_TEST_REQUIRE(done.has_value(), (done ? "" : done.error().message));
}

bool has(const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
}

/// Logins that may connect, and look.
struct Guests {
    explicit Guests(TestDatabase& database)
        : passer_by(login(database, "passer_by", "")),
          reader(login(database, "onlooker", " IN ROLE dormouse_reader")) {}
    static postgres::BlockingConnection login(TestDatabase& database, const std::string& name, const std::string& of) {
        apply_roles(database);
        database.exec("DO $$ BEGIN CREATE ROLE " + name + " LOGIN" + of +
                      "; EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$");
        return database.connect(name);
    }
    void both(const std::string& sql) { go_on(passer_by, sql), go_on(reader, sql); }
    std::string pid() const { return std::to_string(PQbackendPID(passer_by.get())); }

    postgres::BlockingConnection passer_by;
    postgres::BlockingConnection reader;
};

/// All locks that dormouse knows, or knew.
const std::string every_lock = "SELECT pg_advisory_lock_shared(" + std::string(reliance) +
                               "), pg_advisory_lock_shared(" + std::string(listening) +
                               "), pg_advisory_lock_shared(1685024365, 1), pg_advisory_lock_shared(1685024365, 2),"
                               " pg_advisory_lock_shared(7237128940554646373)";

Ended migrate(TestDatabase& database, std::vector<std::string> more) {
    std::vector<std::string> arguments{"migrate"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return run(cli_program(std::move(arguments), {{"DATABASE_URL", database.url()}}));
}

}  // namespace

BOOST_AUTO_TEST_CASE(retention_does_not_wait_for_advisory_locks) {
    RetentionFixture retention;
    retention.finished("old", 400, 3);
    Guests guests(retention.database);
    guests.both(every_lock);
    BOOST_TEST(!retention.steps().empty());
    BOOST_TEST(retention.count("dormouse.runs") == "0");
}

BOOST_AUTO_TEST_CASE(migrating_does_not_wait_for_advisory_locks) {
    TestDatabase database(TestDatabase::Schema::none);
    database.exec(
        "DO $$ BEGIN CREATE ROLE passer_by LOGIN; EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END "
        "$$");
    auto guest = database.connect("passer_by");
    go_on(guest, every_lock);
    for (const std::vector<std::string>& more : {std::vector<std::string>{}, {"--roles"}}) {
        const Ended done = migrate(database, more);
        BOOST_TEST(done.exit_code == 0, done.err);
        BOOST_TEST(done.err == "");
    }
}

BOOST_AUTO_TEST_CASE(migrating_waits_for_a_bounded_time_and_says_for_whom) {
    TestDatabase database;
    auto busy = database.connect();
    go_on(busy, "SET application_name = 'nightly report'; BEGIN; LOCK TABLE dormouse.migrations IN SHARE MODE");
    const Ended given_up = migrate(database, {"--roles", "--wait", "200ms"});
    BOOST_TEST(given_up.exit_code == 6, given_up.err);
    BOOST_TEST(has(given_up.err, "waited 200 ms for postgres (pid " + std::to_string(PQbackendPID(busy.get())) +
                                     ", nightly report, in a transaction since "),
               given_up.err);
    go_on(busy, "PREPARE TRANSACTION '" + database.name() + "'");
    const Ended prepared = migrate(database, {"--roles", "--wait", "200ms"});
    BOOST_TEST(
        has(prepared.err, "waited 200 ms for the prepared transaction '" + database.name() + "' (COMMIT PREPARED"),
        prepared.err);
    go_on(busy, "COMMIT PREPARED '" + database.name() + "'");
    BOOST_TEST(migrate(database, {"--roles", "--wait", "200ms"}).exit_code == 0);
}

BOOST_AUTO_TEST_CASE(nobody_keeps_a_worker_awake_or_wakes_it_again) {
    TestDatabase database;
    Guests guests(database);
    guests.both(every_lock);
    PoolBench bench(database.url(),
                    {.worker = "idle_exit = \"100ms\"\nlook_exit = \"100ms\"", .leaves_when_idle = true});
    std::filesystem::create_directories(bench.config().paths.wake_directory);
    BOOST_TEST_REQUIRE(bench.until_gone());
    BOOST_TEST(!bench.farewell()->due.has_value());
}

BOOST_AUTO_TEST_CASE(a_prepared_transaction_of_a_guest_is_not_waited_for) {
    TestDatabase database;
    Guests guests(database);
    go_on(guests.passer_by, "BEGIN; SELECT pg_advisory_xact_lock_shared(" + std::string(reliance) +
                                "), pg_advisory_xact_lock_shared(1685024365, 1); PREPARE TRANSACTION 'guest'");
    {
        PoolBench bench(database.url(),
                        {.worker = "idle_exit = \"100ms\"\nlook_exit = \"100ms\"", .leaves_when_idle = true});
        BOOST_TEST(bench.until_gone());
    }
    go_on(guests.passer_by, "ROLLBACK PREPARED 'guest'");
}

BOOST_AUTO_TEST_CASE(status_names_who_keeps_a_pool_awake_and_who_only_tries) {
    TestDatabase database;
    Guests guests(database);
    guests.both(every_lock);
    auto producer = database.connect();
    go_on(producer, "SET application_name = 'shop'; SET dormouse.notify = off; BEGIN; SELECT dormouse.enqueue('echo')");
    go_on(producer, "SELECT pg_advisory_xact_lock_shared(" + std::string(reliance) + ")");
    database.exec(
        "INSERT INTO dormouse.worker_registry (id, pool, queues, host, pid, pid_start, boot_id, version) VALUES"
        " (gen_random_uuid(), 'elsewhere', '{default}', 'far', 1, 1, gen_random_uuid(), '0.1.0')");
    const std::string who = "postgres (pid " + std::to_string(PQbackendPID(producer.get())) + ", shop)";
    json holders;
    BOOST_TEST(eventually([&] {  // what has lasted for a second
        const Ended status = run(cli_program({"status", "--json"}, {{"DATABASE_URL", database.url()}}));
        BOOST_TEST_REQUIRE((status.exit_code == 0 || status.exit_code == 13), status.err);
        holders = json::parse(status.out).at("holders");
        return !holders.empty();
    }));
    BOOST_TEST(holders.size() == 1U);
    BOOST_TEST(holders.at(0).at("who") == who);
    const Ended text = run(cli_program({"status"}, {{"DATABASE_URL", database.url()}}));
    BOOST_TEST(has(text.out, "queue default: " + who), text.out);
    BOOST_TEST(has(text.out, "stay awake until it ends"), text.out);
    BOOST_TEST(has(text.out, "SELECT pg_terminate_backend(" + std::to_string(PQbackendPID(producer.get())) + ")"),
               text.out);
    // one that is prepared has no session that could be ended
    const std::string gid = "'" + database.name() + "'";
    go_on(producer, "PREPARE TRANSACTION " + gid);
    BOOST_TEST(eventually([&] {  // a second after that
        const Ended status = run(cli_program({"status", "--json"}, {{"DATABASE_URL", database.url()}}));
        holders = json::parse(status.out).at("holders");
        return !holders.empty();
    }));
    BOOST_TEST(holders.size() == 1U);
    BOOST_TEST(holders.at(0).at("who") == "the prepared transaction " + gid + " of postgres");
    BOOST_TEST(holders.at(0).at("remedy") == "COMMIT PREPARED " + gid + ", or ROLLBACK PREPARED " + gid);
    go_on(producer, "ROLLBACK PREPARED " + gid);
}

BOOST_AUTO_TEST_SUITE_END()
