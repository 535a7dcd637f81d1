#include <sys/stat.h>

#include <boost/test/unit_test.hpp>
#include <filesystem>
#include <fstream>

#include "config/describe.h"
#include "config/load.h"

namespace config_load {

using namespace dormouse;
using namespace dormouse::config;

namespace {

/// A directory of configuration files, and the sources of one pool, "mail".
struct Pool {
    std::string path;
    Sources sources;
    Pool() {
        std::string pattern = (std::filesystem::temp_directory_path() / "dormouse-config-XXXXXX").string();
        path = ::mkdtemp(pattern.data());
        sources.pool = "mail";
        sources.environment["DORMOUSE_CONFIG_DIR"] = path;
    }
    ~Pool() { std::filesystem::remove_all(path); }
    Pool(const Pool&) = delete;
    Pool& operator=(const Pool&) = delete;

    [[nodiscard]] std::string file(const std::string& name = "mail") const { return path + "/" + name + ".toml"; }
    void write(const std::string& text, const std::string& name = "mail") const {
        std::ofstream(file(name)) << text;
        ::chmod(file(name).c_str(), 0640);
    }
    [[nodiscard]] Loaded loaded() const {
        auto result = load(sources);
        const std::string message = result ? "" : result.error().message;
        BOOST_TEST_REQUIRE(message == "");
        return std::move(*result);
    }
    [[nodiscard]] std::string error() const {
        const auto result = load(sources);
        return result ? "no error" : result.error().message;
    }
};

const std::string url = "[database]\nurl = \"host=/tmp\"\n";

bool contains(const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
}

}  // namespace

}  // namespace config_load

BOOST_FIXTURE_TEST_SUITE(config_load, Pool)

BOOST_AUTO_TEST_CASE(a_full_file_is_read) {
    write(R"([database]
url = "postgresql://dormouse_worker@db.example/app?sslmode=verify-full"
connect_timeout = "3s"
retry_max = "1min"
[worker]
queues = ["urgent", "default"]
concurrency = 8
batch_size = 16
idle_exit = "5ms"
look_exit = "5ms"
lease = "3s"
shutdown_grace = "30s"
[wake]
max_sleep = "1h"
[limits]
payload_bytes = "64KiB"
result_bytes = 1000
log_bytes = "1kB"
[paths]
runtime_directory = "/run/elsewhere"
wake_directory = "/run/elsewhere.wake"
[task.thumbnail]
handler = "exec"
command = ["/usr/bin/python3", "-c", "print()\n", ""]
working_directory = "/srv/app"
environment_file = "/etc/app.env"
timeout = "2h"
max_attempts = 7
backoff = { base = "1s", max = "1min" }
[task."größe.x"]
command = ["true"]
timeout = "never"
[task.none]
command = ["true"]
timeout = "0"
backoff.base = "2s"
)");
    const Config config = loaded().config;
    BOOST_TEST(config.pool == "mail");
    BOOST_TEST(config.file == file());
    BOOST_TEST(config.database.url == "postgresql://dormouse_worker@db.example/app?sslmode=verify-full");
    BOOST_TEST(config.database.connect_timeout.count() == 3'000);
    BOOST_TEST(config.database.retry_max.count() == 60'000);
    BOOST_TEST(config.worker.queues == (std::vector<std::string>{"urgent", "default"}),
               boost::test_tools::per_element());
    BOOST_TEST(config.worker.concurrency == 8);
    BOOST_TEST(config.worker.batch_size == 16);
    BOOST_TEST(config.worker.idle_exit.count() == 5);
    BOOST_TEST(config.worker.look_exit.count() == 5);
    BOOST_TEST(config.worker.lease.count() == 3'000);
    BOOST_TEST(config.worker.shutdown_grace.count() == 30'000);
    BOOST_TEST(config.wake.max_sleep.count() == 3'600'000);
    BOOST_TEST(config.limits.payload_bytes == 65536);
    BOOST_TEST(config.limits.result_bytes == 1000);
    BOOST_TEST(config.limits.log_bytes == 1000);
    BOOST_TEST(config.paths.runtime_directory == "/run/elsewhere");
    BOOST_TEST(config.paths.wake_directory == "/run/elsewhere.wake");
    BOOST_TEST_REQUIRE(config.tasks.size() == 3U);
    const Task& task = config.tasks.at("thumbnail");
    BOOST_TEST(task.name == "thumbnail");
    BOOST_TEST(task.command == (std::vector<std::string>{"/usr/bin/python3", "-c", "print()\n", ""}),
               boost::test_tools::per_element());
    BOOST_TEST(task.working_directory == "/srv/app");
    BOOST_TEST(task.environment_file == "/etc/app.env");
    BOOST_TEST(task.timeout.count() == 7'200'000);
    BOOST_TEST(task.max_attempts == 7);
    BOOST_TEST(task.backoff.base.count() == 1'000);
    BOOST_TEST(task.backoff.max.count() == 60'000);
    BOOST_TEST(config.tasks.at("größe.x").timeout.count() == 0);
    BOOST_TEST(config.tasks.at("none").timeout.count() == 0);
    BOOST_TEST(config.tasks.at("none").backoff.base.count() == 2'000);
}

BOOST_AUTO_TEST_CASE(a_flag_beats_the_environment_which_beats_the_file_which_beats_the_default) {
    write(url + "[worker]\nconcurrency = 2\n");
    const std::string option = "worker.concurrency";
    const auto check = [&](int value, const std::string& origin) {
        const Loaded now = loaded();
        BOOST_TEST(now.config.worker.concurrency == value);
        BOOST_TEST(now.origins.at(option) == origin);
    };
    check(2, "file " + file() + ":4");
    sources.environment["WORKER_CONCURRENCY"] = "3";
    check(3, "environment WORKER_CONCURRENCY");
    sources.environment["DORMOUSE_WORKER_CONCURRENCY"] = "5";
    check(5, "environment DORMOUSE_WORKER_CONCURRENCY");
    sources.sets = {"worker.concurrency=6", "worker.concurrency=7"};
    check(7, "flag");
    write(url);
    sources.sets.clear();
    sources.environment = {{"DORMOUSE_CONFIG_DIR", path}, {"WORKER_CONCURRENCY", ""}};
    check(4, "default");
}

BOOST_AUTO_TEST_CASE(the_old_names_are_read) {
    sources.environment["DATABASE_URL"] = "host=/tmp";
    sources.environment["WORKER_CONCURRENCY"] = "9";
    sources.environment["WORKER_BATCH_SIZE"] = "10";
    const Loaded now = loaded();
    BOOST_TEST(now.config.database.url == "host=/tmp");
    BOOST_TEST(now.config.worker.concurrency == 9);
    BOOST_TEST(now.config.worker.batch_size == 10);
    BOOST_TEST(now.config.file.empty());
    BOOST_TEST(now.origins.at("database.url") == "environment DATABASE_URL");
}

BOOST_AUTO_TEST_CASE(lists_words_and_sizes_can_be_typed_in_flags_and_variables) {
    write(url);
    sources.environment["DORMOUSE_WORKER_QUEUES"] = "a, b";
    sources.environment["DORMOUSE_WORKER_IDLE_EXIT"] = "never";
    sources.sets = {"limits.log_bytes=32768", "wake.max_sleep=off", "limits.result_bytes=2MiB"};
    const Config config = loaded().config;
    BOOST_TEST(config.worker.queues == (std::vector<std::string>{"a", "b"}), boost::test_tools::per_element());
    BOOST_TEST(config.worker.idle_exit.count() == 0);
    BOOST_TEST(config.limits.log_bytes == 32768);
    BOOST_TEST(config.limits.result_bytes == 2 << 20);
    BOOST_TEST(config.wake.max_sleep.count() == 0);
}

BOOST_AUTO_TEST_CASE(a_missing_file_is_an_error_that_says_what_to_do_unless_the_url_is_known) {
    BOOST_TEST(error() == file() +
                              ": no such file, so pool \"mail\" is not configured; create it, name another with "
                              "--config, or set DATABASE_URL");
    sources.sets = {"database.url=host=/tmp dbname=app"};
    BOOST_TEST(loaded().config.database.url == "host=/tmp dbname=app");
    sources.sets.clear();
    sources.database_required = false;
    BOOST_TEST(loaded().config.database.url.empty());
}

BOOST_AUTO_TEST_CASE(a_file_without_a_url_is_an_error_that_says_what_to_do) {
    write("[worker]\n");
    BOOST_TEST(error() == file() +
                              ": database.url is missing; add url = \"postgresql://…\" under [database], or set "
                              "DATABASE_URL");
}

BOOST_AUTO_TEST_CASE(a_file_named_by_flag_must_exist_and_replaces_the_pools_own) {
    write("[worker]\nconcurrency = 2\n");
    write("[worker]\nconcurrency = 3\n", "other");
    sources.environment["DATABASE_URL"] = "host=/tmp";
    sources.file = file("other");
    BOOST_TEST(loaded().config.worker.concurrency == 3);
    sources.file = file("none");
    BOOST_TEST(error() == file("none") + ": no such file; correct --config or create it");
}

BOOST_AUTO_TEST_CASE(wrong_flags_and_variables_name_themselves_and_the_remedy) {
    write(url);
    const auto with_set = [&](const std::string& set) {
        sources.sets = {set};
        return error();
    };
    BOOST_TEST(with_set("worker.concurency=4") ==
               "--set worker.concurency: unknown key; did you mean worker.concurrency?");
    BOOST_TEST(with_set("worker.concurrency=many") ==
               "--set: worker.concurrency: found \"many\", expected a whole number from 1 to 10000");
    for (const char* const list : {"a,b", "a, b", "[\"a\", \"b\"]", " ['a','b',] "}) {
        sources.sets = {std::string("worker.queues=") + list};
        BOOST_TEST((load(sources)->config.worker.queues == std::vector<std::string>{"a", "b"}), list);
    }
    BOOST_TEST(contains(with_set("worker.queues=[1]"), "found 1 in the list"));
    BOOST_TEST(with_set("hunter2") == "--set: expected section.key=value, such as worker.concurrency=8");
    BOOST_TEST(with_set("task.x.timeout=5s") ==
               "--set task.x.timeout: tasks are set in the file only, under [task.NAME]");
    BOOST_TEST(contains(with_set("a\nb=4"), "--set \"a\\x0ab\": unknown key; there are "));
    BOOST_TEST(with_set("retention.finished=5min") ==
               "--set: retention.finished: found \"5min\", expected a duration from 1h to 3650d, or \"never\"");
    sources.sets.clear();
    sources.environment["WORKER_BATCH_SIZE"] = "4x";
    BOOST_TEST(error() ==
               "environment WORKER_BATCH_SIZE: worker.batch_size: found \"4x\", expected a whole number from "
               "0 to 10000");
    sources.environment["WORKER_BATCH_SIZE"] = "4";
    sources.environment["DORMOUSE_WORKER_QUEUES"] = "a,\xff";
    BOOST_TEST(contains(error(), "environment DORMOUSE_WORKER_QUEUES: worker.queues: found \"\\xff\" in the list"));
}

BOOST_AUTO_TEST_CASE(a_password_is_refused_on_the_command_line_and_nowhere_else) {
    write("");
    for (const std::string secret : {"postgresql://u:hunter2@db/app", "host=db password=hunter2", "hunter2"}) {
        sources.sets = {"database.url=" + secret};
        BOOST_TEST(error().starts_with("--set database.url: a password on the command line can be seen in ps"));
        BOOST_TEST(contains(error(), "use a passfile (PGPASSFILE), a service file, the systemd credential pgpass"));
        BOOST_TEST(!contains(error(), "hunter2"));
    }
    sources.sets.clear();
    sources.environment["DATABASE_URL"] = "postgresql://u:hunter2@db/app";
    BOOST_TEST(loaded().config.database.url == "postgresql://u:hunter2@db/app");
    sources.environment.erase("DATABASE_URL");
    write("[database]\nurl = \"postgresql://u:hunter2@db/app\"\n");
    BOOST_TEST(loaded().config.database.url == "postgresql://u:hunter2@db/app");
    BOOST_TEST(loaded().warnings.empty());
}

BOOST_AUTO_TEST_CASE(a_password_in_a_file_for_everybody_is_warned_about) {
    write("[database]\nurl = \"postgresql://u:hunter2@db/app\"\n");
    ::chmod(file().c_str(), 0644);
    const Loaded now = loaded();
    BOOST_TEST_REQUIRE(now.warnings.size() == 1U);
    BOOST_TEST(now.warnings[0].starts_with(file() + ": database.url holds a password and everybody may read the file; "
                                                    "chmod o-r"));
    BOOST_TEST(!contains(now.warnings[0], "hunter2"));
    write(url);
    ::chmod(file().c_str(), 0644);
    BOOST_TEST(loaded().warnings.empty());
}

BOOST_AUTO_TEST_CASE(variables_of_old_workers_are_accepted_with_what_replaces_them) {
    write(url);
    sources.environment["WORKER_POLL_INTERVAL"] = "2";
    sources.environment["WORKER_MAX_LOOPS"] = "100";
    const Loaded now = loaded();
    BOOST_TEST_REQUIRE(now.warnings.size() == 2U);
    BOOST_TEST(contains(now.warnings[0], "environment WORKER_MAX_LOOPS is ignored: "));
    BOOST_TEST(contains(now.warnings[0], "--drain, --max-runs"));
    BOOST_TEST(contains(now.warnings[1], "environment WORKER_POLL_INTERVAL is ignored: workers do not poll: NOTIFY"));
    BOOST_TEST(contains(now.warnings[1], "doorbell"));
}

BOOST_AUTO_TEST_CASE(variables_that_look_like_ours_are_warned_about_and_those_of_handlers_are_not) {
    write(url);
    for (const std::string name : {"DORMOUSE_RUN_ID", "DORMOUSE_TASK", "DORMOUSE_QUEUE", "DORMOUSE_ATTEMPT",
                                   "DORMOUSE_FENCE", "DORMOUSE_WORKER_QUEUES", "DORMOUSE_RUN_DATABASE"})
        sources.environment.emplace(name, "x");
    BOOST_TEST(loaded().warnings.empty());
    sources.environment["DORMOUSE_WORKER_CONCURENCY"] = "hunter2";
    sources.environment["DORMOUSE_WROKER_LEASE"] = "hunter2";
    sources.environment["DORMOUSE_WORKER_COLOUR"] = "hunter2";
    const Loaded now = loaded();
    BOOST_TEST_REQUIRE(now.warnings.size() == 3U);
    BOOST_TEST(now.warnings[0] ==
               "environment DORMOUSE_WORKER_COLOUR is ignored: no option has this name; see `dormouse "
               "config`");
    BOOST_TEST(now.warnings[1] ==
               "environment DORMOUSE_WORKER_CONCURENCY is ignored: did you mean "
               "DORMOUSE_WORKER_CONCURRENCY?");
    BOOST_TEST(now.warnings[2] == "environment DORMOUSE_WROKER_LEASE is ignored: did you mean DORMOUSE_WORKER_LEASE?");
}

BOOST_AUTO_TEST_CASE(pool_names_are_checked_before_they_become_paths) {
    for (const std::string& right : std::vector<std::string>{"mail", "a", "_x", "9", "A.b-c_d", std::string(63, 'a')})
        BOOST_TEST(check_pool_name(right).has_value(), right);
    for (const std::string& wrong : std::vector<std::string>{"", ".", "..", "a..b", "-a", ".a", "a/b", "../etc", "a b",
                                                             "ä", "a\n", std::string(64, 'a'), "a.timer", "a.sock"}) {
        BOOST_TEST(!check_pool_name(wrong).has_value(), wrong);
        sources.pool = wrong;
        BOOST_TEST(contains(error(), ", expected 1 to 63 of A-Z a-z 0-9 _ . - "));
        BOOST_TEST(error().starts_with("pool: found \""));
    }
}

BOOST_AUTO_TEST_CASE(the_pools_of_a_directory_are_listed) {
    BOOST_TEST(pools(sources.environment).empty());
    for (const std::string name : {"mail", "b", "a", "..x", "with space"}) write("", name);
    std::ofstream(path + "/notes.txt") << "";
    BOOST_TEST(pools(sources.environment) == (std::vector<std::string>{"a", "b", "mail"}),
               boost::test_tools::per_element());
    BOOST_TEST(pools({{"DORMOUSE_CONFIG_DIR", path + "/none"}}).empty());
    BOOST_TEST(directory({}) == "/etc/dormouse");
    BOOST_TEST(file_of(sources) == file());
}

BOOST_AUTO_TEST_CASE(the_systemd_credential_becomes_the_passfile) {
    write(url);
    sources.environment["CREDENTIALS_DIRECTORY"] = path;
    BOOST_TEST(loaded().config.database.passfile.empty());
    std::ofstream(path + "/pgpass") << "*:*:*:*:hunter2\n";
    const Loaded now = loaded();
    BOOST_TEST(now.config.database.passfile == path + "/pgpass");
    BOOST_TEST(now.origins.at("database.passfile") == "credential " + path + "/pgpass");
}

BOOST_AUTO_TEST_CASE(a_program_with_functions_executes_more_at_once_unless_it_says_otherwise) {
    write("[database]\nurl = \"host=/tmp\"\n");
    BOOST_TEST(loaded().config.worker.concurrency == 4);
    sources.functions = {"thumbnail"};
    BOOST_TEST(loaded().config.worker.concurrency == 32);
    sources.sets = {"worker.concurrency=4"};
    BOOST_TEST(loaded().config.worker.concurrency == 4);
}

BOOST_AUTO_TEST_CASE(rows_show_the_effective_value_without_secrets_and_where_it_came_from) {
    write(
        "[database]\nurl = \"postgresql://u:hunter2@db/app\"\n[worker]\nidle_exit = "
        "\"never\"\n[task.x]\ncommand = "
        "[\"a\", \"b\"]\n");
    std::map<std::string, SettingRow> rows;
    for (const SettingRow& row : describe(loaded())) {
        BOOST_TEST(!contains(row.value, "hunter2"));
        BOOST_TEST(!row.help.empty());
        rows[row.option] = row;
    }
    BOOST_TEST(rows.at("database.url").value == "postgresql://u:***@db/app");
    BOOST_TEST(rows.at("database.url").origin == "file " + file() + ":2");
    BOOST_TEST(rows.at("worker.idle_exit").value == "never");
    BOOST_TEST(rows.at("worker.lease").value == "5min");
    BOOST_TEST(rows.at("worker.lease").origin == "default");
    BOOST_TEST(rows.at("task.x.command").value == "a b");
    BOOST_TEST(rows.at("task.x.command").origin == "file " + file() + ":6");
    BOOST_TEST(rows.at("task.x.backoff.max").value == "10min");
    BOOST_TEST(rows.at("task.x.backoff.max").origin == "default");
    BOOST_TEST(!rows.contains("database.passfile"));
}

BOOST_AUTO_TEST_CASE(the_reference_has_every_option_with_its_default_and_variables) {
    const std::string text = reference();
    BOOST_TEST(contains(text, "worker.concurrency\n"));
    BOOST_TEST(contains(text, "Takes a whole number from 1 to 10000. Default: 4.\n"));
    BOOST_TEST(contains(text, "Environment: DORMOUSE_WORKER_CONCURRENCY, WORKER_CONCURRENCY, AGENTEXEC_NUM_WORKERS\n"));
    BOOST_TEST(contains(text, "task.NAME.backoff.base\n"));
}

BOOST_AUTO_TEST_SUITE_END()
