#include "alerts/alive.h"

#include <boost/test/unit_test.hpp>

BOOST_AUTO_TEST_SUITE(alive)

using namespace dormouse;
using alerts::Alive;
using namespace std::chrono_literals;

namespace {

config::Config with(const std::string& pool, const std::vector<std::string>& tasks) {
    config::Config config;
    config.alerts.alive_url = pool;
    for (const std::string& name : tasks) config.tasks[name].alive_url = "http://h/" + name;
    config.tasks["nap"] = {};
    return config;
}

std::string names(const std::vector<alerts::Notice>& notices) {
    std::string text;
    for (const alerts::Notice& one : notices) text += "[" + one.task + "]";
    return text;
}

struct Fixture {
    Alive::Time now{1h};
    Alive alive;
    explicit Fixture(const config::Config& config = with("", {"mail", "other"})) : alive(config) {}
    bool completed(const std::string& task) { return alive.observe("run_completed", {{"task", task}}, now); }
    std::string take(bool all = false) { return names(alive.take(now, all)); }
};

}  // namespace

BOOST_AUTO_TEST_CASE(a_task_s_is_due_a_second_after_a_run_and_then_not_before_thirty_seconds_have_passed) {
    Fixture f;
    BOOST_TEST(!f.alive.wait(f.now).has_value());
    BOOST_TEST(!f.completed("nap"));
    BOOST_TEST(f.completed("mail"));
    BOOST_TEST(!f.completed("mail"));  // nothing new
    BOOST_TEST((f.alive.wait(f.now) == Millis{1'000}));
    BOOST_TEST(f.take() == "");
    f.now += 1s;
    BOOST_TEST(f.completed("other"));
    BOOST_TEST(f.take() == "[mail]");
    BOOST_TEST(f.completed("mail"));
    for (int run = 0; run < 1'000; ++run) BOOST_TEST(!f.completed("mail"));
    f.now += 1s;
    BOOST_TEST(f.take() == "[other]");
    BOOST_TEST((f.alive.wait(f.now) == Millis{29'000}));
    f.now += 29s;
    BOOST_TEST(f.take() == "[mail]");
    BOOST_TEST(!f.alive.wait(f.now).has_value());
}

BOOST_AUTO_TEST_CASE(at_the_end_all_that_is_owed_is_due_and_nothing_else) {
    Fixture f(with("http://h/pool", {"mail", "other"}));
    f.alive.observe("listening", {}, f.now);
    f.now += 1s;
    BOOST_TEST(f.take() == "[]");
    f.completed("mail");
    BOOST_TEST(f.alive.owes());
    BOOST_TEST(f.take(true) == "[mail]");
    BOOST_TEST(!f.alive.owes());
}

BOOST_AUTO_TEST_CASE(the_pool_s_is_due_again_and_again_while_it_listens_and_has_its_database) {
    Fixture f(with("http://h/pool", {}));
    BOOST_TEST(!f.alive.wait(f.now).has_value());
    BOOST_TEST(!f.alive.observe("database_lost", {}, f.now));  // none was there when it started
    BOOST_TEST(!f.alive.observe("listening", {}, f.now));      // no round has been answered yet
    BOOST_TEST(f.alive.observe("database_back", {}, f.now));
    f.now += 1s;
    BOOST_TEST(f.take() == "[]");
    BOOST_TEST((f.alive.wait(f.now) == Millis{300'000}));
    f.now += 300s;
    BOOST_TEST(f.take() == "[]");
    f.alive.observe("database_lost", {}, f.now);
    BOOST_TEST(!f.alive.wait(f.now).has_value());
    f.now += 300s;
    BOOST_TEST(f.take() == "");
    f.alive.observe("listening", {}, f.now);
    f.alive.observe("database_back", {}, f.now);
    f.now += 1s;
    BOOST_TEST(f.take() == "[]");
}

BOOST_AUTO_TEST_CASE(what_could_not_be_handed_on_comes_once_more) {
    Fixture f;
    f.completed("mail");
    f.now += 1s;
    const auto notices = f.alive.take(f.now);
    f.alive.put_back(notices, f.now, Millis{60'000});
    BOOST_TEST((f.alive.wait(f.now) == Millis{60'000}));
    f.now += 60s;
    BOOST_TEST(f.take() == "[mail]");
}

BOOST_AUTO_TEST_SUITE_END()
