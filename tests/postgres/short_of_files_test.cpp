// Too few open files, or processes: whoever cannot begin says which limit it is and ends with a code of its own;
// whoever is at work says it once, and goes on.
#include <boost/test/unit_test.hpp>
#include <csignal>

#include "support/foreground_worker.h"
#include "support/logged_worker.h"
#include "support/paths.h"

namespace short_of_files {

using namespace dormouse;
using namespace dormouse::testing;

namespace {

bool has(const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
}

/// `program` with a limit on `what` (the letter that ulimit has for it), and what else is said before it.
Program limited(const std::string& what, const std::vector<std::string>& program) {
    std::vector<std::string> argv{"/bin/sh", "-c", what + "; exec \"$@\"", "sh"};
    argv.insert(argv.end(), program.begin(), program.end());
    return {argv, {}, {}, {}, Millis{20'000}};
}

}  // namespace

BOOST_AUTO_TEST_SUITE(short_of_files)

BOOST_AUTO_TEST_CASE(a_program_that_has_too_few_says_so_and_ends_with_a_code_of_its_own) {
    for (int files = 5; files <= 20; ++files) {
        const std::string limit = "ulimit -n " + std::to_string(files);
        for (const std::vector<std::string>& program : std::vector<std::vector<std::string>>{
                 {dormouse_binary, "worker", "nowhere", "--database-url", "postgresql:///nowhere"},
                 {dormouse_binary, "worker", "nowhere", "--drain"},
                 {dormouse_binary, "relay", "nowhere", "--database-url", "postgresql:///nowhere"}}) {
            Program program_of_few = limited(limit, program);
            program_of_few.deadline = Millis{3'000};
            const bool relay_has_enough = program[1] == "relay" && files > 16;
            if (relay_has_enough) continue;
            const Ended ended = run(program_of_few);
            BOOST_TEST(ended.exit_code == 15,
                       program[1] << " " << files << ": " << ended.exit_code << " " << ended.signal);
            BOOST_TEST(has(ended.err, "LimitNOFILE="), ended.err);
            BOOST_TEST(has(ended.err, "ulimit -n"), ended.err);
            BOOST_TEST(has(ended.err, "may have " + std::to_string(files) + " files open"), ended.err);
        }
    }
}

BOOST_AUTO_TEST_CASE(handlers_that_find_no_descriptor_wait_and_the_limit_is_told_once,
                     *boost::unit_test::precondition(has_postgres)) {
    TestDatabase database;
    database.exec("SELECT dormouse.enqueue('hold') FROM generate_series(1, 12)");
    LoggedWorker worker(database.url(), {.worker = "concurrency = 20"}, {}, {}, "ulimit -n 48");
    BOOST_TEST_REQUIRE(worker.until_said("not_started"), worker.log());
    const LoggedEvent told = worker.said("not_started").front();
    BOOST_TEST(has(told.text, "48 files open: raise LimitNOFILE="), told.text);
    const auto completed = [&] {
        return database.value("SELECT count(*) FROM dormouse.runs WHERE status = 'completed'");
    };
    BOOST_TEST(eventually([&] {
        worker.tasks().release();
        database.exec("UPDATE dormouse.runs SET run_at = now() WHERE status IN ('queued', 'retry')");
        return completed() == "12";
    }));
    BOOST_TEST(worker.said("not_started").size() == 1U, worker.log());
    worker.process().signal(SIGTERM);
    BOOST_TEST(worker.process().wait().exit_code == 0);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace short_of_files
