// A pool's metrics on disk: written, read back by the next worker, and no trouble for anybody when the disk is.
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

#include <boost/test/unit_test.hpp>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "loop/timer.h"
#include "metrics/exposition.h"
#include "metrics/file.h"
#include "metrics/publisher.h"
#include "support/cluster.h"

namespace metrics_files {

using namespace dormouse;
using namespace dormouse::metrics;
using namespace dormouse::testing;

namespace {

struct Host {
    TemporaryDirectory directory;
    std::string state = directory.path() + "/state";
    std::string textfile = directory.path() + "/collector";
    std::vector<std::string> warnings;

    Host() {
        ::mkdir(state.c_str(), 0700);
        ::mkdir(textfile.c_str(), 0755);
    }
    [[nodiscard]] std::string kept() const { return state + "/metrics.prom"; }
    [[nodiscard]] std::string shown() const { return textfile + "/dormouse_mail.prom"; }
    /// A worker's life; true if its end came.
    bool wake(const std::function<void(Tally&)>& works, Places places) {
        loop::Loop loop;
        loop::Timer deadline(loop, "test.deadline");
        Publisher publisher(loop, "mail", std::move(places),
                            [&](const std::string& text) { warnings.push_back(text); });
        publisher.start("socket");
        works(publisher.tally());
        bool ended = false;
        publisher.finish({true, Millis{60'000}}, [&] { ended = true, loop.stop(); });
        deadline.once(Millis{20'000}, [&] { loop.stop(); });
        if (!ended) loop.run();
        return ended;
    }
    bool wake(const std::function<void(Tally&)>& works = [](Tally&) {}) { return wake(works, {textfile, "", state}); }
};

std::string content(const std::string& path) {
    std::ostringstream text;
    text << std::ifstream(path).rdbuf();
    return text.str();
}

bool says(const std::string& path, const std::string& line) {
    return content(path).find(line + "\n") != std::string::npos;
}

}  // namespace

}  // namespace metrics_files

BOOST_FIXTURE_TEST_SUITE(metrics_files, Host)

BOOST_AUTO_TEST_CASE(totals_go_on_over_sleeps_and_the_text_file_is_for_all_to_read) {
    const auto completes = [](Tally& tally) { tally.add(Metric::runs_completed, 2, "send"); };
    BOOST_TEST(wake(completes));
    BOOST_TEST(wake(completes));
    for (const std::string& path : {kept(), shown()}) {
        BOOST_TEST(says(path, "dormouse_runs_completed_total{pool=\"mail\",task=\"send\"} 4"));
        BOOST_TEST(says(path, "dormouse_cold_starts_total{pool=\"mail\"} 2"));
        BOOST_TEST(says(path, "dormouse_wakes_total{pool=\"mail\",doorbell=\"socket\"} 2"));
        BOOST_TEST(says(path, "dormouse_awake{pool=\"mail\"} 0"));
        struct stat about{};
        BOOST_TEST(::stat(path.c_str(), &about) == 0);
        BOOST_TEST((about.st_mode & 0777) == 0644);
    }
    BOOST_TEST(warnings.empty());
    BOOST_TEST(std::distance(std::filesystem::directory_iterator(textfile), {}) == 1);
}

BOOST_AUTO_TEST_CASE(without_a_state_directory_the_text_file_is_read_back) {
    const std::string file = textfile + "/own.prom";
    BOOST_TEST(wake([](Tally& tally) { tally.add(Metric::claims, 5); }, {file, "", ""}));
    BOOST_TEST(wake([](Tally& tally) { tally.add(Metric::claims, 1); }, {file, "", ""}));
    BOOST_TEST(says(file, "dormouse_claims_total{pool=\"mail\"} 6"));
}

BOOST_AUTO_TEST_CASE(what_is_no_file_of_ours_is_put_aside_and_said) {
    const std::string aside = kept() + ".broken";
    const std::vector<std::function<void()>> hostile{
        [&] { std::ofstream(kept()) << "dormouse_claims_total{pool=\"mail\"} -3\n"; },
        [&] { std::ofstream(kept()) << std::string(100'000, '\0'); },
        [&] { BOOST_REQUIRE(::mkfifo(kept().c_str(), 0600) == 0); },
        [&] { BOOST_REQUIRE(::symlink("/etc/passwd", kept().c_str()) == 0); },
        [&] { BOOST_REQUIRE(::truncate((std::ofstream(kept()), kept().c_str()), 1LL << 40) == 0); },
        [&] { std::filesystem::create_directory(kept()); },
    };
    for (const auto& put : hostile) {
        std::filesystem::remove_all(kept());
        std::filesystem::remove_all(aside);
        warnings.clear();
        put();
        BOOST_TEST(wake([](Tally& tally) { tally.add(Metric::claims, 1); }));
        BOOST_TEST(says(kept(), "dormouse_claims_total{pool=\"mail\"} 1"));
        struct stat about{};
        BOOST_TEST(::lstat(aside.c_str(), &about) == 0);
        BOOST_TEST_REQUIRE(warnings.size() == 1U);
        BOOST_TEST((warnings[0].find(kept() + " is broken") != std::string::npos), warnings[0]);
        BOOST_TEST((warnings[0].find(aside) != std::string::npos), warnings[0]);
    }
    BOOST_TEST(std::filesystem::is_directory(aside));
}

BOOST_AUTO_TEST_CASE(a_missing_directory_is_one_warning_and_the_totals_are_kept_all_the_same) {
    BOOST_TEST(wake([](Tally& tally) { tally.add(Metric::claims, 5); }, {"/nowhere/at/all", "", state}));
    BOOST_TEST_REQUIRE(warnings.size() == 1U);
    BOOST_TEST((warnings[0].find("/nowhere/at/all/dormouse_mail.prom cannot be written") != std::string::npos));
    BOOST_TEST(says(kept(), "dormouse_claims_total{pool=\"mail\"} 5"));
}

BOOST_AUTO_TEST_CASE(what_was_there_stays_when_the_new_text_cannot_be_written) {
    BOOST_TEST_REQUIRE(replace_file(shown(), "before\n").has_value());
    if (::access("/dev/full", W_OK) != 0) return;
    // the name of what is written first is taken by something that cannot be removed
    std::filesystem::create_directories(textfile + "/.dormouse_mail.prom.new/in_the_way");
    BOOST_TEST(!replace_file(shown(), "after\n").has_value());
    BOOST_TEST(content(shown()) == "before\n");
    BOOST_TEST(wake());
    BOOST_TEST(warnings.size() == 1U);
}

BOOST_AUTO_TEST_CASE(a_change_is_written_while_awake_and_an_idle_worker_has_no_timer) {
    loop::Loop loop;
    loop::Timer deadline(loop, "test.deadline");
    Publisher publisher(loop, "mail", {textfile, "", state}, [](const std::string&) {});
    publisher.start("timer");
    deadline.once(Millis{20'000}, [&] { loop.stop(); });
    while (deadline.armed() && !says(shown(), "dormouse_awake{pool=\"mail\"} 1")) loop.turn();
    BOOST_TEST(says(shown(), "dormouse_wakes_total{pool=\"mail\",doorbell=\"timer\"} 1"));
    while (deadline.armed() && !loop.armed_timers().empty() && loop.armed_timers().size() > 1) loop.turn();
    BOOST_TEST(loop.armed_timers() == std::vector<std::string>{"test.deadline"}, boost::test_tools::per_element());
    publisher.tally().add(Metric::claims);
    const std::vector<std::string> both{"metrics.write", "test.deadline"};
    BOOST_TEST(loop.armed_timers() == both, boost::test_tools::per_element());
}

// A new program was to take over, and has ended before it could.
BOOST_AUTO_TEST_CASE(what_was_not_the_end_goes_on_as_before) {
    loop::Loop loop;
    loop::Timer deadline(loop, "test.deadline");
    deadline.once(Millis{20'000}, [&] { loop.stop(); });
    Publisher publisher(loop, "mail", {textfile, "", state}, [](const std::string&) {});
    publisher.start("socket");
    bool over = false;
    publisher.finish({}, [&] { publisher.go_on(), over = true; });
    while (deadline.armed() && !over) loop.turn();
    publisher.tally().add(Metric::claims);
    while (deadline.armed() && !says(shown(), "dormouse_awake{pool=\"mail\"} 1")) loop.turn();
    BOOST_TEST(says(shown(), "dormouse_awake{pool=\"mail\"} 1"));

    std::string order;  // and the real end comes while that is still on its way
    publisher.finish({}, [&] { publisher.go_on(), order += "first "; });
    publisher.finish({true, Millis{60'000}}, [&] { order += "last", loop.stop(); });
    if (!order.ends_with("last")) loop.run();
    BOOST_TEST(order == "first last");
    BOOST_TEST(says(shown(), "dormouse_awake{pool=\"mail\"} 0"));
    BOOST_TEST(content(shown()).find("dormouse_next_due_timestamp_seconds{pool=\"mail\"} NaN") == std::string::npos);
}

// Its successor counts that time.
BOOST_AUTO_TEST_CASE(who_has_given_way_to_a_new_program_is_not_awake_in_its_place) {
    loop::Loop loop;
    Publisher publisher(loop, "mail", {textfile, "", state}, [](const std::string&) {});
    publisher.start("socket");
    publisher.begin_rest();
    loop::Timer later(loop, "test.later");
    later.once(Millis{20}, [&] { loop.stop(); });
    loop.run();
    publisher.tally().add(Metric::runs_completed, 1, "send");
    const std::string rest = publisher.rest();
    BOOST_TEST(rest.find("dormouse_runs_completed_total{pool=\"mail\",task=\"send\"} 1") != std::string::npos, rest);
    const auto totals = read_exposition(rest, "mail");
    BOOST_TEST_REQUIRE(totals.has_value());
    BOOST_TEST(totals->total(Metric::awake_seconds) == 0);
}

BOOST_AUTO_TEST_SUITE_END()
