// How long leases are where the database is to sleep: as long as the longest timeout, an hour at most, so that a long
// run does not keep it awake by extensions. Read from the row that a real worker process has claimed.
#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>
#include <fstream>
#include <ostream>

#include "support/events.h"
#include "support/paths.h"
#include "support/pool_bench.h"
#include "support/process.h"

BOOST_AUTO_TEST_SUITE(sleeping_leases, *boost::unit_test::precondition(dormouse::testing::has_postgres))

using namespace dormouse;
using namespace dormouse::testing;

namespace {

struct Pool {
    const char* what;
    const char* database;  ///< of [database]
    const char* worker;    ///< of [worker]
    const char* timeout;   ///< of the task that holds
    const char* another;   ///< of another task
    int lease_s;
};

std::ostream& operator<<(std::ostream& out, const Pool& pool) {
    return out << pool.what;
}

constexpr const char* sleeps = "close_after = \"10min\"";

const std::vector<Pool> pools{
    {"a timeout within the hour", sleeps, "", "20min", "1s", 1'200},
    {"the timeout of another task", sleeps, "", "1s", "20min", 1'200},
    {"a timeout beyond the hour", sleeps, "", "3h", "1s", 3'600},
    {"no timeout", sleeps, "", "0", "1s", 3'600},
    {"timeouts below the usual lease", sleeps, "", "1min", "1s", 300},
    {"a lease that somebody has asked for", sleeps, "lease = \"7min\"", "20min", "3h", 420},
    {"a database that is not to sleep", "", "", "20min", "3h", 300},
};

std::string toml(const Pool& pool, const std::string& url, const PoolTasks& tasks) {
    return "[database]\nurl = \"" + url + "\"\n" + pool.database + "\n[worker]\n" + pool.worker +
           "\n[task.hold]\ncommand = [\"" + tasks.directory() + "/hold\"]\ntimeout = \"" + pool.timeout +
           "\"\n[task.another]\ncommand = [\"/bin/true\"]\ntimeout = \"" + pool.another + "\"\n";
}

}  // namespace

BOOST_DATA_TEST_CASE(a_lease_there_is_as_long_as_a_run_may_take_and_an_hour_at_most,
                     boost::unit_test::data::make(pools), pool) {
    TestDatabase database;
    const PoolTasks tasks;
    const TemporaryDirectory directory;
    const std::string file = directory.path() + "/leases.toml";
    std::ofstream(file) << toml(pool, database.url(), tasks);
    database.exec("SELECT dormouse.enqueue('hold')");
    Process worker({{dormouse_binary, "worker", "--config", file, "--max-runs", "1"}, {}, {}, {}, Millis{30'000}});
    BOOST_TEST_REQUIRE(until_changed(tasks.directory(), [&] { return tasks.started().size() == 1; }));
    BOOST_TEST(database.value("SELECT extract(epoch FROM lease_until - started_at)::int FROM dormouse.runs") ==
               std::to_string(pool.lease_s));
    tasks.release();
    const Ended ended = worker.wait();
    BOOST_TEST(ended.exit_code == 0, ended.err);
}

BOOST_AUTO_TEST_SUITE_END()
