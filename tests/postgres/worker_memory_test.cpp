// What a worker holds in memory, against the bound that docs/handlers.md states: VmHWM of a real worker process that
// has had as many runs at work at once as it may, several times over, so that what is not given back is seen.
#include <sys/stat.h>

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <sstream>

#include "support/foreground_worker.h"
#include "support/paths.h"
#include "support/process.h"

using namespace dormouse;
using namespace dormouse::testing;

namespace {

/// All of them with --full; a third shows the same, and these runs take half a minute of a processor.
int so_often(int all) {
    return std::getenv("DORMOUSE_FULL") != nullptr ? all : all / 3;
}

constexpr std::int64_t kib = 1 << 10;
constexpr std::int64_t mib = 1 << 20;

/// Runs that say so many lines, wait until so many are at work together, and return their payload.
struct Crowd {
    int at_once = 1;
    int times = 1;
    std::int64_t payload = 3;  ///< bytes; the result has as many
    int lines = 0;             ///< of 1,000 bytes each
    int together = at_once;    ///< so many of them wait for each other; 1: nobody waits

    [[nodiscard]] std::int64_t bound() const {
        const std::int64_t of_each = 4 * kib + 2 * (2 * payload + 1'000 * lines);
        const std::int64_t ahead = together == 1 ? 64 * mib : 0;  // who takes long gets none ahead
        return 32 * mib + 2 * ahead + std::min(96 * mib, 6 * at_once * payload) + at_once * of_each;
    }
};

constexpr const char* warm_script = R"py(
import asyncio, os
from dormouse import serve, task

together = int(os.environ["CROWD"])
here = 0
full = asyncio.Event()


@task
async def crowd(payload, run):
    global here, full
    for _ in range(int(os.environ["CROWD_LINES"])):
        run.log("x" * 1000)
    mine = full
    here += 1
    if here % together == 0:
        full = asyncio.Event()
        mine.set()
    await mine.wait()
    return payload


serve(concurrency=int(os.environ["CROWD_AT_ONCE"]))
)py";

// Its own place in the line says how many there have to be; the log is on stderr, the payload waits in a file. Who
// waits starts no process: there are many of them.
constexpr const char* exec_script = R"sh(#!/bin/bash
cd "$CROWD_AT" || exit 1
for ((i = 0; i < CROWD_LINES; ++i)); do printf '%01000d\n' 0 >&2; done
cat >"$DORMOUSE_RUN_ID"
echo "$DORMOUSE_RUN_ID" >>here
place=$(grep -n "$DORMOUSE_RUN_ID" here)
exec {never}<> <(:)
until mapfile -t all <here && ((${#all[@]} >= (${place%%:*} + CROWD - 1) / CROWD * CROWD)); do read -rt 0.2 -u "$never"; done
cat "$DORMOUSE_RUN_ID"
)sh";

class Pool {
  public:
    Pool(const Crowd& crowd, bool warm) : crowd_(crowd) {
        const std::string& here = directory_.path();
        const std::string script = here + (warm ? "/crowd.py" : "/crowd.sh");
        std::ofstream(script) << (warm ? warm_script : exec_script);
        ::chmod(script.c_str(), 0755);
        std::ofstream(here + "/crowd.env")
            << "PYTHONDONTWRITEBYTECODE=1\nPYTHONPATH=" << source_directory
            << "/clients/python\nCROWD=" << crowd.together << "\nCROWD_AT_ONCE=" << crowd.at_once
            << "\nCROWD_LINES=" << crowd.lines << "\nCROWD_AT=" << here << "\n";
        std::ofstream(here + "/pool.toml")
            << "[database]\nurl = \"" << database_.url() << "\"\n[worker]\nconcurrency = " << crowd.at_once
            << "\n[paths]\nspool_directory = \"" << here << "\"\n[task.crowd]\nenvironment_file = \"" << here
            << "/crowd.env\"\n"
            << (warm ? "handler = \"warm\"\nprocesses = 1\ncommand = [\"/usr/bin/python3\", \"" : "command = [\"")
            << script << "\"]\n";
    }
    /// The most that the worker has ever had in memory, in bytes.
    std::int64_t peak() {
        const std::string all = std::to_string(crowd_.at_once * crowd_.times);
        database_.value(
            "SELECT count(dormouse.enqueue('crowd', to_jsonb(repeat('x', $2::int - 2)))) FROM "
            "generate_series(1, $1::int)",
            {all, std::to_string(crowd_.payload)});
        Process worker({{"/bin/sh", "-c", "exec \"$@\" 2>" + directory_.path() + "/log", "sh", dormouse_binary,
                         "worker", "--config", directory_.path() + "/pool.toml"},
                        {},
                        {},
                        {},
                        Millis{200'000}});
        const auto done = [&] {
            return database_.value("SELECT count(*) FROM dormouse.runs WHERE status = 'completed'") == all;
        };
        for (int i = 0; i < 5 && !eventually(done); ++i) BOOST_TEST_MESSAGE("a slow machine");
        BOOST_TEST(done(), std::ifstream(directory_.path() + "/log").rdbuf());
        const std::int64_t bytes = peak_of(worker.pid());
        worker.signal(SIGTERM);
        BOOST_TEST(worker.wait().exit_code == 0);
        std::cout << all << " runs, " << crowd_.at_once << " at once: peak " << bytes / mib << " MiB, bound "
                  << crowd_.bound() / mib << " MiB\n";
        return bytes;
    }

  private:
    static std::int64_t peak_of(pid_t pid) {
        std::ifstream status("/proc/" + std::to_string(pid) + "/status");
        for (std::string line; std::getline(status, line);)
            if (line.starts_with("VmHWM:")) return std::stoll(line.substr(6)) * kib;
        return -1;
    }

    Crowd crowd_;
    TestDatabase database_;
    TemporaryDirectory directory_;
};

void stays_below_its_bound(const Crowd& crowd, bool warm) {
#ifdef __SANITIZE_ADDRESS__
    BOOST_TEST_MESSAGE("SKIPPED: this build takes memory of its own for what it watches");
    return;
#endif
    const std::int64_t peak = Pool(crowd, warm).peak();
    BOOST_TEST(peak > 0);
    BOOST_TEST(peak < crowd.bound());
}

}  // namespace

BOOST_AUTO_TEST_SUITE(worker_memory, *boost::unit_test::precondition(has_postgres))

BOOST_AUTO_TEST_CASE(ten_thousand_runs_at_once_take_a_few_kilobytes_each) {
    stays_below_its_bound({.at_once = 10'000, .times = 2}, true);
}

BOOST_AUTO_TEST_CASE(large_payloads_results_and_logs_are_held_by_a_warm_pool_only_while_they_are_in_flight) {
    stays_below_its_bound({.at_once = 32, .times = so_often(6), .payload = mib, .lines = 60}, true);
}

BOOST_AUTO_TEST_CASE(large_payloads_results_and_logs_are_held_by_an_exec_pool_only_while_they_are_in_flight) {
    stays_below_its_bound({.at_once = 32, .times = so_often(6), .payload = mib, .lines = 60}, false);
}

BOOST_AUTO_TEST_CASE(large_payloads_of_short_runs_are_fetched_ahead_within_a_bound_of_their_own) {
    stays_below_its_bound({.at_once = 4, .times = so_often(75), .payload = mib, .together = 1}, true);
}

BOOST_AUTO_TEST_SUITE_END()
