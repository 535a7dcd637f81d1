#include "support/crash_bench.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <boost/test/unit_test.hpp>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <sstream>
#include <thread>

#include "base/uuid.h"
#include "support/events.h"
#include "support/paths.h"
#include "support/pool_bench.h"

namespace dormouse::testing {
namespace fs = std::filesystem;
namespace {

constexpr int runs_of_a_life = 8;
constexpr int concurrency = 4;
constexpr int most_claimed =
    3 * concurrency;  // what runs, and as many ahead as could start twice before an answer (worker/shelf.h)

constexpr const char* stock_sql =
    "SELECT dormouse.enqueue('long'), dormouse.enqueue('quick'), dormouse.enqueue('later'), dormouse.enqueue('quick'),"
    " dormouse.enqueue('big', to_jsonb(repeat('x', 200000))), dormouse.enqueue('later'), dormouse.enqueue('quick'),"
    " dormouse.enqueue('quick')";
constexpr const char* sessions_sql =
    "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'dormouse worker%' AND datname = "
    "current_database()";

}  // namespace

std::ostream& operator<<(std::ostream& out, const Moment& moment) {
    return out << moment.name;
}

boost::test_tools::assertion_result has_crash_points(boost::unit_test::test_unit_id id) {
#ifdef DORMOUSE_CRASH_POINTS
    return has_postgres(id);
#else
    static_cast<void>(id);
    boost::test_tools::assertion_result result(false);
    result.message() << "this build has no crash points (cmake -DDORMOUSE_CRASH_POINTS=ON)";
    return result;
#endif
}

CrashBench::CrashBench(Moment moment) : moment_(std::move(moment)), listener_(listen_at(directory_.path() + "/bell")) {
    for (const char* name : {"run", "run/crash", "spool", "wake", "seen"})
        fs::create_directory(directory_.path() + "/" + name);
    const std::string gate = directory_.path() + "/gate";
    if (::mkfifo(gate.c_str(), 0666) != 0) throw std::runtime_error("mkfifo failed");
    gate_.reset(::open(gate.c_str(), O_RDWR | O_CLOEXEC | O_NONBLOCK));
    write_scripts();
    write_config("dying", "idle_exit = \"50ms\"\nlook_exit = \"50ms\"\nshutdown_grace = \"50ms\"");
    write_config("living", "idle_exit = \"1h\"\nlook_exit = \"1h\"");
}

// Each start leaves a mark with its fence before anything else; the result says the fence too.
void CrashBench::write_scripts() const {
    const auto script = [this](const std::string& name, const std::string& text) {
        const std::string path = directory_.path() + "/" + name;
        std::ofstream(path) << "#!/bin/sh\ncd " << directory_.path()
                            << "\necho $$ >>processes\necho $DORMOUSE_RUN_ID $DORMOUSE_FENCE >>marks\n"
                            << text << "\n";
        ::chmod(path.c_str(), 0755);
    };
    const std::string result = "echo \"{\\\"fence\\\": \\\"$DORMOUSE_FENCE\\\"}\"";
    script("quick", "echo \"said under $DORMOUSE_FENCE\" >&2\n" + result);
    script("big", "cat");
    script("long", "read -r line <gate\n" + result);
    script("later", "if mkdir seen/$DORMOUSE_RUN_ID; then exit 75; fi 2>/dev/null\n" + result);
}

void CrashBench::write_config(const std::string& name, const std::string& worker) const {
    const std::string& here = directory_.path();
    std::ofstream file(here + "/" + name + ".toml");
    file << "[database]\nurl = \"" << database_.url() << "\"\n[paths]\nspool_directory = \"" << here
         << "/spool\"\nwake_directory = \"" << here
         << "/wake\"\n[worker]\nlease = \"2s\"\nconcurrency = " << concurrency << "\n"
         << worker << "\n[metrics]\ntextfile = \"" << here << "/metrics.prom\"\n";
    for (const char* task : {"quick", "big", "long", "later"})
        file << "[task." << task << "]\nhandler = \"exec\"\ncommand = [\"" << here << "/" << task
             << "\"]\nbackoff = { base = \"1ms\", max = \"1ms\" }\n";
}

void CrashBench::stock() {
    ++lives_;
    const std::string n = std::to_string(lives_);
    database_.exec(stock_sql);
    const std::string good = R"({"task": "quick"})";
    put("a" + n + ".json", good);
    put("b" + n + ".json", good);
    put(Uuid::time_ordered().to_string() + ".json", good);
    good_files_ += 3;
    put("bad" + n + ".json", "no json");
    put("worse" + n + ".json", R"({"task": "quick", "payload": "\u0000"})");  // JSON, but no jsonb
    bad_files_ += 2;
    std::ofstream(directory_.path() + "/wake/crash") << "";
    std::ofstream(directory_.path() + "/run/crash/due") << "86400000\n";
    if (!ring_at(directory_.path() + "/bell")) throw std::runtime_error("the doorbell is out of order");
}

void CrashBench::put(const std::string& name, const std::string& text) {
    const std::string spool = directory_.path() + "/spool/crash/";
    fs::create_directories(spool);
    std::ofstream(spool + "." + name) << text;
    fs::rename(spool + "." + name, spool + name);
}

void CrashBench::release_long_runs() const {
    const std::string enough(static_cast<std::size_t>(4 * lives_), '\n');
    if (::write(gate_.get(), enough.data(), enough.size()) < 0) throw std::runtime_error("the gate is full");
}

Program CrashBench::worker(const std::string& config, const std::string& crash_at) const {
    const std::string fd = std::to_string(listener_.get());
    const std::string shell = "exec 3<&" + fd + "; LISTEN_FDS=1 LISTEN_PID=$$ exec \"$@\"";
    return {{"bash", "-c", shell, "unit", dormouse_binary, "worker", "crash", "--config",
             directory_.path() + "/" + config + ".toml", "--verbose"},
            {},
            {{"RUNTIME_DIRECTORY", directory_.path() + "/run/crash"},
             {"DORMOUSE_PATHS_RUNTIME_DIRECTORY", directory_.path() + "/run"},
             {"DORMOUSE_CRASH_AT", crash_at}},
            {},
            Millis{20'000}};
}

void CrashBench::dies() {
    stock();
    if (moment_.scene == Scene::released) release_long_runs();
    ::fcntl(listener_.get(), F_SETFD, 0);
    Process process(worker("dying", moment_.name));
    ::fcntl(listener_.get(), F_SETFD, FD_CLOEXEC);
    disturb(process);
    const Ended ended = process.wait();
    BOOST_TEST_REQUIRE(ended.signal == SIGKILL, "it did not die there but ended with " << ended.exit_code << "\n"
                                                                                       << ended.err);
    BOOST_TEST_REQUIRE(!ended.timed_out, "the point was not reached\n" << ended.err);
    ++deaths_;
    for (const std::string& pid : lines("processes"))
        BOOST_TEST(until_ended(std::stoi(pid)), "a handler does not die with it: " << pid);
    wait_for_its_session();
    count_in_flight();
}

// What it has sent is still being done. Postgres tells nobody of the end of a session, so it is asked again and again.
void CrashBench::wait_for_its_session() {
    const auto end = BootClock::now() + Millis{20'000};
    while (database_.value(sessions_sql) != "0") {
        BOOST_TEST_REQUIRE((BootClock::now() < end), "its session does not end");
        std::this_thread::sleep_for(Millis{10});
    }
}

void CrashBench::disturb(Process& process) {
    if (moment_.scene != Scene::terminated && moment_.scene != Scene::cut_off) return;
    BOOST_TEST_REQUIRE(process.saw_error("run_dispatched: long"));
    if (moment_.scene == Scene::terminated) return process.signal(SIGTERM);
    database_.exec(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'dormouse worker%'"
        " AND datname = current_database()");
}

// A run that the last one has not taken back yet is still in flight with the one before it: its fence tells.
void CrashBench::count_in_flight() {
    int of_one_worker = 0;
    for (const std::string& row : rows("SELECT concat_ws(' ', count(*) OVER (PARTITION BY worker), id, fence)"
                                       "  FROM dormouse.runs WHERE status = 'running'")) {
        std::istringstream words(row);
        std::string run;
        std::string fence;
        words >> of_one_worker >> run >> fence;
        BOOST_TEST(of_one_worker <= most_claimed);
        in_flight_[run].insert(fence);
    }
    if (moment_.nobody_in_flight) BOOST_TEST(in_flight_.empty());
    if (moment_.waits_for_lease) return;
    database_.exec("UPDATE dormouse.runs_live SET lease_until = now() WHERE status = 'running'");
}

void CrashBench::lives() {
    stock();
    release_long_runs();
    ::fcntl(listener_.get(), F_SETFD, 0);
    Process process(worker("living", ""));
    ::fcntl(listener_.get(), F_SETFD, FD_CLOEXEC);
    const std::string all = std::to_string(lives_ * runs_of_a_life + good_files_);
    const bool done = process.until([&] {  // it logs each of them
        return database_.value("SELECT count(*) FROM dormouse.runs WHERE status = 'completed'") == all;
    });
    process.signal(SIGTERM);
    const Ended ended = process.wait();
    BOOST_TEST(done,
               "completed are " << database_.value("SELECT count(*) FROM dormouse.runs WHERE status = 'completed'")
                                << " of " << all << "\n"
                                << ended.err);
    BOOST_TEST(ended.exit_code == 0, ended.err);
}

void CrashBench::check() {
    std::vector<Attempt> attempts;
    for (const std::string& row : rows("SELECT concat_ws(' ', run_id, fence || ':' || worker, outcome) FROM "
                                       "dormouse.attempts")) {
        std::istringstream words(row);
        Attempt& attempt = attempts.emplace_back();
        words >> attempt.run >> attempt.fence >> attempt.outcome;
    }
    check_runs(attempts);
    check_starts(attempts);
    check_said();
    check_files();
}

// Who completed has said one thing, once; nobody has said anything under a fence that no attempt has.
void CrashBench::check_said() {
    BOOST_TEST(
        database_.value("SELECT count(*) FROM dormouse.runs r WHERE r.task = 'quick' AND 1 <> (SELECT count(*) FROM "
                        "dormouse.logs l WHERE l.run_id = r.id AND l.fence = r.last_fence)") == "0");
    BOOST_TEST(database_.value(
                   "SELECT count(*) FROM dormouse.logs WHERE attempt IS NULL OR line <> 1 OR text <> 'said under ' "
                   "|| fence || ':' || worker") == "0");
}

// Every run has one completed attempt, one lost one for each death with it in flight, and no other.
void CrashBench::check_runs(const std::vector<Attempt>& attempts) {
    BOOST_TEST(database_.value("SELECT count(*) FROM dormouse.runs WHERE status <> 'completed'") == "0");
    BOOST_TEST(database_.value("SELECT count(*) FROM dormouse.runs") ==
               std::to_string(lives_ * runs_of_a_life + good_files_));
    BOOST_TEST(database_.value("SELECT count(*) FROM dormouse.imports") == std::to_string(good_files_));
    BOOST_TEST(database_.value("SELECT count(*) FROM dormouse.runs WHERE CASE WHEN task = 'big' THEN result <> payload"
                               " ELSE result ->> 'fence' <> last_fence || ':' || worker END") == "0");
    std::map<std::string, std::map<std::string, int>> seen;
    for (const Attempt& attempt : attempts) ++seen[attempt.run][attempt.outcome];
    for (const std::string& row : rows("SELECT concat_ws(' ', id, task, attempts) FROM dormouse.runs")) {
        std::istringstream words(row);
        std::string run;
        std::string task;
        int used = 0;
        words >> run >> task >> used;
        auto& outcomes = seen[run];
        BOOST_TEST_CONTEXT("run " << run << ", task " << task) {
            BOOST_TEST(outcomes["completed"] == 1);
            BOOST_TEST(outcomes["lost"] == static_cast<int>(in_flight_[run].size()));
            BOOST_TEST(used == outcomes["completed"] + outcomes["lost"]);
            if (task == "later") BOOST_TEST(outcomes["put_off"] <= 1);
            if (task == "later" && in_flight_[run].empty()) BOOST_TEST(outcomes["put_off"] == 1);
            for (const auto& [outcome, count] : outcomes) {
                const bool expected = outcome == "completed" || outcome == "lost" ||
                                      (outcome == "put_off" && task == "later") ||
                                      outcome == "handed_back";  // also a second run that was lost: one at a time
                if (!expected) BOOST_TEST(count == 0, count << " attempts " << outcome);
            }
        }
    }
}

// Every mark belongs to an attempt of its own; an attempt without one was lost before its handler could leave it.
void CrashBench::check_starts(const std::vector<Attempt>& attempts) {
    std::set<std::string> marks;
    for (const std::string& mark : lines("marks")) BOOST_TEST(marks.insert(mark).second, "started twice: " << mark);
    int lost = 0;
    int lost_started = 0;
    for (const Attempt& attempt : attempts) {
        const bool started = marks.erase(attempt.run + " " + attempt.fence) == 1;
        if (attempt.outcome == "lost") {
            ++lost;
            lost_started += started ? 1 : 0;
        } else if (attempt.outcome != "handed_back") {
            BOOST_TEST(started, attempt.outcome << " without a start: " << attempt.run);
        }
    }
    for (const std::string& mark : marks) BOOST_TEST(false, "started, and not recorded: " << mark);
    if (moment_.nobody_started) BOOST_TEST(lost_started == 0);
    std::cout << moment_ << ": " << deaths_ << " deaths, " << lost << " in flight, of them " << lost_started
              << " started; " << lines("marks").size() << " starts, " << attempts.size() << " attempts\n";
}

void CrashBench::check_files() {
    const std::string& here = directory_.path();
    std::set<std::string> names;
    for (const auto& entry : fs::directory_iterator(here + "/spool/crash")) names.insert(entry.path().filename());
    for (const std::string& name : names) BOOST_TEST(false, "left in the spool: " << name);
    int rejected = 0;
    int reasons = 0;
    for (const auto& entry : fs::directory_iterator(here + "/spool/crash.rejected")) {
        if (entry.path().filename().string().starts_with(".")) continue;  // a reason that was being written
        entry.path().extension() == ".reason" ? ++reasons : ++rejected;
    }
    BOOST_TEST(rejected == bad_files_);
    BOOST_TEST(reasons <= bad_files_);
    BOOST_TEST(reasons >= bad_files_);
    BOOST_TEST((lines("run/crash/due") == std::vector<std::string>{"none"}));
}

std::vector<std::string> CrashBench::rows(const std::string& sql) {
    std::vector<std::string> all;
    std::istringstream text(database_.value("SELECT string_agg(line::text, E'\\n') FROM (" + sql + ") t (line)"));
    for (std::string line; std::getline(text, line);) all.push_back(line);
    return all;
}

std::vector<std::string> CrashBench::lines(const std::string& name) const {
    std::vector<std::string> all;
    std::ifstream file(directory_.path() + "/" + name);
    for (std::string line; std::getline(file, line);) all.push_back(line);
    return all;
}

}  // namespace dormouse::testing
