// dormouse status stays one screen however many pools and queues there are, and what needs somebody is on it.
#include <pty.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <fstream>

#include "base/clock.h"
#include "support/cluster.h"
#include "support/paths.h"
#include "support/process.h"

namespace cli_screen {

using namespace dormouse;
using namespace dormouse::testing;

BOOST_AUTO_TEST_SUITE(cli_screen, *boost::unit_test::precondition(has_postgres))

BOOST_AUTO_TEST_CASE(of_300_pools_and_200_queues_those_that_matter_are_shown) {
    TestDatabase database;
    const TemporaryDirectory directory;
    const auto file = [&](const std::string& pool) { return std::ofstream(directory.path() + "/" + pool + ".toml"); };
    for (int pool = 0; pool < 300; ++pool)
        file("p" + std::to_string(pool)) << "[database]\nurl = \"" << database.url() << "\"\n[worker]\nqueues = [\"q"
                                         << pool << "\"]\n[task.t]\ncommand = [\"/bin/true\"]\n";
    file("zz") << "no toml";
    database.exec(
        "INSERT INTO dormouse.runs (task, queue, run_at) SELECT 't', 'q' || n % 200, 'infinity' FROM "
        "generate_series(1, "
        "2000) n; INSERT INTO dormouse.runs (task, queue) VALUES ('t', 'q99')");
    const auto status = [&](std::vector<std::string> more) {
        more.insert(more.begin(), {"status", "--database-url", database.url()});
        return run(cli_program(std::move(more), {{"DORMOUSE_CONFIG_DIR", directory.path()}}));
    };
    const auto begin = BootClock::now();
    const Ended screen = status({});
    BOOST_TEST_MESSAGE("300 pools, 200 queues: " << since(begin).count() << " ms (aim: 100)");
    BOOST_TEST(std::count(screen.out.begin(), screen.out.end(), '\n') <= 60);
    for (const char* seen : {"zz", "q99 ", "289 more pools; --all shows them", "188 more queues; --all shows them"})
        BOOST_TEST(screen.out.find(seen) != std::string::npos, seen);
    const Ended meant = run(cli_program({"status", "--pool", "p299"}, {{"DORMOUSE_CONFIG_DIR", directory.path()}}));
    BOOST_TEST(meant.out.find("p299") != std::string::npos);
    const Ended all = status({"--all"});
    BOOST_TEST(all.exit_code == screen.exit_code);
    for (const char* seen : {"p299", "q198", "zz"}) BOOST_TEST(all.out.find(seen) != std::string::npos, seen);
    BOOST_TEST(all.out.find("more") == std::string::npos);
}

BOOST_AUTO_TEST_CASE(somebody_at_a_terminal_sees_it_again_and_again_until_ctrl_c) {
    TestDatabase database;
    const TemporaryDirectory directory;
    const std::map<std::string, std::string> environment{{"DATABASE_URL", database.url()},
                                                         {"DORMOUSE_CONFIG_DIR", directory.path()}};
    const Ended piped = run(cli_program({"status", "--watch"}, environment));
    BOOST_TEST(piped.exit_code == 2);
    BOOST_TEST(piped.err.find("--watch: stdout is not a terminal") != std::string::npos, piped.err);
    int terminal = -1;
    const pid_t child = ::forkpty(&terminal, nullptr, nullptr, nullptr);
    if (child == 0) {
        for (const auto& [name, value] : environment) ::setenv(name.c_str(), value.c_str(), 1);
        ::execl(dormouse_binary, dormouse_binary, "status", "--watch", nullptr);
        ::_exit(127);
    }
    BOOST_TEST_REQUIRE(child > 0);
    constexpr const char* cleared = "\033[H\033[2J";
    std::string seen;
    char part[4096];
    for (ssize_t length = 0; (length = ::read(terminal, part, sizeof part)) > 0;) {
        seen.append(part, static_cast<std::size_t>(length));
        if (seen.find(cleared, 1) == std::string::npos) continue;
        BOOST_TEST(::write(terminal, "\x03", 1) == 1);
        break;
    }
    BOOST_TEST(seen.find("all queues are empty") != std::string::npos, seen);
    while (::read(terminal, part, sizeof part) > 0) {
    }
    int status = 0;
    BOOST_TEST(::waitpid(child, &status, 0) == child);
    ::close(terminal);
    BOOST_TEST(WIFEXITED(status));
    BOOST_TEST(WEXITSTATUS(status) == 0);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace cli_screen
