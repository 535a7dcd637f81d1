// The statements of the runbooks, as people type them with search_path = dormouse, while nobody and while
// somebody is at work.
#include <boost/test/unit_test.hpp>

#include "sql/embedded.h"
#include "support/cluster.h"
#include "support/paths.h"

namespace runbook {

using namespace dormouse::testing;
namespace sql = dormouse::sql;
using dormouse::postgres::BlockingConnection;

namespace {

constexpr const char* worker = "00000000-0000-4000-8000-000000000001";

struct Fixture {
    TestDatabase database;
    BlockingConnection person = database.connect();

    Fixture() { BOOST_REQUIRE(person.script("", "SET search_path = dormouse").has_value()); }

    struct Claim {
        std::string id;
        std::string fence;
    };
    Claim claim() {
        auto session = database.connect();
        const auto reply = session.ask("claim", sql::claim,
                                       {"{default}", "1", worker, "300000", "1000000", known_tasks, known_slots, "{}"});
        BOOST_REQUIRE(reply.has_value());
        BOOST_REQUIRE(reply->rows() == 1);
        return {std::string(reply->text(0, 0)), std::string(reply->text(0, 1))};
    }
    /// How many rows the worker that had it could still finish.
    int finish(const Claim& claim) {
        auto session = database.connect();
        const auto reply = session.ask("finish", sql::finish,
                                       {worker, "{" + claim.id + "}", "{" + claim.fence + "}", "{completed}", "{\"1\"}",
                                        "{NULL}", "{0}", "{NULL}", "{NULL}", "{NULL}", "{t}"});
        BOOST_REQUIRE_MESSAGE(reply.has_value(), (reply ? "" : reply.error().message));
        return reply->rows();
    }
};

}  // namespace

}  // namespace runbook

BOOST_FIXTURE_TEST_SUITE(runbook, Fixture, *boost::unit_test::precondition(has_postgres))

BOOST_AUTO_TEST_CASE(runs_are_counted_by_status) {
    database.exec("SELECT dormouse.enqueue('a'); SELECT dormouse.enqueue('b'); SELECT dormouse.enqueue('c')");
    database.exec("UPDATE dormouse.runs SET status = 'failed' WHERE task = 'c'");
    const auto reply = person.ask("", "SELECT status, COUNT(*) FROM runs GROUP BY status;");
    BOOST_REQUIRE(reply.has_value());
    std::string counts;
    for (int row = 0; row < reply->rows(); ++row)
        counts += std::string(reply->text(row, 0)) + "=" + std::string(reply->text(row, 1)) + " ";
    BOOST_TEST((counts == "queued=2 failed=1 " || counts == "failed=1 queued=2 "), counts);
}

BOOST_AUTO_TEST_CASE(the_oldest_queued_runs_are_listed_in_order) {
    database.exec("SELECT dormouse.enqueue_many('t', (SELECT array_agg(to_jsonb(n)) FROM generate_series(1, 9) n))");
    database.exec("UPDATE dormouse.runs SET created_at = now() - (payload::text::int) * interval '1 minute'");
    const auto reply = person.ask(
        "", "SELECT id, created_at, payload FROM runs WHERE status = 'queued' ORDER BY created_at ASC LIMIT 5;");
    BOOST_REQUIRE(reply.has_value());
    std::string payloads;
    for (int row = 0; row < reply->rows(); ++row) payloads += reply->text(row, 2);
    BOOST_TEST(payloads == "98765");
}

BOOST_AUTO_TEST_CASE(runs_that_hang_are_put_back_and_their_worker_can_no_longer_end_them) {
    database.exec("SELECT dormouse.enqueue('slow')");
    const Claim slow = claim();
    database.exec("UPDATE dormouse.runs SET started_at = now() - interval '2 hours' WHERE status = 'running'");
    database.exec("SELECT dormouse.enqueue('quick')");
    const Claim quick = claim();
    const auto typed = person.script("", sql_of_page("docs/runs.md").back());
    BOOST_REQUIRE_MESSAGE(typed.has_value(), (typed ? "" : typed.error().message));
    BOOST_TEST(database.value("SELECT string_agg(id::text, ' ') FROM dormouse.runs WHERE status = 'queued'") ==
               slow.id);
    BOOST_TEST(database.value("SELECT fence IS NULL AND lease_until IS NULL AND worker IS NULL FROM "
                              "dormouse.runs WHERE task = 'slow'") == "t");
    BOOST_TEST(finish(slow) == 0);
    BOOST_TEST(finish(quick) == 1);
    const Claim again = claim();
    BOOST_TEST(again.id == slow.id);
    BOOST_TEST(again.fence != slow.fence);
    BOOST_TEST(finish(slow) == 0);
    BOOST_TEST(finish(again) == 1);
    BOOST_TEST(
        database.value("SELECT string_agg(outcome, ' ' ORDER BY attempt) FROM dormouse.attempts WHERE run_id = $1",
                       {slow.id}) == "taken_back completed");
}

BOOST_AUTO_TEST_CASE(a_run_is_completed_by_hand_while_its_handler_is_at_work) {
    database.exec("SELECT dormouse.enqueue('t')");
    const Claim mine = claim();
    const auto reply = person.ask("", "UPDATE runs SET status = 'completed' WHERE id = '" + mine.id + "';");
    BOOST_REQUIRE_MESSAGE(reply.has_value(), (reply ? "" : reply.error().message));
    BOOST_TEST(reply->affected() == 1);
    BOOST_TEST(finish(mine) == 0);
    BOOST_TEST(database.value("SELECT status FROM dormouse.runs") == "completed");
    BOOST_TEST(database.value("SELECT finished_at IS NOT NULL AND result IS NULL FROM dormouse.runs") == "t");
}

BOOST_AUTO_TEST_CASE(a_run_is_completed_by_hand_that_nobody_has_started) {
    const std::string id = database.value("SELECT dormouse.enqueue('t')");
    const auto reply = person.ask("", "UPDATE runs SET status = 'completed' WHERE id = '" + id + "';");
    BOOST_REQUIRE_MESSAGE(reply.has_value(), (reply ? "" : reply.error().message));
    BOOST_TEST(database.value("SELECT count(*) FROM dormouse.runs_live") == "0");
}

BOOST_AUTO_TEST_SUITE_END()
