// Programs that are started without stdin, stdout or stderr, by cron or a careless launcher; and commands whose output
// goes nowhere: what was done is said all the same.
#include <boost/test/unit_test.hpp>
#include <filesystem>
#include <fstream>

#include "support/paths.h"
#include "support/pool_bench.h"
#include "support/process.h"

namespace closed_files {

using namespace dormouse::testing;

namespace {

bool has(const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
}

struct Scene {
    TestDatabase database;
    TemporaryDirectory directory;
    PoolTasks tasks;
    std::string file = directory.path() + "/p.toml";

    Scene() {
        tasks.make_ghost();
        std::ofstream(file) << pool_toml(database.url(), {}, tasks);
    }

    /// dormouse with these arguments, and these redirections of the shell.
    [[nodiscard]] Ended shell(const std::string& redirections, std::vector<std::string> arguments,
                              const std::string& program = dormouse_binary) const {
        std::vector<std::string> argv{"/bin/sh", "-c", "exec \"$@\" " + redirections, "sh", program};
        argv.insert(argv.end(), arguments.begin(), arguments.end());
        return run({argv,
                    {},
                    {{"DATABASE_URL", database.url()},
                     {"DORMOUSE_CONFIG_DIR", directory.path()},
                     {"DORMOUSE_PATHS_SPOOL_DIRECTORY", directory.path()},
                     {"DORMOUSE_PATHS_RUNTIME_DIRECTORY", directory.path()}},
                    {},
                    dormouse::Millis{60'000}});
    }
    std::string newest(const std::string& what) {
        return database.value("SELECT " + what + " FROM dormouse.runs ORDER BY id DESC LIMIT 1");
    }
};

const std::vector<std::string> closings{"<&-", ">&-", "2>&-", "<&- >&- 2>&-"};

}  // namespace

}  // namespace closed_files

BOOST_FIXTURE_TEST_SUITE(closed_files, Scene, *boost::unit_test::precondition(has_postgres))

BOOST_AUTO_TEST_CASE(a_worker_works_without_any_of_them) {
    for (const std::string& how : closings) {
        database.value("SELECT dormouse.enqueue('echo', jsonb_build_object('how', $1::text))", {how});
        const Ended ended = shell(how, {"worker", "p", "--drain"});
        BOOST_TEST(ended.exit_code == 0, how << ": " << ended.exit_code << " " << ended.signal << " " << ended.err);
        BOOST_TEST(newest("status || ' ' || (result = payload)") == "completed true", how);
    }
}

BOOST_AUTO_TEST_CASE(other_programs_end_as_they_would_with_them) {
    for (const std::string& how : closings) {
        BOOST_TEST(
            shell(how, {"try", "echo", "{}", "--pool", "p"}).exit_code == (has(how, ">&- ") || how == ">&-" ? 12 : 0),
            how);
        const Ended check = shell(how, {"worker", "p", "--check"});
        BOOST_TEST((check.exit_code == 0 || check.exit_code == 12), how << ": " << check.exit_code << check.err);
        BOOST_TEST(
            shell(how, {}, std::filesystem::path(dormouse_binary).parent_path() / "dormouse-relay").exit_code == 2,
            how);
        BOOST_TEST(shell(how, {"--nonsense"}, dormouse_due_binary).exit_code == 2, how);
    }
}

BOOST_AUTO_TEST_CASE(help_of_any_length_that_cannot_be_written_is_an_error) {
    for (const char* const command : {"--help", "worker --help", "version", "config --help"}) {
        const Ended ended =
            run({{"/bin/sh", "-c", std::string(dormouse_binary) + " " + command + " >/dev/full"}, "", {}, ""});
        BOOST_TEST(ended.exit_code == 12, command);
        BOOST_TEST(has(ended.err, "stdout cannot be written: No space left on device"), ended.err);
    }
}

BOOST_AUTO_TEST_CASE(whoever_cannot_be_told_the_id_of_a_run_is_told_on_stderr) {
    for (const auto& [how, why] : std::vector<std::pair<std::string, std::string>>{
             {">&-", "stdout is closed"}, {">/dev/full", "stdout cannot be written: No space left on device"}}) {
        for (const std::vector<std::string>& flags :
             std::vector<std::vector<std::string>>{{}, {"--json"}, {"--wait=10s"}}) {
            std::vector<std::string> arguments{"enqueue", "echo", "{}"};
            arguments.insert(arguments.end(), flags.begin(), flags.end());
            const Ended ended = shell(how, arguments);
            BOOST_TEST(ended.exit_code == 12, ended.err);
            BOOST_TEST(has(ended.err, "run " + newest("id::text") + " is enqueued, but " + why + "\n"), ended.err);
            BOOST_TEST(ended.out.empty());
        }
    }
    std::ofstream(directory.path() + "/two") << "{\"task\": \"echo\"}\n{\"task\": \"echo\"}\n";
    const Ended many = shell(">&-", {"enqueue", "--from", directory.path() + "/two"});
    BOOST_TEST(many.exit_code == 12);
    BOOST_TEST(has(many.err, "2 runs are enqueued, but stdout is closed\n"), many.err);
    std::filesystem::create_directory(directory.path() + "/p");
    const Ended spooled = shell(">&-", {"enqueue", "echo", "{}", "--spool", "--pool", "p"});
    BOOST_TEST(spooled.exit_code == 12);
    BOOST_TEST(has(spooled.err, " is spooled, but stdout is closed\n"), spooled.err);
}

BOOST_AUTO_TEST_CASE(what_fails_for_another_reason_keeps_its_exit_code) {
    const Ended ended = shell(">&-", {"show", "018f0000-0000-7000-8000-000000000000"});
    BOOST_TEST(ended.exit_code == 4, ended.err);
}

BOOST_AUTO_TEST_SUITE_END()
