// The worker is killed while it finds out which run the database refuses, and while it is there for one run alone. The
// next one goes on: the guilty run fails, everybody else's runs are done once.
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include "postgres/crash_points.h"
#include "support/logged_worker.h"

BOOST_AUTO_TEST_SUITE(crash_search, *boost::unit_test::precondition(dormouse::testing::has_crash_points))

using namespace dormouse;
using namespace dormouse::testing;

namespace {

std::string count(TestDatabase& database, const std::string& condition) {
    return database.value("SELECT count(*) FROM dormouse.runs WHERE " + condition);
}

void dies_at(LoggedWorker& worker) {
    const Ended ended = worker.process().wait();
    BOOST_TEST_REQUIRE(ended.signal == SIGKILL, "it did not die there\n" << worker.log());
}

/// A run that cannot be claimed and one that cannot end, among some that can, and a lost run that cannot be taken back
/// beside one that can.
void stock(TestDatabase& database) {
    database.exec(
        "CREATE FUNCTION public.refuse() RETURNS trigger LANGUAGE plpgsql AS $f$ BEGIN RAISE EXCEPTION 'no'; END $f$;"
        "CREATE TRIGGER no_claim BEFORE UPDATE ON dormouse.runs_live FOR EACH ROW WHEN (NEW.key = 'never' AND "
        "NEW.status "
        "= 'running') EXECUTE FUNCTION public.refuse();"
        "CREATE TRIGGER no_rescue BEFORE UPDATE ON dormouse.runs_live FOR EACH ROW WHEN (NEW.key = 'lost' AND "
        "NEW.status "
        "= 'retry') EXECUTE FUNCTION public.refuse();"
        "CREATE TRIGGER no_end BEFORE DELETE ON dormouse.runs_live FOR EACH ROW WHEN (OLD.key = 'unwritten') EXECUTE "
        "FUNCTION public.refuse();"
        "INSERT INTO dormouse.runs (task, key) VALUES ('echo', NULL), ('echo', 'never'), ('echo', NULL), ('echo', "
        "NULL), ('echo', 'unwritten');"
        "INSERT INTO dormouse.runs (task, status, started_at, worker, fence, lease_until, key) SELECT 'echo', "
        "'running', "
        "now(), gen_random_uuid(), nextval('dormouse.fence'), now() - interval '1 hour', k FROM unnest(ARRAY['lost', "
        "NULL]) k");
}

}  // namespace

BOOST_DATA_TEST_CASE(the_guilty_run_fails_and_all_others_are_done, boost::unit_test::data::make(search_points),
                     moment) {
    TestDatabase database;
    stock(database);
    LoggedWorker dying(database.url(), {.worker = "lease = \"2s\""}, {{"DORMOUSE_CRASH_AT", moment.name}});
    dies_at(dying);
    database.exec("UPDATE dormouse.runs_live SET lease_until = now() - interval '1 s' WHERE status = 'running'");
    LoggedWorker living(database.url(), {.worker = "lease = \"2s\""});
    const auto until = [&](const std::string& condition, const char* wanted) {
        const auto end = BootClock::now() + Millis{20'000};
        while (count(database, condition) != wanted && BootClock::now() < end) std::this_thread::sleep_for(Millis{20});
        BOOST_TEST(count(database, condition) == wanted, condition << "\n" << living.log());
    };
    until("key = 'never' AND status = 'failed' AND error ->> 'class' = 'trigger_refused'", "1");
    until("key IS NULL AND status = 'completed'", "4");
    until("key = 'lost' AND status = 'running'", "1");
}

BOOST_DATA_TEST_CASE(one_run_is_still_done_once, boost::unit_test::data::make(errand_points), moment) {
    TestDatabase database;
    const std::string id = database.value("SELECT dormouse.enqueue('echo')");
    LoggedWorker dying(database.url(), {.worker = "lease = \"2s\""}, {{"DORMOUSE_CRASH_AT", moment.name}},
                       {"--run", id});
    dies_at(dying);
    database.exec("UPDATE dormouse.runs_live SET lease_until = now() - interval '1 s' WHERE status = 'running'");
    LoggedWorker living(database.url(), {.worker = "lease = \"2s\""});
    BOOST_TEST(living.until_said("run_completed"));
    BOOST_TEST(count(database, "status = 'completed'") == "1");
}

BOOST_AUTO_TEST_SUITE_END()
