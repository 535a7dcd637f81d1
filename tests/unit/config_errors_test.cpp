// Everything wrong that a file can say: one line that names file and line, the key, what was found and what
// to do.
#include <sys/stat.h>
#include <unistd.h>

#include <boost/test/unit_test.hpp>
#include <filesystem>
#include <fstream>
#include <vector>

#include "config/load.h"

namespace config_errors {

using namespace dormouse;
using namespace dormouse::config;

namespace {

struct Directory {
    std::string path;
    Directory() {
        std::string pattern = (std::filesystem::temp_directory_path() / "dormouse-config-XXXXXX").string();
        path = ::mkdtemp(pattern.data());
    }
    ~Directory() { std::filesystem::remove_all(path); }
    Directory(const Directory&) = delete;
    Directory& operator=(const Directory&) = delete;

    [[nodiscard]] std::string file() const { return path + "/mail.toml"; }

    [[nodiscard]] Result<Loaded> load_text(const std::string& text) const {
        std::ofstream(file(), std::ios::binary) << text;
        return load_now();
    }
    [[nodiscard]] Result<Loaded> load_now() const {
        Sources sources;
        sources.pool = "mail";
        sources.environment = {{"DORMOUSE_CONFIG_DIR", path}, {"DATABASE_URL", "host=/tmp"}};
        return load(sources);
    }
    /// The error without the directory: "mail.toml:3: …".
    [[nodiscard]] std::string error(const std::string& text) const {
        const auto loaded = load_text(text);
        if (loaded) return "no error";
        BOOST_TEST((loaded.error().kind == ErrorKind::invalid));
        BOOST_TEST(loaded.error().message.find('\n') == std::string::npos, loaded.error().message);
        BOOST_TEST(loaded.error().message.starts_with(path + "/"), loaded.error().message);
        return loaded.error().message.substr(path.size() + 1);
    }
};

struct Wrong {
    std::string text;
    std::string error;
};

}  // namespace

}  // namespace config_errors

BOOST_FIXTURE_TEST_SUITE(config_errors, Directory)

BOOST_AUTO_TEST_CASE(umask_expires_and_on_failure_are_checked) {
    const std::string task = "[task.t]\ncommand = [\"/bin/true\"]\n";
    const std::string other = "[task.u]\ncommand = [\"/bin/true\"]\n";
    for (const char* wrong : {"22", "\"08\"", "\"1777\"", "\"\"", "\"-1\"", "\"u=rw\""})
        BOOST_TEST(error(task + "umask = " + wrong).find("task.t.umask: found ") != std::string::npos, wrong);
    BOOST_TEST(load_text(task + "umask = \"027\"")->config.tasks.at("t").umask == 027);
    BOOST_TEST(load_text(task)->config.tasks.at("t").umask == -1);
    BOOST_TEST((load_text(task + "expires = \"2h\"")->config.tasks.at("t").expires == Millis{7'200'000}));
    BOOST_TEST(error(task + "on_failure = \"u\"") ==
               "mail.toml:1: task.t.on_failure: there is no [task.u] in this file, and this pool is to execute it");
    BOOST_TEST(load_text(task + "on_failure = \"u\"\n" + other)->config.tasks.at("t").on_failure == "u");
    for (const std::string& loop :
         {task + "on_failure = \"t\"", task + "on_failure = \"u\"\n" + other + "on_failure = \"t\""})
        BOOST_TEST(error(loop).find("has an on_failure itself") != std::string::npos, loop);
}

BOOST_AUTO_TEST_CASE(what_a_task_needs_of_the_sandbox_is_checked) {
    const std::string task = "[task.t]\ncommand = [\"/bin/true\"]\nsandbox = ";
    const std::vector<Wrong> table{
        {"{ home = \"yes\" }", R"(3: task.t.sandbox.home: found "yes", expected "none", "read-only" or "read-write")"},
        {"{ write = \"/srv\" }",
         R"(3: task.t.sandbox.write: found "/srv", expected a list of distinct absolute paths)"},
        {"{ write = [\"srv\"] }", R"(3: task.t.sandbox.write: found "srv" in the list)"},
        {"{ write = [\"/srv/../etc\"] }", R"(3: task.t.sandbox.write: found "/srv/../etc" in the list)"},
        {"{ write = [\"/srv/..\"] }", R"(3: task.t.sandbox.write: found "/srv/.." in the list)"},
        {"{ write = [\"/a\", \"/a\"] }", R"(3: task.t.sandbox.write: found "/a" twice)"},
        {"{ write = [\"/a\\nb\"] }", "3: task.t.sandbox.write: found "},
        {"{ devices = [\"/srv/a\"] }", R"(3: task.t.sandbox.devices: found "/srv/a" in the list)"},
        {"{ devices = [\"/dev/../etc\"] }", R"(3: task.t.sandbox.devices: found "/dev/../etc" in the list)"},
        {"{ privileges = 1 }", "3: task.t.sandbox.privileges: found 1, expected true or false"},
        {"{ privilege = true }", "3: task.t.sandbox.privilege: unknown key; did you mean sandbox.privileges?"},
        {"{ user = \"web\" }",
         "3: task.t.sandbox.user: a worker has no privileges to change its account; give the task a pool of its own"},
        {"{ network = \"no\" }", R"(3: task.t.sandbox.network: found "no", expected true or false)"},
        {"{ network = false, privileges = true }", "1: task.t.sandbox.network: is false, and no setuid program works"},
        {"true", R"(3: task.t.sandbox: expected a table, such as { write = ["/srv/out"] })"},
        {"{ write = [\"/home/app\"] }",
         R"(1: task.t.sandbox.write: /home/app is hidden by home = "none"; add home = "read-only")"},
    };
    for (const Wrong& one : table)
        BOOST_TEST(error(task + one.text).starts_with("mail.toml:" + one.error),
                   one.text + ": " + error(task + one.text));
    const auto loaded = load_text(
        task + R"({ home = "read-write", write = ["/root/a", "/srv/b c"], devices = ["/dev/ttyS0", "char-drm"] })");
    BOOST_TEST_REQUIRE(loaded.has_value(), (loaded ? "" : loaded.error().message));
    const Sandbox& sandbox = loaded->config.tasks.at("t").sandbox;
    BOOST_TEST((sandbox.home == Home::read_write));
    BOOST_TEST(sandbox.write == (std::vector<std::string>{"/root/a", "/srv/b c"}), boost::test_tools::per_element());
    BOOST_TEST(sandbox.devices.size() == 2);
    BOOST_TEST(!sandbox.privileges);
}

BOOST_AUTO_TEST_CASE(a_wrong_key_or_table_is_named_with_its_line_and_the_nearest_right_one) {
    const std::vector<Wrong> table{
        {"[worker]\n\nconcurency = 4\n",
         "mail.toml:3: worker.concurency: unknown key; did you mean worker.concurrency?"},
        {"[worker]\nmax_sleep = \"1h\"\n", "mail.toml:2: worker.max_sleep: unknown key; did you mean wake.max_sleep?"},
        {"[wroker]\nlease = \"1h\"\n", "mail.toml:1: wroker: unknown table; did you mean worker?"},
        {"[tasks.x]\n", "mail.toml:1: tasks: unknown table; did you mean task?"},
        {"[colours]\n",
         "mail.toml:1: colours: unknown table; there are database, worker, wake, retention, limits, alerts, paths, "
         "metrics, traces, "
         "environment, task"},
        {"url = \"x\"\n", "mail.toml:1: url: unknown key; did you mean database.url?"},
        {"worker = 4\n", "mail.toml:1: worker: expected a table: [worker]"},
        {"[[worker]]\n", "mail.toml:1: worker: expected a table: [worker]"},
        {"task = 4\n", "mail.toml:1: task: expected a table: [task.NAME]"},
        {"[worker]\n\"a\\nb\" = 4\n[wake]\n", "mail.toml:2: \"worker.a\\x0ab\": unknown key; there are database.url, "},
        {"[retention]\nfinnished = \"30d\"\n",
         "mail.toml:2: retention.finnished: unknown key; did you mean retention.finished?"},
        {"[task.x]\ncommand = [\"a\"]\ntimeuot = \"1h\"\n",
         "mail.toml:3: task.x.timeuot: unknown key; did you mean timeout?"},
        {"[task.x]\ncommand = [\"a\"]\nbackoff = { bsae = \"1h\" }\n",
         "mail.toml:3: task.x.backoff.bsae: unknown key; did you mean backoff.base?"},
    };
    for (const Wrong& one : table) BOOST_TEST(error(one.text).substr(0, one.error.size()) == one.error);
}

BOOST_AUTO_TEST_CASE(a_wrong_type_unit_or_range_says_what_was_found_and_what_is_expected) {
    const std::string such = R"(, expected a duration such as "250ms", "30s", "5min", "1h30min" or "2d")";
    const std::vector<Wrong> table{
        {"[worker]\nidle_exit = 30\n", "worker.idle_exit: found \"30\" without a unit" + such + ", or \"never\""},
        {"[worker]\nlease = \"30\"\n", "worker.lease: found \"30\" without a unit" + such},
        {"[worker]\nlease = 1.5\n", "worker.lease: found 1.5, expected a duration from 2s to 1d"},
        {"[worker]\nlease = \"1s\"\n", "worker.lease: found \"1s\", expected a duration from 2s to 1d"},
        {"[worker]\nlease = \"25h\"\n", "worker.lease: found \"25h\", expected a duration from 2s to 1d"},
        {"[worker]\nlease = -3\n", "worker.lease: found -3, expected a duration from 2s to 1d"},
        {"[worker]\nlease = 2020-01-01\n", "worker.lease: found a date or time, expected a duration from 2s to 1d"},
        {"[worker]\nidle_exit = \"0\"\n",
         "worker.idle_exit: found \"0\", expected a duration from 1ms to 365d, or \"never\""},
        {"[wake]\nmax_sleep = false\n", "wake.max_sleep: found false, expected a duration from 1s to 365d, or \"off\""},
        {"[worker]\nconcurrency = \"4\"\n", "worker.concurrency: found \"4\", expected a whole number from 1 to 10000"},
        {"[worker]\nconcurrency = 0\n", "worker.concurrency: found 0, expected a whole number from 1 to 10000"},
        {"[worker]\nconcurrency = 9223372036854775807\n",
         "worker.concurrency: found 9223372036854775807, expected a whole number from 1 to 10000"},
        {"[worker]\nbatch_size = 10001\n", "worker.batch_size: found 10001, expected a whole number from 0 to 10000"},
        {"[worker]\nqueues = \"a\"\n",
         "worker.queues: found \"a\", expected distinct names of 1 to 48 printable bytes"},
        {"[worker]\nqueues = []\n", "worker.queues: found an empty list, expected distinct names"},
        {"[worker]\nqueues = [\"\"]\n", "worker.queues: found \"\" in the list, expected distinct names"},
        {"[worker]\nqueues = [\"a\", 4]\n", "worker.queues: found 4 in the list, expected distinct names"},
        {"[worker]\nqueues = [\"a\", \"a\"]\n", "worker.queues: found \"a\" twice, expected distinct names"},
        {"[worker]\nqueues = [\"a\\u0007\"]\n", "worker.queues: found \"a\\x07\" in the list, expected distinct names"},
        {"[limits]\npayload_bytes = \"1M\"\n",
         "limits.payload_bytes: found \"1M\" with the unknown unit \"M\", expected a size such as \"1MiB\""},
        {"[limits]\npayload_bytes = \"1GiB\"\n",
         "limits.payload_bytes: found \"1GiB\", expected a size from 2B to 255MiB"},
        {"[limits]\nlog_bytes = -1\n", "limits.log_bytes: found -1, expected a size from 0B to 16MiB"},
        {"[paths]\nruntime_directory = \"run\"\n", "paths.runtime_directory: found \"run\", expected an absolute path"},
        {"[database]\nurl = [\"hunter2\"]\n", "database.url: found something that is not text, expected a connection"},
        {"[database]\nurl = \"\"\n", "database.url: found an empty text or control characters, expected a connection"},
    };
    for (const Wrong& one : table) {
        const std::string expected = "mail.toml:2: " + one.error;
        BOOST_TEST(error(one.text).substr(0, expected.size()) == expected);
    }
}

BOOST_AUTO_TEST_CASE(a_wrong_task_is_named_with_its_line) {
    const std::string start = "[task.x]\ncommand = [\"a\"]\n";
    const std::vector<Wrong> table{
        {"[task.x]\n", "1: task.x.command: is missing; add command = [\"/path/to/program\"]"},
        {"[task]\ncommand = [\"a\"]\n", "2: task.command: expected a table: [task.NAME]"},
        {"[task.x]\ncommand = \"a b\"\n", "2: task.x.command: found \"a b\", expected a list of texts"},
        {"[task.x]\ncommand = []\n", "2: task.x.command: found an empty list, expected a list of texts"},
        {"[task.x]\ncommand = [\"\"]\n", "2: task.x.command: found \"\" in the list, expected a list of texts"},
        {"[task.x]\ncommand = [\"a\", 1]\n", "2: task.x.command: found 1 in the list, expected a list of texts"},
        {"[task.x]\ncommand = [\"a\\u0000b\"]\n", "2: task.x.command: found \"a\\x00b\" in the list"},
        {start + "handler = \"python\"\n", "3: task.x.handler: found \"python\", expected \"exec\""},
        {start + "working_directory = \"srv\"\n",
         "3: task.x.working_directory: found \"srv\", expected an absolute path"},
        {start + "environment_file = \"\"\n", "3: task.x.environment_file: found \"\", expected an absolute path"},
        {start + "timeout = 60\n", "3: task.x.timeout: found \"60\" without a unit, expected a duration"},
        {start + "max_attempts = 0\n", "3: task.x.max_attempts: found 0, expected a whole number from 1 to 1000"},
        {start + "backoff = \"5s\"\n",
         "3: task.x.backoff: expected a table, such as { base = \"5s\", max = \"10min\" }"},
        {start + "backoff = { base = \"1h\" }\n",
         "1: task.x.backoff: base (1h) is longer than max (10min); raise max or lower base"},
        {start + "handler = \"hot\"\n", "3: task.x.handler: found \"hot\", expected \"exec\", \"warm\" or"},
        {start + "handler = \"warm\"\nprocesses = 2\n[task.y]\ncommand = [\"a\"]\nhandler = \"warm\"\n",
         "5: task.y.processes: is 0, but 2 in task.x, which shares its processes (same command); write the same in "
         "both"},
        {"[task.\"\"]\n", "1: task: found the name \"\", expected 1 to 200 printable bytes"},
        {"[task.\"a\\nb\"]\n", "1: task: found the name \"a\\x0ab\", expected 1 to 200 printable bytes"},
        {"[task." + std::string(201, 'x') + "]\n", "1: task: found the name \"xxx"},
    };
    for (const Wrong& one : table) {
        const std::string expected = "mail.toml:" + one.error;
        BOOST_TEST(error(one.text).substr(0, expected.size()) == expected);
    }
}

BOOST_AUTO_TEST_CASE(what_is_not_toml_is_named_with_line_and_key) {
    const std::string found = error("[worker]\nidle_exit = 30min\n");
    BOOST_TEST(found.starts_with("mail.toml:2: idle_exit: "), found);
    BOOST_TEST(found.ends_with("texts and durations stand in double quotes)"), found);
    BOOST_TEST(error("[worker\n").starts_with("mail.toml:1: "));
    BOOST_TEST(error("[worker]\n[worker]\n").starts_with("mail.toml:2: "));
    BOOST_TEST(error(std::string("\0\0\0", 3)).starts_with("mail.toml:1: "));
    BOOST_TEST(error("[wake]\n\n[}worker]\n[wake]\n") ==
               "mail.toml:3: unexpected character (not TOML; texts and durations stand in double quotes)");
    BOOST_TEST(error("[worker]\nqueues = [ä]\n").starts_with("mail.toml:2: queues: "));
    BOOST_TEST(error("\xff\xfe").starts_with("mail.toml:1: "));
}

BOOST_AUTO_TEST_CASE(letters_that_are_not_ascii_stand_in_quotes_and_comments_only) {
    const Directory directory;
    const std::string queues = "[worker]\nqueues = ";
    for (const std::string text :
         {"ü = 1", "a = ü", "[ä]", "a = \"x\"ü", "a = \"\"\"x\"\"\"\"\"ü", "a = '''x'''ü", "a = '\\'ü", "# c\nü"})
        BOOST_TEST(
            directory.error(queues + "[\"a\"]\n" + text).find("outside quotes that is not ASCII") != std::string::npos,
            text);
    for (const std::string text :
         {"[\"ü\"] # ü", "['ü']", "[\"\"\"\\\n ü\"\"\"]", "['''ü''']", "[\"ü x\", 'x', \"ü\"]"}) {
        const auto loaded = directory.load_text("\xef\xbb\xbf" + queues + text);
        BOOST_TEST(loaded.has_value(), (loaded ? text : loaded.error().message));
    }
}

BOOST_AUTO_TEST_CASE(a_password_in_a_wrong_file_is_in_no_error) {
    for (const std::string text : {
             "[database]\nurl = postgresql://u:hunter2@db/app\n",
             "[database]\nurl = \"postgresql://u:hunter2@db/app\n",
             "[database]\nurl = \"x\" hunter2\n",
             "[database]\nurl = hunter2\n",
             "[database]\nurl hunter2\n",
             "[database]\nurl = \"hunter2\\q\"\n",
             "[database]\nurl = [ hunter2 ]\n",
             "[database]\nurll = \"hunter2\"\n",
             "[database]\nurl = [\"hunter2\"]\n",
             "[database]\nurl = { a = \"hunter2\" }\n",
             "[database]\nurl = \"hunter2\\u0000\"\n",
             "database = \"hunter2\"\n",
             "[databas]\nurl = \"hunter2\"\n",
         })
        BOOST_TEST(error(text).find("hunter2") == std::string::npos, error(text));
}

BOOST_AUTO_TEST_CASE(a_file_that_is_deep_rather_than_long_is_refused_without_harm) {
    std::string keys = "a";
    for (int i = 0; i < 200'000; ++i) keys += ".a";
    const std::string dots = "mail.toml:1: more than 250 dots in one line; split the line";
    BOOST_TEST(error(keys + " = 1\n") == dots);
    BOOST_TEST(error("[" + keys + "]\n") == dots);
    BOOST_TEST(error("a = " + std::string(100'000, '[') + "\n").starts_with("mail.toml:1: a: "));
    std::string braces = "a = ";
    for (int i = 0; i < 50'000; ++i) braces += "{a=";
    BOOST_TEST(error(braces + "\n").starts_with("mail.toml:1: a: "));
    std::string longest = "a";
    for (int i = 0; i < 249; ++i) longest += ".a";
    BOOST_TEST(error("[" + longest + "]\n" + longest + " = 1\n").starts_with("mail.toml:1: a: unknown table"));
}

BOOST_AUTO_TEST_CASE(a_file_of_just_under_a_mebibyte_is_read_and_a_larger_one_is_refused) {
    const std::string comment = "#" + std::string((1 << 20) - 1, 'x');
    BOOST_TEST(load_text(comment).has_value());
    BOOST_TEST(error(comment + "\n") == "mail.toml: larger than 1 MiB; is it the right file?");
}

BOOST_AUTO_TEST_CASE(what_is_no_regular_file_is_refused_at_once) {
    BOOST_TEST_REQUIRE(::mkfifo(file().c_str(), 0600) == 0);
    const auto fifo = load_now();
    BOOST_TEST_REQUIRE(!fifo.has_value());
    BOOST_TEST(fifo.error().message == file() + ": not a regular file; put one there");
    std::filesystem::remove(file());
    std::filesystem::create_directory(file());
    const auto folder = load_now();
    BOOST_TEST_REQUIRE(!folder.has_value());
    BOOST_TEST(folder.error().message == file() + ": not a regular file; put one there");
    std::filesystem::remove(file());
    std::filesystem::create_symlink("/dev/zero", file());
    BOOST_TEST(load_now().error().message == file() + ": not a regular file; put one there");
}

BOOST_AUTO_TEST_CASE(a_file_that_may_not_be_read_is_denied_with_the_remedy) {
    if (::geteuid() == 0) {
        BOOST_TEST_MESSAGE("skipped: root may read everything");
        return;
    }
    std::ofstream(file()) << "";
    ::chmod(file().c_str(), 0);
    const auto loaded = load_now();
    BOOST_TEST_REQUIRE(!loaded.has_value());
    BOOST_TEST((loaded.error().kind == ErrorKind::denied));
    BOOST_TEST(loaded.error().message.find("run as a member of the file's group") != std::string::npos);
}

BOOST_AUTO_TEST_SUITE_END()
