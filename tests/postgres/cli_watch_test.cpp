// dormouse watch beside a real worker, from what the handler says to the screen; the test says when the handler goes
// on. What watch makes of each word is in cli_follow.
#include <boost/test/unit_test.hpp>
#include <fstream>

#include "support/foreground_worker.h"
#include "support/logged_worker.h"

BOOST_AUTO_TEST_SUITE(cli_watch, *boost::unit_test::precondition(dormouse::testing::has_postgres))

using namespace dormouse;
using namespace dormouse::testing;

BOOST_AUTO_TEST_CASE(watch_tells_what_a_handler_says_and_sends_nothing_while_it_says_nothing) {
    TestDatabase database;
    const TemporaryDirectory directory;
    const std::string& here = directory.path();
    const auto until = [&](const std::string& file) {
        return "until [ -e " + here + "/" + file + " ]; do sleep 0.02; done\n";
    };
    const std::string script = R"(say() { printf '%s\n' "$1" >&$DORMOUSE_CONTROL_FD; }
say '{"type":"progress","fraction":0.25,"text":"a quarter"}'
echo begun >&2
)" + until("on") + R"(say '{"type":"progress","fraction":0.5,"text":"half"}'
)" + until("end") + "echo 42\n";
    const LoggedWorker worker(database.url(), {.rest = "[task.steps]\ncommand = [\"/bin/sh\", \"-c\", '''" + script +
                                                       "''']\n[task.other]\ncommand = [\"/bin/sleep\", \"1\"]\n"});
    const std::string id = database.value("SELECT dormouse.enqueue('steps')");
    Process process(cli_program({"watch", id}, {{"DATABASE_URL", database.url()}}));
    BOOST_TEST(process.saw(" running, attempt 1\n"));
    BOOST_TEST(process.saw(" progress 25 % a quarter\n"));
    BOOST_TEST(process.saw(" begun\n"));
    const auto asked = [&] {
        return database.value(
            "SELECT string_agg(state || ' since ' || state_change || ': ' || query, '; ') FROM pg_stat_activity WHERE "
            "datname = current_database() AND application_name = 'dormouse watch'");
    };
    // While its run says nothing another one, which somebody watches too, is executed and told of: for a second.
    const auto silent_beside_another = [&] {
        const std::string before = asked();
        const std::string other = database.value("SELECT dormouse.enqueue('other', watched => true)");
        BOOST_TEST_REQUIRE(eventually(
            [&] { return database.value("SELECT status FROM dormouse.runs WHERE id = $1", {other}) == "completed"; }));
        return before.starts_with("idle since ") && asked() == before;
    };
    // The first second may have its last look in it.
    BOOST_TEST((silent_beside_another() || silent_beside_another()), asked());
    std::ofstream(here + "/on") << "";
    BOOST_TEST(process.saw(" progress 50 % half\n"));
    std::ofstream(here + "/end") << "";
    const Ended ended = process.wait();
    BOOST_TEST(ended.exit_code == 0);
    BOOST_TEST(ended.out.ends_with(" completed\n42\n"), ended.out);
}

BOOST_AUTO_TEST_SUITE_END()
