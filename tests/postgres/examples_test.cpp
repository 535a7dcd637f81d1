// The pools of examples/, as they are in the files that docs/several-pools.md shows: real workers, each with its own
// configuration.
#include <boost/test/unit_test.hpp>
#include <filesystem>
#include <fstream>
#include <list>
#include <sstream>

#include "support/foreground_worker.h"
#include "support/paths.h"
#include "support/process.h"

BOOST_AUTO_TEST_SUITE(examples, *boost::unit_test::precondition(dormouse::testing::has_postgres))

using namespace dormouse::testing;
namespace fs = std::filesystem;

namespace {

/// The pools of one directory of examples/ on a database of the test.
struct Pools {
    TestDatabase database;
    TemporaryDirectory directory;
    std::list<Process> workers;
    std::string examples;

    explicit Pools(const std::string& name) : examples(std::string(source_directory) + "/examples/" + name) {
        const std::string python = "\"/usr/bin/python3\"";
        const std::string clients = std::string(source_directory) + "/clients/python";
        for (const auto& file : fs::directory_iterator(examples)) {
            if (file.path().extension() != ".toml") continue;
            std::ostringstream text;
            text << std::ifstream(file.path()).rdbuf();
            std::string toml = text.str();  // nothing is installed here: client and handler are the tree's
            replace(toml, "/srv/app", examples);
            replace(toml, python,
                    R"("/usr/bin/env", "PYTHONDONTWRITEBYTECODE=1", "PYTHONPATH=)" + clients + "\", " + python);
            std::ofstream(directory.path() / file.path().filename()) << toml;
        }
    }
    static void replace(std::string& text, const std::string& what, const std::string& by) {
        if (const auto at = text.find(what); at != std::string::npos) text.replace(at, what.size(), by);
    }
    void start(const std::string& pool) {
        Process& worker = workers.emplace_back(Program{{dormouse_binary, "worker", pool},
                                                       {},
                                                       {{"DORMOUSE_CONFIG_DIR", directory.path()},
                                                        {"DORMOUSE_PATHS_RUNTIME_DIRECTORY", directory.path()},
                                                        {"DORMOUSE_PATHS_SPOOL_DIRECTORY", directory.path()},
                                                        {"DATABASE_URL", database.url()}},
                                                       {},
                                                       dormouse::Millis{60'000}});
        if (!worker.saw_error("listening")) BOOST_FAIL(worker.wait().err);
    }
    bool until(const std::string& sql, const std::string& value) {
        return eventually([&] { return database.value(sql) == value; });
    }
};

}  // namespace

BOOST_AUTO_TEST_CASE(an_urgent_run_does_not_wait_behind_the_background_and_each_pool_takes_its_own) {
    Pools pools("two-pools");
    pools.start("urgent");
    pools.start("background");
    pools.database.exec(
        "SELECT dormouse.enqueue('checksum', to_jsonb(n), queue => 'background') FROM generate_series(1, 100) n;"
        "SELECT dormouse.enqueue('checksum', '{\"a\": 1}', queue => 'urgent')");
    BOOST_TEST(pools.until("SELECT count(*) FROM dormouse.runs WHERE status = 'completed'", "101"));
    BOOST_TEST(pools.database.value("SELECT b.finished_at > u.finished_at FROM dormouse.runs u, LATERAL (SELECT "
                                    "max(finished_at) finished_at FROM dormouse.runs WHERE queue = 'background') b "
                                    "WHERE u.queue = 'urgent'") == "t");
    BOOST_TEST(pools.database.value("SELECT result FROM dormouse.runs WHERE queue = 'urgent'") ==
               R"("f9d86028c6e0d64e225186f96acb69338b2c59764df79162107f5c4bb34d1310  -")");
    BOOST_TEST(pools.database.value("SELECT count(DISTINCT worker) FROM dormouse.attempts") == "2");
}

BOOST_AUTO_TEST_CASE(each_stage_of_the_pipeline_hands_its_run_on_with_its_completion) {
    Pools pools("pipeline");
    for (const char* pool : {"fetch", "parse", "count", "publish"}) pools.start(pool);
    pools.database.exec(
        "SELECT dormouse.enqueue('fetch', jsonb_build_object('topic', 'mouse' || n), queue => 'fetch') FROM "
        "generate_series(1, 20) n");
    BOOST_TEST(pools.until("SELECT count(*) FROM dormouse.runs WHERE task = 'publish' AND status = 'completed'", "20"));
    BOOST_TEST(pools.database.value("SELECT count(*) FROM dormouse.runs WHERE status = 'completed'") == "80");
    BOOST_TEST(pools.database.value("SELECT count(*) FROM dormouse.runs") == "80");
    BOOST_TEST(pools.database.value("SELECT count(DISTINCT result) FROM dormouse.runs WHERE result::text LIKE "
                                    "'\"mouse%'") == "20");
    // Enqueued with the completion, in the same transaction: the same instant.
    BOOST_TEST(pools.database.value("SELECT count(*) FROM dormouse.runs next WHERE task <> 'fetch' AND created_at IN "
                                    "(SELECT finished_at FROM dormouse.runs)") == "60");
}

BOOST_AUTO_TEST_SUITE_END()
