// dormouse workers, as a program, with real workers.
#include <boost/test/unit_test.hpp>
#include <nlohmann/json.hpp>

#include "support/foreground_worker.h"

namespace cli_workers {

using namespace dormouse::testing;
using nlohmann::json;

namespace {

bool has(const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
}

struct Fixture {
    TestDatabase database;

    std::string out(std::vector<std::string> arguments) {
        arguments.insert(arguments.begin(), "workers");
        const Ended ended = run(cli_program(std::move(arguments), {{"DATABASE_URL", database.url()}}));
        BOOST_TEST(ended.exit_code == 0, ended.err);
        return ended.out;
    }
    json one() { return json::parse(out({"--json"})); }
};

}  // namespace

}  // namespace cli_workers

BOOST_FIXTURE_TEST_SUITE(cli_workers, Fixture, *boost::unit_test::precondition(has_postgres))

BOOST_AUTO_TEST_CASE(where_no_worker_is_that_is_said) {
    BOOST_TEST(has(out({}), "no worker is awake"));
    BOOST_TEST(has(out({"--all"}), "no worker has ever registered"));
}

BOOST_AUTO_TEST_CASE(a_worker_is_idle_then_live_and_dead_when_its_process_is_gone) {
    ForegroundWorker worker(database);
    json seen = one();
    BOOST_TEST(seen.at("condition") == "idle");
    BOOST_TEST(seen.at("process") == "here");
    BOOST_TEST(seen.at("pid") == worker.pid());
    worker.hold();
    seen = one();
    BOOST_TEST(seen.at("condition") == "live");
    BOOST_TEST(seen.at("runs") == 1);
    BOOST_TEST(has(out({}), "their leases stand until"));
    worker.kill();
    seen = one();
    BOOST_TEST(seen.at("condition") == "dead");
    BOOST_TEST(seen.at("process") == "gone");
    BOOST_TEST(has(seen.at("evidence"), "there is no process"));
    BOOST_TEST(eventually([&] { return database.value("SELECT ended FROM dormouse.workers") == "session lost"; }));
}

BOOST_AUTO_TEST_CASE(those_that_have_left_are_shown_when_asked_for) {
    database.exec(
        "INSERT INTO dormouse.worker_registry (id, pool, queues, host, pid, pid_start, boot_id, version, state, "
        "left_at) VALUES "
        "(gen_random_uuid(), 'old', '{q}', 'another-host', 1, 1, gen_random_uuid(), '0.1.0', 'left', now())");
    BOOST_TEST(out({"--json"}) == "");
    const json left = json::parse(out({"--all", "--json"}));
    BOOST_TEST(left.at("condition") == "left");
    BOOST_TEST(left.at("process") == "elsewhere");
}

BOOST_AUTO_TEST_CASE(of_another_host_only_the_database_speaks) {
    database.exec(
        "INSERT INTO dormouse.worker_registry (id, pool, queues, host, pid, pid_start, boot_id, version, session_pid, "
        "session_login) SELECT '00000000-0000-4000-8000-000000000001', E'far\\x1b[2J', '{q}', 'another-host', 1, 1, "
        "gen_random_uuid(), '0.1.0', pid, usesysid FROM pg_stat_activity WHERE pid = pg_backend_pid()");
    BOOST_TEST(one().at("condition") == "idle");
    database.exec(
        "INSERT INTO dormouse.runs (task, status, worker, fence, started_at, lease_until) VALUES ('t', 'running', "
        "'00000000-0000-4000-8000-000000000001', 1, now() - interval '20 minutes', now() - interval '11 minutes')");
    BOOST_TEST(one().at("condition") == "dead");
    BOOST_TEST(has(out({}), "was not extended"));
    BOOST_TEST(!has(out({}), "\x1b"));
}

BOOST_AUTO_TEST_SUITE_END()
