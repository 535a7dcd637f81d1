// dormouse scale and programs with functions of their own: threads follow, and a number that the program has said of
// itself is the most it executes.
#include <dormouse/typed.h>
#include <dormouse/worker.h>

#include <atomic>
#include <boost/test/unit_test.hpp>
#include <mutex>

#include "support/bare_database.h"

namespace embed_scale {

using dormouse::Run;
using dormouse::testing::BareDatabase;
using dormouse::testing::soon;

namespace {

struct Scene {
    BareDatabase database;
    std::mutex mutex;
    std::string log;
    std::atomic<int> at_work{0};
    std::atomic<bool> over{false};

    ~Scene() { end(); }
    void end() {
        over = true;
        over.notify_all();
    }
    dormouse::Config config(const std::string& toml, std::vector<std::string> overrides = {}) {
        return {.pool = "embedded",
                .file = database.file(toml),
                .overrides = std::move(overrides),
                .log = [this](const dormouse::LogEvent& event) {
                    const std::lock_guard lock(mutex);
                    log += std::string(event.name) + ": " + std::string(event.text) + "\n";
                }};
    }
    bool logged(const std::string& text) {
        const std::lock_guard lock(mutex);
        return log.find(text) != std::string::npos;
    }
    void start(dormouse::Worker& worker) {
        worker.task<nlohmann::json>("wait", [this](Run&, const nlohmann::json&) {
            ++at_work;
            over.wait(false);
        });
        worker.start();
        for (int i = 0; i < 6; ++i) database.enqueue("wait");
    }
    std::string scale(const std::string& arguments) {
        return database.value("SELECT concat_ws(' ', changed, told, refused) FROM dormouse.scale('embedded', " +
                              arguments + ")");
    }
};

}  // namespace

}  // namespace embed_scale

BOOST_FIXTURE_TEST_SUITE(embed_scale, Scene, *boost::unit_test::precondition(dormouse::testing::postgres_is_here))

BOOST_AUTO_TEST_CASE(more_threads_are_made_for_more_runs) {
    dormouse::Worker worker{config("[worker]\nconcurrency = 1\n")};
    start(worker);
    BOOST_TEST(soon([&] { return at_work == 1; }));
    BOOST_TEST(soon([&] { return scale("5, '1 hour'") == "t 1"; }));
    BOOST_TEST(soon([&] { return at_work == 5; }));
    BOOST_TEST(database.value("SELECT count(*) FROM dormouse.runs WHERE status = 'running'") == "5");
    end();
}

BOOST_AUTO_TEST_CASE(what_a_program_says_of_itself_is_the_most) {
    dormouse::Worker worker{config("", {"worker.concurrency=2"})};
    start(worker);
    BOOST_TEST(soon([&] { return at_work == 2; }));
    BOOST_TEST(soon([&] { return database.value("SELECT concurrency_max FROM dormouse.workers") == "2"; }));
    const std::string refused = scale("5, '1 hour'");
    BOOST_TEST(refused.find("executes 2 runs at once at most: its program says so") != std::string::npos, refused);
    // said while it slept
    database.value(
        "INSERT INTO dormouse.pool_scale (pool, concurrency, until) VALUES ('embedded', 5, now() + interval '1 hour')");
    database.value("SELECT pg_notify(dormouse.channel('pool:embedded'), '')");
    BOOST_TEST(
        soon([&] { return logged("scaled: 5 runs at once are wanted by postgres, and this program allows 2"); }));
    BOOST_TEST(at_work == 2);
    BOOST_TEST(database.value("SELECT concurrency FROM dormouse.workers") == "2");
    BOOST_TEST(scale("1, '1 hour'") == "t 1");  // fewer are no harm
    BOOST_TEST(soon([&] { return logged("scaled: 1 run at once for"); }));
    end();
}

BOOST_AUTO_TEST_SUITE_END()
