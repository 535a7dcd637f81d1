// The spool of a worker in the foreground: made where it may be, taken when somebody else makes it, and what is said of
// one that is not there.
#include <sys/stat.h>
#include <unistd.h>

#include <boost/test/unit_test.hpp>
#include <csignal>
#include <filesystem>
#include <fstream>

#include "support/foreground_worker.h"

namespace foreground_spool {

using namespace dormouse;
using namespace dormouse::testing;
namespace fs = std::filesystem;

namespace {

struct Scene {
    TestDatabase database;
    PoolTasks tasks;
    TemporaryDirectory directory;
    std::string above = directory.path() + "/spools";
    std::string spool = above + "/front";
    std::map<std::string, std::string> environment{{"DORMOUSE_CONFIG_DIR", directory.path()},
                                                   {"DORMOUSE_PATHS_RUNTIME_DIRECTORY", directory.path()},
                                                   {"DORMOUSE_PATHS_SPOOL_DIRECTORY", above}};

    Scene() { std::ofstream(directory.path() + "/front.toml") << pool_toml(database.url(), {}, tasks); }
    [[nodiscard]] Program program(const std::vector<std::string>& arguments) const {
        return cli_program(arguments, environment);
    }
    Ended enqueue() const { return run(program({"enqueue", "echo", "--spool"})); }
    bool completed(const std::string& id) {
        return eventually([&] {
            return database.value("SELECT status FROM dormouse.runs WHERE id::text = '" + id.substr(0, 36) + "'") ==
                   "completed";
        });
    }
    void is_imported() {
        const Ended spooled = enqueue();
        BOOST_TEST_REQUIRE(spooled.exit_code == 0, spooled.err);
        BOOST_TEST(completed(spooled.out));
        BOOST_TEST(eventually([&] { return fs::is_empty(spool); }));  // after the commit, beside the run
    }
    static std::size_t count(const std::string& text, const std::string& part) {
        std::size_t found = 0;
        for (auto at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++found;
        return found;
    }
};

}  // namespace

}  // namespace foreground_spool

BOOST_FIXTURE_TEST_SUITE(foreground_spool, Scene, *boost::unit_test::precondition(has_postgres))

BOOST_AUTO_TEST_CASE(it_is_made_as_that_of_the_unit_and_emptied) {
    fs::create_directory(above);
    Process worker(program({"worker", "front"}));
    BOOST_TEST_REQUIRE(eventually([&] { return fs::exists(spool); }));
    BOOST_TEST((fs::status(spool).permissions() == fs::perms(01770)));
    is_imported();
    worker.signal(SIGTERM);
    BOOST_TEST(worker.wait().err.find("spool_closed") == std::string::npos);
}

BOOST_AUTO_TEST_CASE(what_cannot_be_made_is_said_once_with_what_makes_it_which_is_seen_at_once) {
    const Ended refused = enqueue();
    BOOST_TEST(refused.exit_code == 9);
    BOOST_TEST(refused.err.find("there is no spool " + spool) != std::string::npos, refused.err);
    BOOST_TEST(refused.err.find("logs why it cannot (spool_closed)") != std::string::npos, refused.err);
    Process worker(program({"worker", "front"}));
    BOOST_TEST_REQUIRE(worker.saw_error("make it: install -d -m 1770 -o "));
    for (int i = 0; i < 3; ++i) fs::create_directory(directory.path() + "/other" + std::to_string(i));  // no matter
    BOOST_TEST(completed(database.value("SELECT dormouse.enqueue('echo')")));
    fs::create_directory(above);
    BOOST_TEST_REQUIRE(eventually([&] { return fs::exists(spool); }));
    is_imported();
    worker.signal(SIGTERM);
    const Ended ended = worker.wait();
    BOOST_TEST(count(ended.err, "spool_closed") == 1U, ended.err);
    BOOST_TEST(ended.err.find("runs cannot be spooled: " + spool + ": No such file") != std::string::npos, ended.err);
}

BOOST_AUTO_TEST_CASE(one_that_is_removed_while_the_worker_is_awake_is_missed_and_taken_when_it_is_there_again) {
    fs::create_directory(above);
    Process worker(program({"worker", "front"}));
    BOOST_TEST_REQUIRE(eventually([&] { return fs::exists(spool); }));
    is_imported();  // from here on it is open
    fs::remove(spool);
    BOOST_TEST_REQUIRE(worker.saw_error("spool_closed"));
    BOOST_TEST(!fs::exists(spool));
    fs::create_directory(spool);
    is_imported();
    fs::rename(spool, spool + ".old");  // and another one takes its place
    fs::create_directory(spool);
    is_imported();
    fs::remove_all(above);
    fs::create_directories(spool);
    is_imported();
    worker.signal(SIGTERM);
    BOOST_TEST(worker.wait().exit_code == 0);
}

BOOST_AUTO_TEST_CASE(root_makes_none_where_the_spools_are_another_accounts) {
    if (::geteuid() != 0) return;
    fs::create_directory(above);
    BOOST_REQUIRE(::chown(above.c_str(), 65'534, 65'534) == 0);
    Process worker(program({"worker", "front"}));
    BOOST_TEST_REQUIRE(worker.saw_error("install -d -m 1770 -o nobody " + spool));
    BOOST_TEST(!fs::exists(spool));
    BOOST_TEST(run({{"/usr/bin/install", "-d", "-m", "1770", "-o", "nobody", spool}, {}, {}, {}}).exit_code == 0);
    is_imported();
    worker.signal(SIGTERM);
    BOOST_TEST(worker.wait().exit_code == 0);
}

BOOST_AUTO_TEST_SUITE_END()
