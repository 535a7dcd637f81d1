// A worker process that is killed with runs of each kind of handler in flight: what it leaves, and what the next one
// makes of it. The handlers leave a mark at each start, outside of the database.
#include <fcntl.h>
#include <sys/stat.h>

#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>
#include <csignal>
#include <fstream>
#include <map>
#include <set>
#include <sstream>

#include "conformance/stage.h"
#include "postgres/crash_points.h"
#include "support/cluster.h"
#include "support/events.h"
#include "support/foreground_worker.h"
#include "support/paths.h"
#include "support/process.h"

BOOST_AUTO_TEST_SUITE(killed, *boost::unit_test::precondition(dormouse::testing::has_postgres))

using namespace dormouse;
using namespace dormouse::conformance;
using namespace dormouse::testing;

namespace {

constexpr std::size_t in_flight = 4;
constexpr std::size_t waiting = 2;

struct Mark {
    std::string run, fence;
    int process = 0;
};

struct KilledScene {
    explicit KilledScene(Kind which) : kind(which) {
        BOOST_REQUIRE(::mkfifo((directory.path() + "/gate").c_str(), 0600) == 0);
        std::ofstream file(directory.path() + "/pool.toml");
        file << "[database]\nurl = \"" << database.url() << "\"\n[worker]\nlease = \"2s\"\nconcurrency = " << in_flight
             << "\n[paths]\nspool_directory = \"" << directory.path() << "\"\n";
        if (kind == Kind::in_process) return;
        const config::Task task = task_of(kind, "gated");
        file << "[task.gated]\nhandler = \"" << (kind == Kind::exec ? "exec" : "warm") << "\"\ncommand = [";
        for (const std::string& word : task.command) file << '"' << word << "\",";
        file << "]\n";
    }
    [[nodiscard]] Program worker() const {
        const std::string file = directory.path() + "/pool.toml";
        if (kind == Kind::in_process) return {{embed_binary, file}, {}, {}, {}, Millis{120'000}};
        return {{dormouse_binary, "worker", "--config", file}, {}, {}, {}, Millis{120'000}};
    }
    [[nodiscard]] std::vector<Mark> marks() const {
        std::vector<Mark> all;
        std::ifstream file(directory.path() + "/marks");
        for (Mark mark; file >> mark.run >> mark.fence >> mark.process;) all.push_back(mark);
        return all;
    }
    bool until_marks(std::size_t count) const {
        return until_changed(directory.path(), [&] { return marks().size() == count; });
    }
    bool until_completed(std::size_t count) {
        return eventually([&] {
            return database.value("SELECT count(*) FROM dormouse.runs WHERE status = 'completed'") ==
                   std::to_string(count);
        });
    }
    /// Of its worker, when that has died: what it has sent is done by then.
    bool until_its_session_is_over() {
        return eventually([&] {
            return database.value(
                       "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'dormouse worker%' "
                       "AND datname = current_database()") == "0";
        });
    }
    /// Runs that somebody has, with their fences.
    std::map<std::string, std::string> running() {
        std::map<std::string, std::string> all;
        std::istringstream words(
            database.value("SELECT string_agg(concat_ws(' ', id, fence || ':' || worker), ' ') "
                           "FROM dormouse.runs WHERE status = 'running'"));
        for (std::string id, fence; words >> id >> fence;) all[id] = fence;
        return all;
    }
    /// For whoever waits there, and for whoever comes.
    void open_the_gate() { gate.reset(::open((directory.path() + "/gate").c_str(), O_RDWR | O_CLOEXEC)); }
    /// Of its starts. Lost runs are executed one at a time: a second one that was claimed is handed back unstarted.
    std::string outcomes(const std::string& run) {
        return database.value(
            "SELECT string_agg(outcome || ' ' || fence || ':' || worker, ', ' ORDER BY attempt) FROM dormouse.attempts "
            "WHERE run_id = $1 AND outcome <> 'handed_back'",
            {run});
    }

    Kind kind;
    TestDatabase database;
    TemporaryDirectory directory;
    UniqueFd gate;
};

}  // namespace

BOOST_DATA_TEST_CASE(what_a_killed_worker_had_in_flight_is_lost_once_and_completed_once_by_the_next,
                     boost::unit_test::data::make(kinds()), kind) {
    KilledScene scene(kind);
    scene.database.value("SELECT count(dormouse.enqueue('gated', to_jsonb($1::text))) FROM generate_series(1, $2::int)",
                         {scene.directory.path(), std::to_string(in_flight + waiting)});
    std::map<std::string, std::string> lost;  // the fence of each
    {
        Process dies(scene.worker());
        BOOST_TEST_REQUIRE(scene.until_marks(in_flight));
        dies.signal(SIGKILL);
        BOOST_TEST(dies.wait().signal == SIGKILL);
    }
    for (const Mark& mark : scene.marks()) {
        lost[mark.run] = mark.fence;
        BOOST_TEST_REQUIRE(until_ended(mark.process), "process " << mark.process << " outlived its worker");
    }
    BOOST_TEST_REQUIRE(lost.size() == in_flight);
    BOOST_TEST(scene.database.value("SELECT count(*) FROM dormouse.runs WHERE status = 'running'") ==
               std::to_string(in_flight));

    scene.open_the_gate();
    Process next(scene.worker());
    BOOST_TEST(scene.until_completed(in_flight + waiting));
    next.signal(SIGTERM);
    const Ended ended = next.wait();
    BOOST_TEST(ended.exit_code == 0, ended.err);

    std::map<std::string, std::vector<std::string>> starts;
    for (const Mark& mark : scene.marks()) starts[mark.run].push_back(mark.fence);
    BOOST_TEST(starts.size() == in_flight + waiting);
    for (const auto& [run, fences] : starts) {
        const bool was_lost = lost.contains(run);
        BOOST_TEST_REQUIRE(fences.size() == (was_lost ? 2U : 1U), run);
        BOOST_TEST(scene.outcomes(run) ==
                   (was_lost ? "lost " + fences[0] + ", completed " + fences[1] : "completed " + fences[0]));
        BOOST_TEST(scene.database.value("SELECT result #>> '{}' FROM dormouse.runs WHERE id = $1", {run}) ==
                   fences.back());
        BOOST_TEST(scene.database.value("SELECT attempts || ' ' || lost FROM dormouse.runs WHERE id = $1", {run}) ==
                   (was_lost ? "2 1" : "1 0"));
    }
    BOOST_TEST(scene.database.value("SELECT count(*) FROM dormouse.runs") == std::to_string(in_flight + waiting));
}

// Whatever was in flight is lost once and completed once; what was over at the death is not attempted again.
BOOST_DATA_TEST_CASE(a_worker_that_dies_between_two_steps_of_a_run_loses_what_was_in_flight_and_nothing_else,
                     boost::unit_test::data::make(warm_points) + boost::unit_test::data::make(function_points),
                     moment) {
    if (!has_crash_points(0)) {
        BOOST_TEST_MESSAGE("skipped: this build has no crash points");
        return;
    }
    KilledScene scene(moment.name.starts_with("warm") ? Kind::warm_python : Kind::in_process);
    const std::size_t runs = in_flight + waiting;
    scene.open_the_gate();
    scene.database.value("SELECT count(dormouse.enqueue('gated', to_jsonb($1::text))) FROM generate_series(1, $2::int)",
                         {scene.directory.path(), std::to_string(runs)});
    Program program = scene.worker();
    program.environment["DORMOUSE_CRASH_AT"] = moment.name;
    BOOST_TEST_REQUIRE(run(program).signal == SIGKILL, "it did not die there");
    std::set<std::string> started;  // run and fence
    for (const Mark& mark : scene.marks()) {
        BOOST_TEST(started.insert(mark.run + " " + mark.fence).second, "started twice: " << mark.run);
        BOOST_TEST_REQUIRE(until_ended(mark.process), "process " << mark.process << " outlived its worker");
    }
    BOOST_TEST_REQUIRE(scene.until_its_session_is_over());
    std::map<std::string, std::string> lost;
    std::size_t lost_at_work = 0;
    for (const auto& [id, fence] : scene.running()) {
        lost[id] = fence;
        lost_at_work += started.count(id + " " + fence);
    }
    BOOST_TEST(!lost.empty());
    const auto died_at = [&moment](const char* part) { return moment.name.find(part) != std::string::npos; };
    if (died_at("taken")) BOOST_TEST(lost_at_work < lost.size());                   // it was not called
    if (died_at("answered") || died_at("returned")) BOOST_TEST(lost_at_work > 0U);  // its work is done, and not told
    scene.database.exec("UPDATE dormouse.runs_live SET lease_until = now() WHERE status = 'running'");

    Process next(scene.worker());
    BOOST_TEST(scene.until_completed(runs));
    next.signal(SIGTERM);
    const Ended ended = next.wait();
    BOOST_TEST(ended.exit_code == 0, ended.err);
    std::map<std::string, std::set<std::string>> starts;
    for (const Mark& mark : scene.marks()) starts[mark.run].insert(mark.fence);
    BOOST_TEST(starts.size() == runs);
    for (const auto& [id, fences] : starts) {
        const std::string last = scene.database.value("SELECT result #>> '{}' FROM dormouse.runs WHERE id = $1", {id});
        const bool was_lost = lost.contains(id);
        BOOST_TEST(scene.outcomes(id) == (was_lost ? "lost " + lost[id] + ", completed " + last : "completed " + last));
        BOOST_TEST(fences.contains(last));
        BOOST_TEST(fences.size() <= (was_lost ? 2U : 1U));
    }
    BOOST_TEST_MESSAGE(moment.name << ": " << lost.size() << " in flight, of them " << lost_at_work << " started");
}

BOOST_AUTO_TEST_SUITE_END()
