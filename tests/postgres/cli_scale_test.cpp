// dormouse scale, as a program, and what status, workers and history say of it.
#include <boost/test/unit_test.hpp>
#include <nlohmann/json.hpp>

#include "support/foreground_worker.h"

namespace cli_scale {

using namespace dormouse::testing;
using nlohmann::json;

namespace {

bool has(const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
}

struct Fixture {
    TestDatabase database;

    Ended call(std::vector<std::string> arguments, const std::string& login = "postgres") {
        return run(cli_program(std::move(arguments), {{"DATABASE_URL", database.url(login)}}));
    }
    std::string out(std::vector<std::string> arguments, const std::string& login = "postgres") {
        const Ended ended = call(std::move(arguments), login);
        BOOST_TEST((ended.exit_code == 0 || ended.exit_code == 13), ended.err);
        return ended.out;
    }
    void fails(std::vector<std::string> arguments, int code, const std::string& why,
               const std::string& login = "postgres") {
        arguments.insert(arguments.begin(), "scale");
        const Ended ended = call(arguments, login);
        BOOST_TEST_CONTEXT(arguments.back()) {
            BOOST_TEST(ended.exit_code == code, ended.out << ended.err);
            BOOST_TEST(has(ended.err, why), ended.err);
            BOOST_TEST(database.value("SELECT count(*) FROM dormouse.pool_scale") == "0");
            BOOST_TEST(database.value("SELECT count(*) FROM dormouse.operations") == "0");
        }
    }
    /// A worker of the pool, seen long ago.
    void know(const std::string& pool) {
        database.exec(
            "INSERT INTO dormouse.worker_registry (id, pool, queues, host, pid, pid_start, boot_id, version, "
            "concurrency, state, left_at, ended) VALUES (gen_random_uuid(), '" +
            pool + "', '{q}', 'h', 1, 1, gen_random_uuid(), '0', 3, 'left', now(), 'left')");
    }
};

}  // namespace

}  // namespace cli_scale

BOOST_FIXTURE_TEST_SUITE(cli_scale, Fixture, *boost::unit_test::precondition(has_postgres))

BOOST_AUTO_TEST_CASE(what_is_in_force_is_said_by_every_command_until_it_is_taken_back) {
    ForegroundWorker worker(database);
    const json before = json::parse(out({"scale", "front", "--json"}));
    BOOST_TEST(before.at("scaled").is_null());
    const int configured = before.at("workers").at(0).at("configured");
    const std::string number = std::to_string(configured);
    BOOST_TEST(has(out({"scale", "front"}), "front: as configured: " + number + " at once"));
    BOOST_TEST(!has(out({"status"}), "is scaled"));

    const std::string said = out({"scale", "front", "16", "--for", "1h", "--reason", "the import\x1b[2J of March"});
    BOOST_TEST(has(said, "front: 16 runs at once until "), said);
    BOOST_TEST(has(said, "said postgres now"), said);
    BOOST_TEST(has(said, "; " + number + " by the configuration; 1 worker was told"), said);
    BOOST_TEST(has(out({"scale", "front"}), "16 runs at once until "));
    BOOST_TEST(has(out({"workers"}), "0/16 (scaled, else " + number + ")"));
    const std::string status = out({"status"});
    BOOST_TEST(has(status, "pool front is scaled: 16 runs at once until "), status);
    BOOST_TEST(has(status, "; " + number + " by the configuration; dormouse scale front --reset undoes it"), status);
    BOOST_TEST(!has(status, "\x1b"), status);
    BOOST_TEST(!has(status, "attention"), status);
    const json pool = json::parse(out({"status", "--json"})).at("pools").at(0);
    BOOST_TEST(pool.at("scaled").at("concurrency") == 16);
    BOOST_TEST(pool.at("scaled").at("by") == "postgres");
    BOOST_TEST(pool.at("workers").at(0).at("concurrency") == 16);
    BOOST_TEST(pool.at("workers").at(0).at("configured") == configured);
    const json listed = json::parse(out({"workers", "--json"}));
    BOOST_TEST(listed.at("concurrency") == 16);
    BOOST_TEST(listed.at("configured") == configured);
    const std::string history = out({"history"});
    BOOST_TEST(has(history, "scale"), history);
    BOOST_TEST(has(history, "pool front"), history);
    BOOST_TEST(has(history, "concurrency 16"), history);

    const std::string back = out({"scale", "front", "--reset"});
    BOOST_TEST(has(back, "front: as configured: " + number + " at once; 1 worker was told"), back);
    BOOST_TEST(has(out({"scale", "front", "--reset"}), "nothing was in force"));
    BOOST_TEST(has(out({"workers"}), "0/" + number + " "));
    BOOST_TEST(!has(out({"status"}), "is scaled"));
    BOOST_TEST(database.value("SELECT string_agg(filter->>'concurrency' || '' , ' ') || count(*) FROM "
                              "dormouse.operations WHERE operation = 'scale' AND who = 'postgres'") == "162");
}

BOOST_AUTO_TEST_CASE(a_number_that_is_what_the_configuration_says_is_no_line_in_status) {
    know("mail");
    out({"scale", "mail", "3", "--for", "10min"});
    BOOST_TEST(!has(out({"status"}), "is scaled"));
    out({"scale", "mail", "4", "--for", "10min"});
    BOOST_TEST(has(out({"status"}), "pool mail is scaled: 4 runs at once"));
}

BOOST_AUTO_TEST_CASE(a_pool_that_sleeps_is_not_woken_and_has_it_when_it_wakes) {
    know("mail");
    BOOST_TEST(
        has(out({"scale", "mail", "2", "--for", "7d"}), "0 workers were told: it applies to the next one that starts"));
    const json document = json::parse(out({"scale", "mail", "--json"}));
    BOOST_TEST(document.at("scaled").at("concurrency") == 2);
    BOOST_TEST(document.at("workers").empty());
}

BOOST_AUTO_TEST_CASE(what_makes_no_sense_is_refused_with_the_remedy) {
    know("mail");
    fails({"mail", "0", "--for", "1h"}, 2, "systemctl disable --now dormouse@mail.target");
    fails({"mail", "-3", "--for", "1h"}, 2, "");
    fails({"mail", "10001", "--for", "1h"}, 2, "expected 1 to 10,000");
    fails({"mail", "99999999999999", "--for", "1h"}, 2, "expected 1 to 10,000");
    fails({"mail", "4"}, 2, "--for is missing");
    fails({"mail", "4", "--for", "8d"}, 2, "expected 1s to 7d");
    fails({"mail", "4", "--for", "0"}, 2, "expected 1s to 7d");
    fails({"mail", "4", "--for", "an hour"}, 2, "--for: ");
    fails({"mail", "--for", "1h"}, 2, "--for needs a number");
    fails({"mail", "--reason", "because"}, 2, "--reason needs");
    fails({"mail", "4", "--for", "1h", "--reset"}, 2, "--reset");
    fails({"mali", "4", "--for", "1h"}, 4, "there is no file of a pool \"mali\"");
    fails({"../mail", "4", "--for", "1h"}, 2, "");
}

BOOST_AUTO_TEST_CASE(sql_is_refused_likewise) {
    for (const char* const arguments :
         {"'mail', 0, '1 hour'", "'mail', -1, '1 hour'", "'mail', 10001, '1 hour'", "'mail', 4, NULL",
          "'mail', 4, '8 days'", "'mail', 4, '-1 hour'", "'mail', 4, '0'", "NULL, 4, '1 hour'"}) {
        BOOST_TEST(database.value("SELECT refused FROM dormouse.scale(" + std::string(arguments) + ")") != "",
                   arguments);
        BOOST_TEST(database.value("SELECT count(*) FROM dormouse.pool_scale") == "0", arguments);
    }
}

BOOST_AUTO_TEST_CASE(operators_may_readers_look_and_producers_do_neither) {
    apply_roles(database);
    know("mail");
    database.exec(
        "DROP ROLE IF EXISTS scale_operator, scale_reader, scale_producer; "
        "CREATE ROLE scale_operator LOGIN IN ROLE dormouse_operator; CREATE ROLE scale_reader LOGIN IN ROLE "
        "dormouse_reader; CREATE ROLE scale_producer LOGIN IN ROLE dormouse_producer");
    fails({"mail", "4", "--for", "1h"}, 7, "permission denied", "scale_reader");
    fails({"mail", "4", "--for", "1h"}, 7, "permission denied", "scale_producer");
    fails({"mail", "--reset"}, 7, "permission denied", "scale_reader");
    fails({"mail"}, 7, "permission denied", "scale_producer");
    BOOST_TEST(has(out({"scale", "mail", "4", "--for", "1h"}, "scale_operator"), "said scale_operator"));
    BOOST_TEST(has(out({"scale", "mail"}, "scale_reader"), "said scale_operator"));
    BOOST_TEST(has(out({"history"}, "scale_reader"), "scale_operator"));
    database.exec("DROP ROLE scale_operator, scale_reader, scale_producer");
}

BOOST_AUTO_TEST_CASE(a_pool_that_is_forgotten_leaves_nothing_of_it) {
    know("mail");
    out({"scale", "mail", "2", "--for", "1h"});
    out({"forget", "mail"});
    BOOST_TEST(database.value("SELECT count(*) FROM dormouse.pool_scale") == "0");
}

BOOST_AUTO_TEST_SUITE_END()
