// dormouse reap, as a program, with real workers in the foreground: what is proven to be gone is released, everything
// else is left.
#include <signal.h>

#include <boost/test/unit_test.hpp>
#include <fstream>
#include <nlohmann/json.hpp>

#include "base/process.h"
#include "cli/end_process.h"
#include "support/events.h"
#include "support/foreground_worker.h"

namespace cli_reap {

using namespace dormouse;
using namespace dormouse::testing;
using nlohmann::json;

namespace {

bool has(const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
}

struct Fixture {
    TestDatabase database;
    TemporaryDirectory directory;

    Ended reap(std::vector<std::string> arguments) {
        arguments.insert(arguments.begin(), "reap");
        return run(cli_program(std::move(arguments),
                               {{"DATABASE_URL", database.url()}, {"DORMOUSE_CONFIG_DIR", directory.path()}}));
    }
    /// What is said of the worker of the pool "front": other workers of this machine are none of this test's business.
    json front(const std::vector<std::string>& arguments = {"--json"}) {
        const Ended ended = reap(arguments);
        BOOST_TEST(ended.exit_code == 0, ended.err);
        const json document = json::parse(ended.out);
        for (const json& worker : document.at("workers"))
            if (worker.at("pool") == "front") return worker;
        return nullptr;
    }
    std::string state() { return database.value("SELECT state FROM dormouse.workers"); }
    std::string status(const std::string& id) {
        return database.value("SELECT status FROM dormouse.runs WHERE id = $1", {id});
    }
    void set(const std::string& what) { database.exec("UPDATE dormouse.worker_registry SET " + what); }
};

const std::vector<std::string> force{"--force", "--json"};

}  // namespace

}  // namespace cli_reap

BOOST_FIXTURE_TEST_SUITE(cli_reap, Fixture, *boost::unit_test::precondition(has_postgres))

BOOST_AUTO_TEST_CASE(the_run_of_a_worker_that_was_killed_is_released) {
    ForegroundWorker worker(database);
    const std::string id = worker.hold();
    worker.kill();
    const json found = front();
    BOOST_TEST(found.at("kind") == "stale");
    BOOST_TEST(found.at("runs") == 1);
    BOOST_TEST(has(found.at("reason"), "there is no process " + std::to_string(worker.pid())));
    BOOST_TEST(has(reap({}).out, "nothing was changed; `dormouse reap --force`"));
    BOOST_TEST(status(id) == "running");
    BOOST_TEST(state() == "awake");
    const json reaped = front(force);
    BOOST_TEST(reaped.at("released") == 1);
    BOOST_TEST(reaped.at("ended") == false);
    BOOST_TEST(database.value("SELECT concat_ws(' ', status, attempts, lost, error ->> 'class') FROM dormouse.runs") ==
               "retry 1 1 lost");
    BOOST_TEST(database.value("SELECT outcome FROM dormouse.attempts") == "lost");
    BOOST_TEST(state() == "left");
    BOOST_TEST(front(force).is_null());
}

BOOST_AUTO_TEST_CASE(a_live_worker_is_left_whether_it_holds_a_run_or_not) {
    ForegroundWorker worker(database);
    BOOST_TEST(front(force).at("kind") == "active");
    const std::string id = worker.hold();
    set("started_at = now() - interval '40 days'");  // age is no reason
    const json found = front(force);
    BOOST_TEST(found.at("kind") == "active");
    BOOST_TEST(found.at("reason") == "in the foreground, holds 1 run");
    BOOST_TEST(process_lives(worker.pid()));
    worker.tasks().release();
    BOOST_TEST(eventually([&] { return status(id) == "completed"; }));
    BOOST_TEST(state() == "awake");
}

BOOST_AUTO_TEST_CASE(a_pid_that_another_process_has_by_now_is_not_touched) {
    ForegroundWorker worker(database);
    set("pid_start = pid_start - 1");
    const json found = front(force);
    BOOST_TEST(found.at("kind") == "stale");
    BOOST_TEST(has(found.at("reason"), "is another one by now"));
    BOOST_TEST(found.at("ended") == false);
    BOOST_TEST(process_lives(worker.pid()));
    BOOST_TEST(state() == "left");
}

BOOST_AUTO_TEST_CASE(rows_of_other_hosts_are_not_even_shown) {
    ForegroundWorker worker(database);
    const std::string id = worker.hold();
    set("host = 'another-host', boot_id = gen_random_uuid(), pid = 999999999");
    BOOST_TEST(front(force).is_null());
    BOOST_TEST(status(id) == "running");
    BOOST_TEST(state() == "awake");
}

BOOST_AUTO_TEST_CASE(a_host_whose_name_has_changed_knows_its_workers_by_its_boot) {
    ForegroundWorker worker(database);
    const std::string id = worker.hold();
    set("host = 'as-it-was-called'");
    BOOST_TEST(front(force).at("reason") == "in the foreground, holds 1 run");
    BOOST_TEST(process_lives(worker.pid()));
    worker.kill();
    const json found = front(force);
    BOOST_TEST(found.at("kind") == "stale");
    BOOST_TEST(found.at("released") == 1);
    BOOST_TEST(status(id) == "retry");
    BOOST_TEST(state() == "left");
}

// Host name, boot and pid may all be the same in two containers, and are in copies of one.
BOOST_AUTO_TEST_CASE(from_inside_a_container_nothing_is_known_of_processes_outside) {
    const std::vector<std::string> contained{"/usr/bin/unshare", "--pid", "--fork", "--mount-proc"};
    std::vector<std::string> probe = contained;
    probe.emplace_back("/bin/true");
    if (run({probe, {}, {}, {}}).exit_code != 0) {
        BOOST_TEST_MESSAGE("SKIPPED: no PID namespace can be made here (needs root)");
        return;
    }
    const auto seen_inside = [&](std::vector<std::string> arguments) {
        Program program = cli_program(std::move(arguments), {{"DATABASE_URL", database.url()}});
        program.argv.insert(program.argv.begin(), contained.begin(), contained.end());
        const Ended ended = run(program);
        BOOST_TEST(ended.exit_code == 0, ended.err);
        return json::parse(ended.out);
    };
    ForegroundWorker worker(database);
    const std::string id = worker.hold();
    json found = seen_inside({"reap", "--force", "--json"}).at("workers").at(0);
    BOOST_TEST(found.at("kind") == "active");
    BOOST_TEST(has(found.at("reason"), "another container"));
    BOOST_TEST(status(id) == "running");
    BOOST_TEST(state() == "awake");
    BOOST_TEST(seen_inside({"workers", "--json"}).at("condition") == "live");
    set("host = 'container-of-another-name'");
    BOOST_TEST(seen_inside({"reap", "--force", "--json"}).at("workers").empty());
    BOOST_TEST(seen_inside({"workers", "--json"}).at("process") == "elsewhere");
    set("host = '" + this_host() + "'");
    ::kill(worker.pid(), SIGSTOP);  // else it may extend its lease before anybody looks
    database.exec("UPDATE dormouse.runs SET lease_until = now() - interval '1 second'");
    found = seen_inside({"reap", "--force", "--json"}).at("workers").at(0);
    BOOST_TEST(found.at("kind") == "stale");
    BOOST_TEST(found.at("released") == 1);
    BOOST_TEST(process_lives(worker.pid()));
    ::kill(worker.pid(), SIGCONT);
}

// Whoever may write to the registry must not be able to have any process ended.
BOOST_AUTO_TEST_CASE(a_forged_row_ends_no_process_that_is_no_worker) {
    const std::string file = directory.path() + "/pid";
    run({{"/usr/bin/setsid", "--fork", "/bin/sh", "-c",
          "sleep 1000 </dev/null >/dev/null 2>&1 & echo $! >" + file + ".new; mv " + file + ".new " + file},
         {},
         {},
         {}});
    int pid = 0;
    BOOST_TEST_REQUIRE(eventually([&] { return static_cast<bool>(std::ifstream(file) >> pid); }));
    const auto forge = [&](std::int64_t number, std::int64_t start) {
        database.exec("DELETE FROM dormouse.worker_registry");
        database.value(
            "INSERT INTO dormouse.worker_registry (id, pool, queues, host, pid, pid_start, boot_id, version, state, "
            "left_at)"
            " VALUES (gen_random_uuid(), 'front', '{q}', $1, $2, $3, $4, '0.1.0', 'left', now())",
            {this_host(), std::to_string(number), std::to_string(start), this_boot()});
    };
    forge(pid, start_of(pid));
    const json found = front(force);
    BOOST_TEST(found.at("kind") == "active");
    BOOST_TEST(has(found.at("reason"), "is not a `dormouse worker`"));
    BOOST_TEST(process_lives(pid));
    for (const std::int64_t number : {std::int64_t{1}, std::int64_t{0}, std::int64_t{-1}, std::int64_t{2147483647}}) {
        forge(number, number == 1 ? start_of(1) : -1);
        const json nobody = front(force);
        BOOST_TEST((nobody.is_null() || nobody.at("kind") != "stale"), number);
    }
    ::kill(pid, SIGKILL);
}

BOOST_AUTO_TEST_CASE(after_another_boot_a_lease_that_stands_is_respected) {
    ForegroundWorker worker(database);
    const std::string id = worker.hold();
    // this machine before it was started anew, or another of its name
    set("boot_id = gen_random_uuid(), pid_start = pid_start - 1");
    BOOST_TEST(front(force).at("kind") == "active");
    BOOST_TEST(status(id) == "running");
    database.exec("UPDATE dormouse.runs SET lease_until = now() - interval '1 second'");
    const json found = front(force);
    BOOST_TEST(found.at("kind") == "stale");
    BOOST_TEST(found.at("released") == 1);
    BOOST_TEST(process_lives(worker.pid()));
}

// As inside systemd-nspawn, where the sandbox of a unit shows the boot id of the host.
BOOST_AUTO_TEST_CASE(a_worker_that_sees_another_boot_id_than_the_operator_is_known_all_the_same) {
    ForegroundWorker worker(database);
    set("boot_id = gen_random_uuid()");
    BOOST_TEST(front(force).at("kind") == "active");
    BOOST_TEST(state() == "awake");
    set("boot_id = gen_random_uuid(), state = 'left', pid_namespace = 4026530000");  // whoever that is, it is not this
                                                                                     // one
    BOOST_TEST(front(force).is_null());
    BOOST_TEST(process_lives(worker.pid()));
}

BOOST_AUTO_TEST_CASE(a_worker_of_a_unit_is_production_as_long_as_its_process_is_there) {
    ForegroundWorker worker(database);
    set("unit = 'dormouse@front.service', state = 'left'");
    const json found = front(force);
    BOOST_TEST(found.at("kind") == "production");
    BOOST_TEST(process_lives(worker.pid()));
    worker.kill();
    set("state = 'awake'");
    BOOST_TEST(front().at("kind") == "stale");
}

BOOST_AUTO_TEST_CASE(a_stopped_worker_is_ended_once_the_lease_of_its_run_has_ended_long_ago) {
    ForegroundWorker worker(database);
    const std::string id = worker.hold("stubborn");
    ::kill(worker.pid(), SIGSTOP);
    BOOST_TEST(front(force).at("kind") == "active");  // somebody may say fg
    database.exec(
        "UPDATE dormouse.runs SET started_at = now() - interval '11 minutes', lease_until = now() - interval '6 "
        "minutes'");
    const json found = front(force);
    BOOST_TEST(found.at("kind") == "stale");
    BOOST_TEST(has(found.at("reason"), "is stopped"));
    BOOST_TEST(found.at("ended") == true);
    BOOST_TEST(!process_lives(worker.pid()));
    BOOST_TEST(until_ended(worker.tasks().processes().at(0)));
    BOOST_TEST(status(id) != "running");
    BOOST_TEST(state() == "left");
}

BOOST_AUTO_TEST_CASE(a_worker_that_has_left_is_ended_only_if_whoever_started_it_is_gone) {
    {
        ForegroundWorker worker(database);
        set("state = 'left', left_at = now() - interval '1 day'");
        BOOST_TEST(front(force).at("kind") == "active");
        BOOST_TEST(process_lives(worker.pid()));
        worker.kill();
    }
    database.exec("DELETE FROM dormouse.worker_registry");
    ForegroundWorker orphan(database, true);
    BOOST_TEST(front(force).at("kind") == "active");  // it may be wanted like this
    set("state = 'left', left_at = now()");
    const json found = front(force);
    BOOST_TEST(found.at("kind") == "stale");
    BOOST_TEST(found.at("ended") == true);
    BOOST_TEST(!process_lives(orphan.pid()));
}

BOOST_AUTO_TEST_CASE(a_worker_that_this_database_does_not_know_is_left) {
    TestDatabase other;
    ForegroundWorker worker(other);
    const Ended ended = reap(force);
    BOOST_TEST(ended.exit_code == 0);
    bool listed = false;
    const json document = json::parse(ended.out);
    for (const json& found : document.at("workers"))
        if (found.at("pid") == worker.pid()) {
            listed = true;
            BOOST_TEST(found.at("kind") == "active");
            BOOST_TEST(has(found.at("reason"), "not registered in this database"));
        }
    BOOST_TEST(listed);
    BOOST_TEST(process_lives(worker.pid()));
}

// Whoever may write the table could name any process, and reap may be root.
BOOST_AUTO_TEST_CASE(a_process_that_is_no_worker_is_not_ended_whatever_its_row_says) {
    ForegroundWorker worker(database);
    Process stranger({{"/bin/sleep", "1000"}, {}, {}, {}});
    ::kill(stranger.pid(), SIGSTOP);
    const std::string id = worker.hold();
    set("pid = " + std::to_string(stranger.pid()) + ", pid_start = " + std::to_string(start_of(stranger.pid())));
    database.exec(
        "UPDATE dormouse.runs SET started_at = now() - interval '11 minutes', lease_until = now() - interval '6 "
        "minutes'");
    const json found = front(force);
    BOOST_TEST(found.at("kind") == "active");
    BOOST_TEST(has(found.at("reason"), "is not a `dormouse worker`"));
    BOOST_TEST(process_lives(stranger.pid()));
}

BOOST_AUTO_TEST_CASE(a_run_that_somebody_has_locked_is_told_and_keeps_the_row) {
    ForegroundWorker worker(database);
    worker.hold();
    worker.kill();
    auto somebody = database.connect();
    BOOST_REQUIRE(somebody.script("", "BEGIN; SELECT FROM dormouse.runs FOR UPDATE").has_value());
    const Ended ended = reap({"--force"});
    BOOST_TEST(ended.exit_code == 6);
    BOOST_TEST(has(ended.err, "1 of its runs are locked"), ended.err);
    BOOST_TEST(state() == "awake");
}

// A session at work ends some seconds after its client (client_connection_check_interval).
BOOST_AUTO_TEST_CASE(a_session_that_is_still_there_is_waited_for) {
    ForegroundWorker worker(database);
    const std::string id = worker.hold();
    auto lingers = std::make_optional(database.connect());
    set("session_pid = " + std::to_string(PQbackendPID(lingers->get())) +
        ", session_started_at = NULL, session_login = 'postgres'::regrole");
    worker.kill();
    Process reaps(cli_program({"reap", "--force"},
                              {{"DATABASE_URL", database.url()}, {"DORMOUSE_CONFIG_DIR", directory.path()}}));
    BOOST_TEST(eventually([&] {
        return database.value(
                   "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%release_worker(%' AND pid <> "
                   "pg_backend_pid()") == "1";
    }));
    BOOST_TEST(status(id) == "running");
    lingers.reset();
    const Ended ended = reaps.wait();
    BOOST_TEST(ended.exit_code == 0, ended.err);
    BOOST_TEST(has(ended.out, "1 run released, marked as left"), ended.out);
    BOOST_TEST(status(id) == "retry");
}

BOOST_AUTO_TEST_CASE(a_process_is_ended_only_if_it_started_when_it_should_have) {
    Process sleeper({{"/bin/sleep", "1000"}, {}, {}, {}});
    const std::int64_t start = start_of(sleeper.pid());
    BOOST_TEST(start > 0);
    BOOST_TEST(cli::end_process(sleeper.pid(), start + 1, Millis{10'000}).value() == false);
    BOOST_TEST(process_lives(sleeper.pid()));
    BOOST_TEST(cli::end_process(sleeper.pid(), start, Millis{10'000}).value() == true);
    BOOST_TEST(sleeper.wait().signal == SIGTERM);
    BOOST_TEST(cli::end_process(999'999'999, 1, Millis{10}).value() == false);
}

BOOST_AUTO_TEST_SUITE_END()
