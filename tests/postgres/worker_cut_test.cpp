// A session that is lost at any step of a small life: it arrives, claims, puts back, extends a lease, completes, enqueues
// a follow-up, rests without a session, is woken, is told to leave. Each thing that it says is once the last, either never heard
// or heard and not answered. Nothing is lost, nothing is executed twice without an attempt of its own, and the pool
// sleeps in the end.
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>
#include <fstream>
#include <set>

#include "support/pool_bench.h"
#include "support/proxy_tcp.h"

using namespace dormouse;
using namespace dormouse::testing;

namespace worker_cut {

namespace {

constexpr int runs = 5;
constexpr const char* unfinished = "SELECT count(*) FROM dormouse.runs WHERE status <> 'completed'";

struct Life {
    TestDatabase database;
    ProxyTcp proxy{Cluster::shared().socket_directory(), Cluster::shared().port()};
    TemporaryDirectory directory;
    bool woken = false;
    int lives = 0;
    std::string ended;  ///< how each of them did

    /// A task that leaves a mark and goes on with this script.
    [[nodiscard]] std::string task(const std::string& name, const std::string& script) const {
        return "[task." + name + "]\nhandler = \"exec\"\nbackoff = { base = \"1ms\", max = \"1ms\" }\n" +
               "command = [\"/bin/sh\", \"-c\", '''echo $DORMOUSE_RUN_ID $DORMOUSE_FENCE >>" + directory.path() +
               "/starts; " + script + "''']\n";
    }
    [[nodiscard]] PoolBenchOptions options() const {
        return {.worker = "lease = \"2s\"",
                .database = "close_after = \"100ms\"",
                .rest = task("woken", "exit 0") + task("follow_up", "exit 0") + task("long", "sleep 0.9") +
                        task("again", "[ -e " + directory.path() + "/again ] || { : >" + directory.path() +
                                          "/again; exit 75; }") +
                        task("first", R"(printf '%s\n' '{"type":"completed","enqueue":[{"task":"follow_up"}]}' )"
                                      ">&$DORMOUSE_CONTROL_FD")};
    }
    bool all_is_done() { return database.value(unfinished) == "0"; }
    /// From a wake of the pool until it is gone: whether it sleeps then, or systemd starts it once more.
    bool live() {
        ++lives;
        PoolBench bench(proxy.url(database.name()), options());
        const auto rests = [&] {
            return bench.worker().database().state() == store::Wire::State::closed &&
                   bench.worker().state() == worker::State::idle && all_is_done();
        };
        if (!std::exchange(woken, true)) {
            BOOST_TEST_REQUIRE(bench.until(rests));
            database.exec("BEGIN; SET LOCAL dormouse.notify = off; SELECT dormouse.enqueue('woken'); COMMIT");
            bench.ring();
        } else {  // one that leaves before it has a session knows nothing of what is due
            BOOST_TEST_REQUIRE(bench.until([&] { return bench.worker().state() == worker::State::idle; }));
        }
        BOOST_TEST_REQUIRE(bench.until([&] { return all_is_done(); }));
        bench.worker().terminate();  // mostly with a session
        BOOST_TEST_REQUIRE(bench.until_gone());
        BOOST_TEST(bench.farewell()->graceful);
        const worker::Farewell& end = *bench.farewell();
        const std::string due = end.due ? "in " + std::to_string(end.due->count()) + " ms" : "never";
        ended += "; life " + std::to_string(lives) + ": next due " + (end.due_known ? due : "unknown");
        return end.due_known && !end.due;
    }
    void live_until_it_sleeps() {
        database.exec("SELECT dormouse.enqueue('first'), dormouse.enqueue('again'), dormouse.enqueue('long')");
        while (!live()) BOOST_TEST_REQUIRE(lives < 3, "it does not sleep" << ended);
    }
    void check() {
        BOOST_TEST(database.value("SELECT string_agg(concat_ws(' ', task, status), ', ' ORDER BY task) FROM "
                                  "dormouse.runs") ==
                   "again completed, first completed, follow_up completed, long completed, woken completed");
        std::map<std::string, int> starts;
        std::set<std::string> claims;
        std::ifstream file(directory.path() + "/starts");
        for (std::string run, fence; file >> run >> fence;) {
            ++starts[run];
            BOOST_TEST(claims.insert(run + fence).second);
        }
        BOOST_TEST(starts.size() == static_cast<std::size_t>(runs));
        for (const auto& [run, count] : starts)
            BOOST_TEST(database.value("SELECT count(*) FROM dormouse.attempts WHERE outcome <> 'handed_back' AND "
                                      "run_id = $1",
                                      {run}) == std::to_string(count));
        BOOST_TEST(claims.size() == static_cast<std::size_t>(runs) + 1);  // of them one was put back
        BOOST_TEST(database.value("SELECT count(*) FROM dormouse.attempts WHERE outcome = 'lost'") == "0");
    }
};

}  // namespace

}  // namespace worker_cut

using worker_cut::Life;

BOOST_AUTO_TEST_SUITE(worker_cut, *boost::unit_test::precondition(has_postgres))

BOOST_AUTO_TEST_CASE(a_life_without_a_cut) {
    Life life;
    life.live_until_it_sleeps();
    life.check();
    BOOST_TEST(life.proxy.connections() >= 2);  // it rested without a session
    BOOST_TEST_MESSAGE("it says something " << life.proxy.said() << " times");
}

BOOST_DATA_TEST_CASE(a_session_that_is_cut_at_any_step_costs_nothing,
                     boost::unit_test::data::xrange(1, 46) * boost::unit_test::data::make({false, true}), nth, heard) {
    Life life;
    life.proxy.cut_at(nth, heard);
    life.live_until_it_sleeps();
    life.check();
}

BOOST_AUTO_TEST_SUITE_END()
