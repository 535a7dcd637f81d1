// Claims are quicker than endings: a worker must not hold what it has no time to write.
#include <dormouse/worker.h>

#include <algorithm>
#include <boost/test/unit_test.hpp>

#include "support/bare_database.h"

BOOST_AUTO_TEST_SUITE(embed_pace, *boost::unit_test::precondition(dormouse::testing::postgres_is_here))

using namespace std::chrono_literals;
using dormouse::Result;
using dormouse::Run;
using dormouse::testing::BareDatabase;
using dormouse::testing::soon;

BOOST_AUTO_TEST_CASE(no_more_is_claimed_than_is_written_in_time) {
    BareDatabase database;
    // Once there is a session for endings, they take their time.
    database.value(
        "CREATE FUNCTION slowly() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF (SELECT count(*) FROM "
        "pg_stat_activity "
        "WHERE datname = current_database() AND application_name LIKE 'dormouse worker%') > 1 THEN PERFORM "
        "pg_sleep(0.2); END IF; RETURN NULL; END $$");
    database.value("CREATE TRIGGER slowly AFTER DELETE ON dormouse.runs_live EXECUTE FUNCTION slowly()");
    database.value("SELECT count(*) FROM dormouse.enqueue_many('nothing', array_fill('{}'::jsonb, ARRAY[15000]))");
    dormouse::Worker worker{{.pool = "embedded", .file = database.file(), .log = [](const dormouse::LogEvent&) {}}};
    worker.task("nothing", [](Run&) { return Result::completed(); });
    worker.start();
    int most = 0;
    BOOST_TEST(soon([&] {
        most = std::max(most, std::stoi(database.value("SELECT count(*) FROM dormouse.runs WHERE status = 'running'")));
        return database.value("SELECT count(*) FROM dormouse.runs WHERE status = 'completed'") == "15000";
    }));
    BOOST_TEST(worker.stop(20s));
    BOOST_TEST_MESSAGE("at most " << most << " were running");
    BOOST_TEST(most > 1'000);  // or the second session was never behind
    BOOST_TEST(most < 6'500);  // in hand 2,000 and as many slots, unwritten 2,000, on the wire 1,000
}

BOOST_AUTO_TEST_SUITE_END()
