// dormouse enqueue --wait beside a run that cannot go on: why it waits is told once for each reason, and at the end of
// its patience as well. And that nobody complains of a doorbell where a worker that is awake hears of the run anyway.
#include <boost/test/unit_test.hpp>
#include <fstream>
#include <nlohmann/json.hpp>

#include "base/clock.h"
#include "support/cluster.h"
#include "support/foreground_worker.h"
#include "support/paths.h"
#include "support/process.h"

namespace enqueue_wait {

using namespace dormouse;
using namespace dormouse::testing;

namespace {

struct Fixture {
    TestDatabase database;
    TemporaryDirectory directory;
    std::map<std::string, std::string> environment{{"DORMOUSE_CONFIG_DIR", directory.path()},
                                                   {"DORMOUSE_PATHS_RUNTIME_DIRECTORY", directory.path()}};

    Ended enqueue(std::vector<std::string> arguments) {
        arguments.insert(arguments.begin(), "enqueue");
        return run(cli_program(std::move(arguments), environment));
    }
    /// A file of the pool "front" on this machine, for the commands: its worker has one of its own.
    void file(const std::string& tasks) const {
        std::ofstream(directory.path() + "/front.toml") << "[database]\nurl = \"" << database.url() << "\"\n" << tasks;
    }
    static void tells(const Ended& ended, const std::string& part, int times = 1) {
        int found = 0;
        for (auto at = ended.err.find(part); at != std::string::npos; at = ended.err.find(part, at + 1)) ++found;
        BOOST_TEST(found == times, part << " is " << found << " times in: " << ended.err);
    }
};

}  // namespace

}  // namespace enqueue_wait

BOOST_FIXTURE_TEST_SUITE(enqueue_wait, Fixture, *boost::unit_test::precondition(has_postgres))

BOOST_AUTO_TEST_CASE(nobody_is_awake) {
    file("");
    const Ended ended = enqueue({"t", "--wait=4s"});
    BOOST_TEST(ended.exit_code == 5, ended.err);
    tells(ended, "no worker that serves queue \"default\" is awake", 2);  // after 3 s, and at the end
    tells(ended, "is not finished yet: queued, no worker");
    tells(ended, "is not finished after 4s: queued, no worker");
    tells(ended, "it continues without this command");
}

BOOST_AUTO_TEST_CASE(no_worker_knows_the_task) {
    file("[task.hold]\ncommand = [\"/bin/true\"]\n");
    ForegroundWorker worker(database);
    const Ended ended = enqueue({"nobodys", "--wait=4s"});
    BOOST_TEST(ended.exit_code == 5, ended.err);
    tells(ended, "no worker that is awake knows task \"nobodys\"", 2);
}

BOOST_AUTO_TEST_CASE(a_handler_that_is_not_there_is_told_at_once_and_once) {
    file("");
    ForegroundWorker worker(database);
    const BootClock::time_point began = BootClock::now();
    const Ended ended = enqueue({"ghost", "--wait=2s"});
    BOOST_TEST(ended.exit_code == 5, ended.err);
    BOOST_TEST((BootClock::now() - began < Millis{15'000}));
    tells(ended, "is not finished yet: waiting for a retry at ");
    tells(ended, "is not finished after 2s: waiting for a retry at ");
    tells(ended, " after spawn: ", 2);
}

BOOST_AUTO_TEST_CASE(a_program_that_fails_is_told_with_its_last_words) {
    file("");
    ForegroundWorker worker(database);
    const Ended ended = enqueue({"fail", "--wait=20s"});
    BOOST_TEST(ended.exit_code == 3, ended.err);
    tells(ended, "failed: exit: exit 3: the reason; see `dormouse show");
}

BOOST_AUTO_TEST_CASE(a_run_that_is_due_later_says_when) {
    file("");
    const Ended ended = enqueue({"t", "--in", "1h", "--wait=100ms"});
    BOOST_TEST(ended.exit_code == 5, ended.err);
    tells(ended, "is not finished after 100ms: not due before ");
}

BOOST_AUTO_TEST_CASE(no_doorbell_is_missed_where_a_worker_is_awake) {
    file("");
    const Ended alone = enqueue({"hold"});
    tells(alone, "could not ring pool front");
    database.exec("DELETE FROM dormouse.runs");
    ForegroundWorker worker(database);
    const Ended heard = enqueue({"hold"});
    BOOST_TEST(heard.err.empty(), heard.err);
    worker.tasks().release();
    environment["DATABASE_URL"] = database.url();
    environment["DORMOUSE_CONFIG_DIR"] = directory.path() + "/none";
    const Ended elsewhere = enqueue({"hold"});
    BOOST_TEST(elsewhere.err.empty(), elsewhere.err);
    worker.tasks().release();
    const Ended nowhere = enqueue({"hold", "--queue", "nowhere"});
    tells(nowhere, "no pool on this machine serves queue \"nowhere\"");
}

BOOST_AUTO_TEST_SUITE_END()
