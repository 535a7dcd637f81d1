// Which versions of Postgres are taken, by whoever connects, and what differs between them. The server's version is
// changed on its way here: the server is whichever there is (./dev test --postgres BINDIR tries another one).
#include <boost/test/unit_test.hpp>
#include <fstream>

#include "postgres/engine.h"
#include "support/events.h"
#include "support/logged_worker.h"
#include "support/paths.h"
#include "support/proxy_tcp.h"

BOOST_AUTO_TEST_SUITE(versions, *boost::unit_test::precondition(dormouse::testing::has_postgres))

using namespace dormouse;
using namespace dormouse::testing;

namespace {

bool has(const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
}

/// A database whose server seems to be of another major version.
struct Elsewhere {
    TestDatabase database;
    ProxyTcp proxy{Cluster::shared().socket_directory(), Cluster::shared().port()};

    explicit Elsewhere(const std::string& major) {
        const std::string name = std::string("server_version") + '\0';
        proxy.say_instead(name + database.value("SELECT left(current_setting('server_version'), 2)"), name + major);
    }
    Ended cli(std::vector<std::string> arguments) {
        return run(cli_program(std::move(arguments), {{"DATABASE_URL", url()}}));
    }
    [[nodiscard]] std::string url() const { return proxy.url(database.name()); }
};

}  // namespace

BOOST_AUTO_TEST_CASE(a_server_that_is_too_old_is_refused_by_whoever_connects) {
    Elsewhere old("13");
    old.database.exec("SELECT dormouse.enqueue('echo')");
    for (const std::vector<std::string>& command :
         std::vector<std::vector<std::string>>{{"status"}, {"migrate"}, {"enqueue", "echo"}, {"runs"}, {"workers"}}) {
        const Ended ended = old.cli(command);
        BOOST_TEST(ended.exit_code == 8, command[0] << ": " << ended.err);
        BOOST_TEST(has(ended.err, "dormouse needs Postgres 14 or later"), ended.err);
    }
    LoggedWorker worker(old.url());
    BOOST_TEST(worker.until_said("database_lost"));
    BOOST_TEST(has(worker.said("database_lost").front().text, "Postgres 13."), worker.log());
    const Ended checked =
        run({{dormouse_binary, "worker", "logged", "--check", "--config", worker.file()}, {}, {}, {}});
    BOOST_TEST(checked.exit_code != 0);
    BOOST_TEST(has(checked.err, "dormouse needs Postgres 14 or later"), checked.err);
    BOOST_TEST(old.database.value("SELECT status FROM dormouse.runs") == "queued");
}

BOOST_AUTO_TEST_CASE(a_server_that_is_newer_than_we_know_is_worked_with_and_told_once) {
    Elsewhere newer("19");
    LoggedWorker worker(newer.url());
    worker.tasks().make_ghost();
    newer.database.exec("SELECT dormouse.enqueue('echo')");
    BOOST_TEST(worker.until_said("run_completed"));
    newer.proxy.cut();
    BOOST_TEST(worker.until_said("listening", 2));
    int told = 0;
    for (const LoggedEvent& event : worker.said("configuration"))
        told += has(event.text, "tested with 14 to 18") ? 1 : 0;
    BOOST_TEST(told == 1, worker.log());
    const Ended checked =
        run({{dormouse_binary, "worker", "logged", "--check", "--config", worker.file()}, {}, {}, {}});
    BOOST_TEST(checked.exit_code == 0);
    BOOST_TEST(has(checked.err, "the server is Postgres 19."), checked.err);
    BOOST_TEST(newer.cli({"runs"}).err == "");
}

BOOST_AUTO_TEST_CASE(versions_that_are_stated_are_taken_without_a_word) {
    for (const int number : {140'000, 150'018, 160'001, 170'010, 189'999}) {
        BOOST_TEST(postgres::require_version(number).has_value());
        BOOST_TEST(postgres::untested_version(number) == "");
    }
    BOOST_TEST(!postgres::require_version(130'023).has_value());
    BOOST_TEST(has(postgres::untested_version(190'000), "Postgres 19.0"));
}

// From 17 on.
BOOST_AUTO_TEST_CASE(an_interval_without_end_is_refused_in_plain_words) {
    TestDatabase database;
    if (std::stoi(database.value("SHOW server_version_num")) < 170'000) {
        BOOST_TEST_MESSAGE("skipped: an interval may be infinite from Postgres 17 on");
        return;
    }
    auto session = database.connect();
    const auto refused = [&](const std::string& call, const std::string& words) {
        const auto reply = session.ask("", "SELECT * FROM dormouse." + call);
        BOOST_TEST(!reply.has_value(), call);
        if (!reply) BOOST_TEST(has(reply.error().message, words), call << ": " << reply.error().message);
    };
    for (const std::string sign : {"", "-"}) {
        const std::string timeout = "timeout => '" + sign + "infinity'";
        const std::string words = "timeout is " + sign + "infinity, expected 0 to 10 years";
        refused("enqueue('t', " + timeout + ")", words);
        refused("enqueue_many('t', '{1}', " + timeout + ")", words);
        refused("enqueue_many('t', '{1}', keys => '{k}', " + timeout + ")", words);
        for (const char* const operation : {"retry_runs", "archive_runs", "cancel_runs"})
            refused(std::string(operation) + "(older_than => '" + sign + "infinity')",
                    "older_than is " + sign + "infinity");
        const std::string spooled = database.value(
            "SELECT outcome || ': ' || reason FROM dormouse.import_runs(ARRAY[gen_random_uuid()], "
            "ARRAY['{\"task\": \"t\", \"timeout\": \"" +
            sign + "infinity\"}'], 'default')");
        BOOST_TEST(spooled == "refused: dormouse.runs: " + words);
    }
    refused("enqueue('t', delay => '-infinity')", "run_at is -infinity");
    BOOST_TEST(database.value("SELECT count(*) FROM dormouse.runs") == "0");
    // parked, as with run_at
    database.exec(
        "SELECT dormouse.enqueue('t', delay => 'infinity'); SELECT dormouse.enqueue_many('t', '{1}', delay => "
        "'infinity')");
    BOOST_TEST(database.value("SELECT count(*) FROM dormouse.runs WHERE run_at = 'infinity'") == "2");
}

BOOST_AUTO_TEST_SUITE_END()
