// dormouse status --at-rest: what is known without the database, which is never asked.
#include <poll.h>
#include <sys/socket.h>

#include <boost/test/unit_test.hpp>
#include <filesystem>
#include <fstream>
#include <limits>
#include <nlohmann/json.hpp>

#include "cli/at_rest.h"
#include "metrics/exposition.h"
#include "metrics/file.h"
#include "support/pool_bench.h"
#include "support/process.h"

namespace cli_at_rest {

using namespace dormouse;
using namespace dormouse::testing;
using cli::due_text;
using cli::PoolAtRest;
using metrics::Metric;
using nlohmann::json;

constexpr double now = 1'800'000'000;

/// A pool in the foreground whose database is a socket that somebody listens at.
struct Scene {
    TemporaryDirectory directory;
    UniqueFd database = listen_at(directory.path() + "/.s.PGSQL.5432");

    Scene() {
        std::ofstream(directory.path() + "/mail.toml")
            << "[database]\nurl = \"postgresql:///app?host=" << directory.path()
            << "\"\n[paths]\nruntime_directory = \"" << directory.path() << "/run\"\n[metrics]\ntextfile = \""
            << directory.path() << "/mail.prom\"\n";
        std::filesystem::create_directories(directory.path() + "/run");
    }
    [[nodiscard]] bool was_asked() const {
        return UniqueFd(::accept4(database.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC)).valid();
    }
    void leave(const metrics::Tally& tally) const {
        BOOST_REQUIRE(metrics::replace_file(directory.path() + "/mail.prom", metrics::exposition(tally, now)));
    }
    [[nodiscard]] Ended status(std::vector<std::string> more = {}) const {
        more.insert(more.begin(), {"status", "--at-rest"});
        return run(cli_program(more, {{"DORMOUSE_CONFIG_DIR", directory.path()}}));
    }
    [[nodiscard]] json pool() const {
        const Ended ended = status({"--json"});
        BOOST_TEST(ended.exit_code == 0, ended.err);
        return json::parse(ended.out).at("pools").at(0);
    }
};

/// A pool of this machine with units, asleep.
PoolAtRest asleep(const std::string& result = "success") {
    PoolAtRest rest;
    rest.state = "asleep";
    rest.unit.emplace();
    rest.unit->since = now - 60;
    rest.unit->result = result;
    return rest;
}

}  // namespace cli_at_rest

BOOST_FIXTURE_TEST_SUITE(cli_at_rest, Scene)

BOOST_AUTO_TEST_CASE(the_last_worker_says_what_is_due_and_what_it_has_counted_and_the_database_is_not_asked) {
    metrics::Tally tally("mail");
    tally.add(Metric::runs_completed, 12, "send");
    tally.add(Metric::runs_failed, 3, "send");
    tally.add(Metric::runs_retried, 5, "send");
    tally.add(Metric::runs_completed, 1, "report");
    tally.set(Metric::awake, 0);
    tally.set(Metric::next_due, now + 3600);
    leave(tally);
    const json seen = pool();
    BOOST_TEST(seen.at("state") == "unknown");  // no unit of systemd
    BOOST_TEST(seen.at("due_at") == "2027-01-15T09:00:00.000Z");
    BOOST_TEST(seen.at("metrics").at("written_at") == "2027-01-15T08:00:00.000Z");
    BOOST_TEST(seen.at("metrics").at("totals").at(1) ==
               json::parse(R"({"task": "send", "completed": 12, "failed": 3, "canceled": 0, "retried": 5})"));
    const Ended text = status();
    BOOST_TEST(text.exit_code == 0, text.err);
    BOOST_TEST(text.out.find("COUNTED UNTIL") != std::string::npos, text.out);
    BOOST_TEST(!was_asked());
    // what the plain command does is seen by this
    const Process plain(cli_program({"status"}, {{"DORMOUSE_CONFIG_DIR", directory.path()}}));
    pollfd asked{database.get(), POLLIN, 0};
    BOOST_TEST(::poll(&asked, 1, 20'000) == 1);
}

BOOST_AUTO_TEST_CASE(what_a_worker_that_is_awake_or_was_killed_has_written_says_nothing_of_what_is_due) {
    metrics::Tally tally("mail");
    tally.set(Metric::awake, 1);
    tally.set(Metric::next_due, now + 3600);
    leave(tally);
    BOOST_TEST(pool().at("due_at").is_null());
    BOOST_TEST(pool().at("due") == "not known");
    tally.set(Metric::awake, 0);
    tally.set(Metric::next_due, std::numeric_limits<double>::infinity());
    leave(tally);
    BOOST_TEST(pool().at("due") == "nothing");
}

BOOST_AUTO_TEST_CASE(a_file_that_is_missing_or_broken_is_named_and_nothing_else_is_lost) {
    BOOST_TEST(pool().at("metrics").at("problem").get<std::string>().find("no worker has written it yet") !=
               std::string::npos);
    std::ofstream(directory.path() + "/mail.prom") << "what is this\n";
    const json seen = pool();
    BOOST_TEST(seen.at("metrics").at("problem").get<std::string>().find("mail.prom: line 1") != std::string::npos);
    BOOST_TEST(seen.at("listening") == false);
    BOOST_TEST(!was_asked());
}

BOOST_AUTO_TEST_CASE(a_pool_that_is_not_there_is_refused_with_the_remedy) {
    const Ended ended = status({"--pool", "nobody"});
    BOOST_TEST(ended.exit_code == 9);
    BOOST_TEST(
        ended.err.find("this machine has no pool nobody; `dormouse status --at-rest` shows") != std::string::npos,
        ended.err);
    BOOST_TEST(status({"--check"}).exit_code == 2);
}

BOOST_AUTO_TEST_CASE(what_is_due_next_is_the_timer_or_nothing_after_a_clean_end) {
    PoolAtRest rest = asleep();
    BOOST_TEST(due_text(rest, now) == "nothing");
    rest.unit->fires_at = now + 300;
    BOOST_TEST(due_text(rest, now) == "in 5 min");
    rest.failures = 2;
    BOOST_TEST(due_text(rest, now) == "in 5 min (a look, not a due time)");
    BOOST_TEST(due_text(asleep("exit-code"), now) == "not known");
    rest = asleep();
    rest.unit->since.reset();  // not since the boot
    BOOST_TEST(due_text(rest, now) == "not known");
    rest.state = "awake";
    BOOST_TEST(due_text(rest, now) == "its worker knows");
    rest.state = "off";
    BOOST_TEST(due_text(rest, now) == "its runs wait until it is switched on");
}

BOOST_AUTO_TEST_SUITE_END()
