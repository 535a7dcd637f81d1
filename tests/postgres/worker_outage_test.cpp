// A database that goes away while results are in hand: made read-only, its password changed, the network cut or
// half-open, restarted, locked. Nothing is lost or done twice, an outage is said once and its end once, and tries thin
// out.
#include <sys/stat.h>

#include <boost/test/unit_test.hpp>
#include <csignal>
#include <fstream>

#include "support/foreground_worker.h"
#include "support/logged_worker.h"
#include "support/paths.h"
#include "support/proxy_tcp.h"

namespace worker_outage {

using namespace dormouse;
using namespace dormouse::testing;

namespace {

constexpr int runs = 4;
constexpr Millis first_pause{500};
constexpr Millis busy_machine{2'000};  ///< on top of what is a promise

/// Not the one that the other tests of this process share: its settings change, and it is stopped.
Cluster& own_cluster() {
    static Cluster cluster({.tcp = true, .fsync = false, .settings = {}});
    return cluster;
}

Millis now() {
    return std::chrono::duration_cast<Millis>(std::chrono::system_clock::now().time_since_epoch());
}

struct Scene {
    Cluster& cluster = own_cluster();
    TestDatabase database{TestDatabase::Schema::migrated, cluster};
    ProxyTcp proxy{cluster.socket_directory(), cluster.port()};
    std::optional<LoggedWorker> worker;

    /// In a session of its own, so that it does not matter what became of others.
    std::string ask(const std::string& sql) const {
        const auto reply = database.connect().ask("test", sql);
        if (!reply) throw std::runtime_error(reply.error().message);
        return reply->rows() == 0 ? std::string() : std::string(reply->text(0, 0));
    }
    void start(const std::string& url, const PoolBenchOptions& options = {},
               std::map<std::string, std::string> environment = {}) {
        worker.emplace(url, options, std::move(environment));
        ask("SELECT count(dormouse.enqueue('hold')) FROM generate_series(1, " + std::to_string(runs) + ")");
        BOOST_TEST_REQUIRE(eventually([&] { return worker->tasks().processes().size() == runs; }));
    }
    /// The handlers end; nobody can have their results yet.
    void end_handlers() const {
        for (int i = 0; i < runs; ++i) worker->tasks().release();
        for (const int process : worker->tasks().processes())
            BOOST_TEST_REQUIRE(eventually([&] { return !process_lives(process); }));
    }
    bool tried(std::size_t times) const {
        return eventually([&] { return worker->all("database_lost").size() >= times; });
    }
    /// What holds after each outage.
    void all_is_accounted_for(std::size_t reasons = 1) const {
        BOOST_TEST(worker->until_said("database_back"));
        BOOST_TEST(eventually([&] {
            return ask("SELECT count(*) FROM dormouse.runs WHERE status = 'completed' AND attempts = 1") ==
                   std::to_string(runs);
        }));
        BOOST_TEST(ask("SELECT string_agg(DISTINCT outcome, ' ') || count(*) FROM dormouse.attempts WHERE outcome <> "
                       "'handed_back'") == "completed" + std::to_string(runs));
        BOOST_TEST(worker->tasks().started().size() == static_cast<std::size_t>(runs));
        ask("SELECT dormouse.enqueue('echo')");
        BOOST_TEST(
            eventually([&] { return ask("SELECT status FROM dormouse.runs WHERE task = 'echo'") == "completed"; }));
        BOOST_TEST(worker->said("database_lost").size() == reasons, worker->log());
        BOOST_TEST(worker->said("database_back").size() == 1U, worker->log());
        BOOST_TEST(worker->said("result_refused").empty());
        BOOST_TEST(worker->said("lease_lost").empty());
        BOOST_TEST_MESSAGE("back after " << (worker->said("database_back").front().at - healed_at).count() << " ms");
    }
    void healed() { healed_at = now(); }
    /// Each pause before a try is between half and all of 500 ms, doubled each time up to `longest`.
    void tries_thin_out(Millis longest) const {
        const auto tries = worker->all("database_lost");
        Millis most = first_pause;
        std::string said;
        for (std::size_t i = 0; i + 1 < tries.size(); ++i, most = std::min(longest, most * 2)) {
            const Millis pause = tries[i + 1].at - tries[i].at;
            said += " " + std::to_string(pause.count());
            BOOST_TEST(pause >= most / 2 - Millis{5});
            BOOST_TEST(pause <= most + busy_machine);
        }
        const Millis last = worker->said("database_back").front().at - tries.back().at;
        BOOST_TEST(last <= most + busy_machine);
        BOOST_TEST_MESSAGE("pauses in ms:" << said << ", the last before it was back: " << last.count());
    }

    Millis healed_at{0};
};

}  // namespace

}  // namespace worker_outage

BOOST_FIXTURE_TEST_SUITE(worker_outage, Scene, *boost::unit_test::precondition(has_postgres))

BOOST_AUTO_TEST_CASE(a_database_that_is_made_read_only_gets_the_results_when_it_may_be_written_again) {
    const auto read_only = [&](const std::string& value) {
        ask("ALTER SYSTEM SET default_transaction_read_only = " + value);
        ask("SELECT pg_reload_conf()");
        BOOST_TEST_REQUIRE(eventually([&] { return ask("SHOW default_transaction_read_only") == value; }));
    };
    start(database.url(), {.database = "retry_max = \"1s\""});
    read_only("on");
    end_handlers();
    const bool was_told = worker->until_said("database_lost") && tried(4);
    healed();
    read_only("off");
    BOOST_TEST_REQUIRE(was_told, worker->log());
    all_is_accounted_for();
    tries_thin_out(Millis{1'000});
    BOOST_TEST(worker->said("listening").size() > 1U);  // a setting of role or database comes with a new session only
    BOOST_TEST(worker->said("database_lost").front().text.find("read-only") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_password_that_is_changed_while_awake_is_read_anew_at_each_try) {
    const TemporaryDirectory credentials;
    const std::string file = credentials.path() + "/pgpass";
    const auto write = [&](const std::string& secret) {
        std::ofstream(file + ".new") << "*:*:*:" << password_user << ":" << secret << "\n";
        ::chmod((file + ".new").c_str(), 0600);
        ::rename((file + ".new").c_str(), file.c_str());
    };
    write(password);
    start("postgresql://" + std::string(password_user) + "@127.0.0.1:" + std::to_string(cluster.port()) + "/" +
              database.name(),
          {.database = "retry_max = \"1s\""}, {{"CREDENTIALS_DIRECTORY", credentials.path()}});
    ask("ALTER ROLE with_password PASSWORD 'quite-another'");
    ask("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'with_password'");
    end_handlers();
    const bool was_told = tried(4);
    healed();
    write("quite-another");
    BOOST_TEST(worker->until_said("database_back"));
    ask(std::string("ALTER ROLE with_password PASSWORD '") + password + "'");
    BOOST_TEST_REQUIRE(was_told, worker->log());
    all_is_accounted_for(2);  // the session that has ended, and why there is no other
    tries_thin_out(Millis{1'000});
    BOOST_TEST(worker->log().find("password authentication failed") != std::string::npos);
    BOOST_TEST(worker->log().find("quite-another") == std::string::npos);
    int late = 0;
    for (const LoggedEvent& event : worker->all("database_lost")) late += event.at > healed_at ? 1 : 0;
    BOOST_TEST(late <= 1);  // one may have been on its way
}

BOOST_AUTO_TEST_CASE(a_network_that_is_cut_gets_the_results_when_it_is_mended) {
    start(proxy.url(database.name()), {.database = "retry_max = \"2s\""});
    proxy.refuse();
    end_handlers();
    const bool was_told = tried(6);
    healed();
    proxy.pass();
    BOOST_TEST_REQUIRE(was_told, worker->log());
    all_is_accounted_for();
    tries_thin_out(Millis{2'000});
}

// Nothing has a lease, so nobody is in haste; whoever brings the server back waits for it all the same.
BOOST_AUTO_TEST_CASE(an_idle_worker_tries_every_five_seconds_at_most_in_the_first_minutes) {
    worker.emplace(proxy.url(database.name()));
    BOOST_TEST_REQUIRE(worker->until_said("listening"));
    proxy.refuse();
    ask("SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name LIKE 'dormouse worker%'");
    bool was_told = tried(6);
    was_told = was_told && tried(8);  // each looks for 20 s
    healed();
    proxy.pass();
    BOOST_TEST_REQUIRE(was_told, worker->log());
    BOOST_TEST_REQUIRE(worker->until_said("database_back"));
    tries_thin_out(Millis{5'000});
}

BOOST_AUTO_TEST_CASE(a_session_that_takes_bytes_and_answers_nothing_is_given_up_after_a_third_of_the_lease) {
    start(proxy.url(database.name()),
          {.worker = "lease = \"9s\"", .database = "retry_max = \"1s\"\nconnect_timeout = \"1s\""});
    BOOST_TEST_REQUIRE(worker->until_said("run_dispatched", runs));
    const Millis began = now();
    proxy.swallow();
    end_handlers();
    BOOST_TEST_REQUIRE(worker->until_said("database_lost"), worker->log());
    const Millis found = worker->said("database_lost").front().at - began;
    BOOST_TEST_MESSAGE("half-open found after " << found.count() << " ms (aim: 3000)");
    BOOST_TEST(found >= Millis{1'500});  // what was on the wire already counts from when it was sent
    BOOST_TEST(found <= Millis{3'000} + busy_machine);
    BOOST_TEST(worker->said("database_lost").front().text.find("has not answered for 3000 ms") != std::string::npos);
    healed();
    proxy.pass();
    all_is_accounted_for();
}

BOOST_AUTO_TEST_CASE(a_network_that_is_half_open_for_longer_makes_each_try_end_by_connect_timeout) {
    start(proxy.url(database.name()),
          {.worker = "lease = \"30s\"", .database = "retry_max = \"1s\"\nconnect_timeout = \"1s\""});
    proxy.cut();
    proxy.swallow();
    end_handlers();
    const bool was_told = tried(4);
    healed();
    proxy.pass();
    BOOST_TEST_REQUIRE(was_told, worker->log());
    all_is_accounted_for();
    BOOST_TEST(worker->log().find("database.connect_timeout") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_database_that_is_restarted_gets_the_results) {
    start(database.url(), {.database = "retry_max = \"1s\""});
    cluster.stop();
    end_handlers();
    const bool was_told = tried(3);
    healed();
    cluster.start();
    BOOST_TEST_REQUIRE(was_told, worker->log());
    all_is_accounted_for();
    tries_thin_out(Millis{1'000});
}

// Somebody's ALTER TABLE holds everything up. What the worker has given up on does not pile up in the server.
BOOST_AUTO_TEST_CASE(a_table_that_is_locked_for_long_is_an_outage_and_leaves_no_waiting_backends) {
    auto person = database.connect();
    BOOST_TEST_REQUIRE(person.script("lock", "BEGIN; LOCK TABLE dormouse.runs IN ACCESS EXCLUSIVE MODE").has_value());
    worker.emplace(database.url(), PoolBenchOptions{.worker = "lease = \"3s\"",
                                                    .database = "retry_max = \"500ms\"\nconnect_timeout = \"1s\""});
    const std::string waiting =
        "SELECT pid FROM pg_stat_activity WHERE application_name LIKE 'dormouse worker%' AND wait_event_type = 'Lock'"
        " ORDER BY backend_start LIMIT 1";
    BOOST_TEST_REQUIRE(eventually([&] { return !ask(waiting).empty(); }));
    BOOST_TEST_REQUIRE(worker->until_said("database_lost"));
    BOOST_TEST(ask("SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'dormouse worker%' AND datname = "
                   "current_database()") == "1");
    BOOST_TEST(person.script("unlock", "COMMIT").has_value());
    BOOST_TEST(worker->until_said("database_back"));
    for (const char* const once : {"database_lost", "database_back"}) BOOST_TEST(worker->said(once).size() == 1U);
}

// The clock says that the answer is late, and it is there: whoever stood still reads before he judges.
BOOST_AUTO_TEST_CASE(a_worker_that_stood_still_for_longer_than_an_answer_may_take_has_lost_nothing) {
    worker.emplace(proxy.url(database.name()),
                   PoolBenchOptions{.worker = "lease = \"12s\"", .database = "connect_timeout = \"1s\""});
    ask("SELECT dormouse.enqueue('hold')");
    BOOST_TEST_REQUIRE(eventually([&] { return worker->tasks().processes().size() == 1; }));
    BOOST_TEST_REQUIRE(eventually([&] {
        const auto states = worker->all("state");
        return !states.empty() && states.back().text.find("-> running") != std::string::npos;
    }));
    proxy.hold_answers();  // from now on an extension, after a third of the lease, gets no answer
    BOOST_TEST_REQUIRE(eventually([&] { return proxy.held() > 0; }));
    worker->process().signal(SIGSTOP);
    const Millis still = now();
    proxy.let_go();
    BOOST_TEST_REQUIRE(eventually([&] { return proxy.held() == 0 && now() > still + Millis{4'200}; }));
    worker->process().signal(SIGCONT);
    worker->tasks().release();
    BOOST_TEST(worker->until_said("run_completed"));
    BOOST_TEST(worker->said("database_lost").empty(), worker->log());
}

BOOST_AUTO_TEST_CASE(a_worker_that_leaves_while_its_database_is_away_writes_its_results_when_that_is_back_in_time) {
    start(proxy.url(database.name()), {.worker = "shutdown_grace = \"1h\"", .database = "retry_max = \"1s\""});
    proxy.refuse();
    worker->process().signal(SIGTERM);
    BOOST_TEST_REQUIRE(worker->until_said("worker_pool_shutting_down"));
    end_handlers();
    const bool was_told = tried(3);
    proxy.pass();
    BOOST_TEST_REQUIRE(was_told, worker->log());
    BOOST_TEST(worker->process().wait().exit_code == 0);
    BOOST_TEST(ask("SELECT count(*) FROM dormouse.runs WHERE status = 'completed' AND attempts = 1") ==
               std::to_string(runs));
    BOOST_TEST(worker->tasks().started().size() == static_cast<std::size_t>(runs));
    BOOST_TEST(worker->said("result_refused").empty());
    BOOST_TEST_REQUIRE(worker->said("worker_pool_stopped").size() == 1U);
    BOOST_TEST(worker->said("worker_pool_stopped").front().text.find("graceful=true") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_worker_that_leaves_while_nothing_is_answered_is_gone_all_the_same) {
    PoolBench bench(proxy.url(database.name()),
                    {.worker = "lease = \"3s\"\nlook_exit = \"500ms\"\nidle_exit = \"500ms\"",
                     .database = "connect_timeout = \"1s\"",
                     .leaves_when_idle = true});
    BOOST_TEST_REQUIRE(bench.until_idle());
    proxy.swallow();
    BOOST_TEST_REQUIRE(bench.until_gone());
    BOOST_TEST(bench.farewell()->graceful);
    BOOST_TEST(!bench.farewell()->due_known);
}

BOOST_AUTO_TEST_SUITE_END()
