// A foreground worker whose terminal is closed leaves with the grace of a SIGTERM.
#include <boost/test/unit_test.hpp>
#include <csignal>

#include "support/logged_worker.h"

namespace worker_hangup {

using namespace dormouse;
using namespace dormouse::testing;

namespace {

std::string status_of(TestDatabase& database, const std::string& id) {
    return database.value("SELECT status || ' ' || lost FROM dormouse.runs WHERE id = '" + id + "'");
}

struct Scene {
    TestDatabase database;

    std::string hold(const LoggedWorker& worker) {
        std::string id = database.value("SELECT dormouse.enqueue('hold')");
        BOOST_TEST_REQUIRE(worker.until_said("run_dispatched"));
        return id;
    }
};

}  // namespace

}  // namespace worker_hangup

BOOST_FIXTURE_TEST_SUITE(worker_hangup, Scene, *boost::unit_test::precondition(has_postgres))

BOOST_AUTO_TEST_CASE(a_closed_terminal_lets_handlers_end_however_often_it_is_told) {
    LoggedWorker worker(database.url());
    const std::string id = hold(worker);
    worker.process().signal(SIGHUP);
    BOOST_TEST_REQUIRE(worker.until_said("worker_pool_shutting_down"));
    worker.process().signal(SIGHUP);  // by the shell, and by the kernel
    worker.tasks().release();
    BOOST_TEST(worker.process().wait().exit_code == 0);
    BOOST_TEST(status_of(database, id) == "completed 0");
    BOOST_TEST(worker.said("worker_pool_signal_received").size() == 1U);
}

BOOST_AUTO_TEST_CASE(a_worker_under_nohup_stays) {
    struct Ignored {
        Ignored() : before(::signal(SIGHUP, SIG_IGN)) {}
        ~Ignored() { ::signal(SIGHUP, before); }
        void (*before)(int);
    };
    std::optional<Ignored> ignored(std::in_place);
    LoggedWorker worker(database.url());
    ignored.reset();
    const std::string id = hold(worker);
    worker.process().signal(SIGHUP);
    worker.tasks().release();
    BOOST_TEST(worker.until_said("run_completed"));
    BOOST_TEST(status_of(database, id) == "completed 0");
    BOOST_TEST(worker.said("worker_pool_signal_received").empty());
    worker.process().signal(SIGTERM);
    BOOST_TEST(worker.process().wait().exit_code == 0);
}

BOOST_AUTO_TEST_SUITE_END()
