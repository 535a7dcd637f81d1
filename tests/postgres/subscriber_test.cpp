// A real subscriber, on a server of its own: what it sees when days appear and go, as docs/replication.md says.
#include <boost/test/unit_test.hpp>

#include "support/foreground_worker.h"
#include "support/paths.h"

namespace subscriber {

using namespace dormouse;
using namespace dormouse::testing;

namespace {

struct Fixture {
    Cluster publishing{ClusterOptions{.settings = {"wal_level = logical"}}};
    Cluster subscribing{ClusterOptions{.settings = {"wal_level = logical", "wal_retrieve_retry_interval = 100ms"}}};
    TestDatabase publisher{TestDatabase::Schema::migrated, publishing};
    TestDatabase subscriber{TestDatabase::Schema::migrated, subscribing};
    std::vector<std::string> sql = sql_of_page("docs/replication.md");

    ~Fixture() {
        subscriber.exec("ALTER SUBSCRIPTION dormouse_copy DISABLE");
        subscriber.exec("ALTER SUBSCRIPTION dormouse_copy SET (slot_name = NONE)");
        subscriber.exec("DROP SUBSCRIPTION dormouse_copy");
    }
    void subscribe() {
        subscriber.exec("TRUNCATE dormouse.migrations");
        subscriber.exec("CREATE SUBSCRIPTION dormouse_copy CONNECTION '" + publisher.url() +
                        "' PUBLICATION everything");
        BOOST_TEST_REQUIRE(eventually(
            [&] { return subscriber.value("SELECT bool_and(srsubstate = 'r') FROM pg_subscription_rel") == "t"; }));
    }
    void make_days() {
        for (int i = 0; i < 40 && publisher.value("SELECT did FROM dormouse.retain('p', 259200000, now())") != "";
             ++i) {
        }
    }
    /// A partition of what finished long ago, here and there.
    void make_old_day() {
        for (TestDatabase* const database : {&publisher, &subscriber})
            database->exec(
                "DO $$ BEGIN EXECUTE format('CREATE TABLE dormouse.runs_finished_ago PARTITION OF "
                "dormouse.runs_finished FOR VALUES FROM (%L) TO (%L)', now() - interval '50 days', now() - interval "
                "'40 days'); ALTER TABLE dormouse.runs_finished_ago REPLICA IDENTITY FULL; END $$");
    }
    /// Rows that are old, in that partition and in the default ones.
    void write_old_rows() {
        publisher.exec(
            "INSERT INTO dormouse.runs (task, status, finished_at, key) SELECT 'old', 'completed', now() - d * "
            "interval '1 day', k || d FROM unnest(ARRAY[20, 45]) d, unnest(ARRAY['old', NULL]) k;"
            "INSERT INTO dormouse.attempt_log (run_id, worker, fence, started_at, ended_at, outcome) SELECT "
            "gen_random_uuid(), gen_random_uuid(), 1, t, t, 'retry' FROM (SELECT now() - interval '20 days' t) o;"
            "INSERT INTO dormouse.run_logs SELECT gen_random_uuid(), gen_random_uuid(), 1, 1, now() - interval '20 "
            "days', '[]'");
    }
    std::string old_rows(TestDatabase& database) {
        return database.value(
            "SELECT concat_ws(' ', (SELECT count(*) FROM dormouse.runs WHERE task = 'old' AND key IS NOT NULL), "
            "(SELECT "
            "count(*) FROM dormouse.runs WHERE task = 'old' AND key IS NULL), (SELECT count(*) FROM "
            "dormouse.attempt_log), (SELECT count(*) FROM dormouse.run_logs))");
    }
    /// What retention deletes goes there too; the unkeyed row of the partition that it drops stays.
    void retention_is_followed() {
        write_old_rows();
        BOOST_TEST(eventually([&] { return old_rows(subscriber) == "2 2 1 1"; }), old_rows(subscriber));
        make_days();
        BOOST_TEST(old_rows(publisher) == "0 0 0 0");
        BOOST_TEST(eventually([&] { return old_rows(subscriber) == "0 1 0 0"; }), old_rows(subscriber));
        BOOST_TEST(subscribing.log().find("could not identify") == std::string::npos);
    }
    std::string state(TestDatabase& database) {
        return database.value(
            "SELECT string_agg(concat_ws(' ', key, status, priority, archived_at IS NOT NULL), ', ' ORDER BY key) FROM "
            "dormouse.runs");
    }
    bool same() {
        return eventually([&] { return state(subscriber) == state(publisher); });
    }
    /// A run of each kind goes its way on the publisher; nothing of it is refused there.
    void operate(const std::string& mark) {
        const auto key = [&](const char* name) { return "'" + mark + name + "'"; };
        publisher.exec("SELECT dormouse.enqueue('t', key => k) FROM unnest(ARRAY[" + key("a") + ", " + key("b") + ", " +
                       key("c") + ", " + key("d") + "]) k");
        publisher.exec("UPDATE dormouse.runs SET priority = 7 WHERE key = " + key("a"));
        publisher.exec("UPDATE dormouse.runs SET status = 'failed' WHERE key IN (" + key("b") + ", " + key("c") + ", " +
                       key("d") + ")");
        publisher.exec("SELECT dormouse.retry(id), dormouse.cancel(id) FROM dormouse.runs WHERE key = " + key("b"));
        publisher.exec("SELECT dormouse.archive(id) FROM dormouse.runs WHERE key = " + key("c"));
        publisher.exec("DELETE FROM dormouse.runs WHERE key = " + key("d"));
    }
};

}  // namespace

}  // namespace subscriber

BOOST_FIXTURE_TEST_SUITE(subscriber, Fixture, *boost::unit_test::precondition(has_postgres))

BOOST_AUTO_TEST_CASE(one_that_has_the_days_made_in_advance_goes_on_and_one_that_has_not_stops_and_says_why) {
    BOOST_TEST_REQUIRE(sql.size() >= 3U);
    publisher.exec("CREATE PUBLICATION everything FOR ALL TABLES");
    subscribe();
    operate("1");
    BOOST_TEST(same(), state(subscriber) << " / " << state(publisher));
    make_days();
    operate("2");
    BOOST_TEST(eventually(
        [&] { return subscribing.log().find("target relation \"dormouse.runs_finished_2") != std::string::npos; }));
    BOOST_TEST(state(subscriber) != state(publisher));
    // the page's remedy
    auto session = publisher.connect();
    const auto days = session.ask("days", sql[0]);
    BOOST_TEST_REQUIRE(days.has_value(), (days ? "" : days.error().message));
    BOOST_TEST(days->rows() > 10);
    for (int row = 0; row < days->rows(); ++row) subscriber.exec(std::string(days->text(row, 0)));
    subscriber.exec(sql[1]);
    BOOST_TEST(same(), state(subscriber) << " / " << state(publisher));
    operate("3");
    BOOST_TEST(same(), state(subscriber) << " / " << state(publisher));
    // what retention drops stays there until somebody drops it there
    publisher.exec("DROP TABLE " + publisher.value("SELECT tableoid::regclass FROM dormouse.runs WHERE key = '3c'"));
    operate("4");
    BOOST_TEST(
        eventually([&] { return subscriber.value("SELECT count(*) FROM dormouse.runs WHERE key = '4c'") == "1"; }));
    BOOST_TEST(subscriber.value("SELECT count(*) FROM dormouse.runs WHERE key = '3c'") == "1");
}

BOOST_AUTO_TEST_CASE(what_retention_deletes_is_deleted_at_one_that_has_the_same_tables) {
    make_old_day();
    publisher.exec("CREATE PUBLICATION everything FOR ALL TABLES");
    subscribe();
    retention_is_followed();
}

BOOST_AUTO_TEST_CASE(what_retention_deletes_is_deleted_at_one_that_sees_one_table) {
    make_old_day();
    publisher.exec(sql[2]);
    publisher.exec("CREATE PUBLICATION everything FOR ALL TABLES WITH (publish_via_partition_root = true)");
    subscribe();
    retention_is_followed();
}

BOOST_AUTO_TEST_CASE(one_that_sees_one_table_survives_new_days_and_retention) {
    BOOST_TEST_REQUIRE(sql.size() >= 3U);
    publisher.exec(sql[2]);
    publisher.exec("CREATE PUBLICATION everything FOR ALL TABLES WITH (publish_via_partition_root = true)");
    subscribe();
    operate("1");
    BOOST_TEST(same(), state(subscriber) << " / " << state(publisher));
    make_days();
    operate("2");
    BOOST_TEST(same(), state(subscriber) << " / " << state(publisher));
    publisher.exec("DROP TABLE " + publisher.value("SELECT tableoid::regclass FROM dormouse.runs WHERE key = '2c'"));
    operate("3");
    BOOST_TEST(
        eventually([&] { return subscriber.value("SELECT count(*) FROM dormouse.runs WHERE key = '3c'") == "1"; }));
    BOOST_TEST(subscriber.value("SELECT count(*) FROM dormouse.runs WHERE key = '2c'") == "1");
}

BOOST_AUTO_TEST_SUITE_END()
