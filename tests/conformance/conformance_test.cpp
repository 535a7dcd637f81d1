// What every kind of handler does alike, whoever writes it and in whatever language: docs/handlers.md, line by line.
#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "conformance/stage.h"
#include "handlers/proc.h"
#include "support/cluster.h"

BOOST_AUTO_TEST_SUITE(conformance)

using namespace dormouse;
using namespace dormouse::conformance;
using handlers::Level;
using handlers::Outcome;
using handlers::StopReason;
using nlohmann::json;
namespace data = boost::unit_test::data;

namespace {

const auto every_kind = data::make(kinds());
const auto every_process = data::make(process_kinds());

/// How often there is a "\u00fc" in it; fails where there is half of one.
int count(const std::string& text) {
    int found = 0;
    for (std::size_t at = 0; (at = text.find("\u00fc", at)) != std::string::npos; at += 2) ++found;
    BOOST_TEST(text.find("\ufffd") == std::string::npos);
    BOOST_CHECK_NO_THROW(static_cast<void>(json(text).dump()));
    return found;
}

bool process_is_there(pid_t pid) {
    const auto stat = handlers::stat_of(pid);
    return stat && stat->state != 'Z';
}

}  // namespace

BOOST_AUTO_TEST_CASE(what_cannot_be_tried_here_is_named) {
    for (const Kind kind : missing_kinds())
        BOOST_TEST_MESSAGE("SKIPPED: " << kind << ": its language is not on this machine");
    BOOST_TEST((kinds().size() >= 3U || std::getenv("DORMOUSE_TEST_KINDS") != nullptr));
}

BOOST_DATA_TEST_CASE(a_run_that_succeeds_is_completed_with_its_result, every_kind, kind) {
    Stage stage(kind);
    const auto heard = stage.run("echo", R"({"a": [1, 2.5, null, true, "x"]})");
    BOOST_TEST((heard.outcome->kind == Outcome::Kind::completed), heard.outcome->error_message);
    BOOST_TEST(json::parse(heard.outcome->result) == json::parse(R"({"a": [1, 2.5, null, true, "x"]})"));
    BOOST_TEST(heard.outcome->error_class == "");
    BOOST_TEST(stage.run("nothing").outcome->result == "");
}

BOOST_DATA_TEST_CASE(a_handler_is_told_what_it_needs_to_know, every_kind, kind) {
    Stage stage(kind);
    const auto now = [] {
        return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
    };
    const double before = now();
    const Uuid id = stage.start("context", "null", Millis{3'600'000});
    auto told = json::parse(stage.wait(id).outcome->result);
    const auto deadline = told["deadline"].get<double>();
    BOOST_TEST(deadline > before + 3'599);  // exec's is in whole seconds
    BOOST_TEST(deadline <= now() + 3'600);
    told.erase("deadline");
    const json expected{{"id", id.to_string()},
                        {"task", "context"},
                        {"queue", "lane"},
                        {"attempt", "2"},
                        {"max_attempts", "5"},
                        {"fence", "7:" + id.to_string()},
                        {"traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"}};
    BOOST_TEST(told == expected);
    BOOST_TEST(json::parse(stage.run("context").outcome->result)["deadline"].is_null());  // there is no timeout
}

BOOST_DATA_TEST_CASE(payloads_and_results_of_any_text_arrive_as_they_were, every_kind, kind) {
    Stage stage(kind);
    for (const char* text : {R"("'; rm -rf / #")", R"("$(touch /tmp/x) `id` ${HOME}\n\\")",
                             R"("\u0001\u001b[31m\t\r\n\u007f\u2028\u202e")", R"("h\u00e9llo \ud83d\udc2d \"\\/")",
                             R"({"": {"__proto__": 1, "\"": []}})", "[]", "0", "\"\""}) {
        const auto heard = stage.run("echo", text);
        BOOST_TEST((heard.outcome->kind == Outcome::Kind::completed), text << ": " << heard.outcome->error_message);
        BOOST_TEST(json::parse(heard.outcome->result) == json::parse(text), text);
    }
    const std::string large = json(std::string(1'000'000, 'z')).dump();
    BOOST_TEST(stage.run("echo", large).outcome->result.size() == large.size());
}

BOOST_DATA_TEST_CASE(a_failure_says_its_class_and_why, every_kind, kind) {
    Stage stage(kind);
    const auto once = stage.run("fails");
    BOOST_TEST((once.outcome->kind == Outcome::Kind::failed));
    BOOST_TEST(!once.outcome->permanent);
    BOOST_TEST(once.outcome->error_class == "ValueError");
    BOOST_TEST(once.outcome->error_message.starts_with("no such thing"), once.outcome->error_message);
    BOOST_TEST(stage.run("fails_for_good").outcome->permanent);
    BOOST_TEST((stage.run("echo").outcome->kind == Outcome::Kind::completed));  // the next one is none the worse
}

BOOST_DATA_TEST_CASE(a_run_can_be_put_off, every_kind, kind) {
    Stage stage(kind);
    const auto heard = stage.run("later");
    BOOST_TEST((heard.outcome->kind == Outcome::Kind::try_again));
    BOOST_TEST((heard.outcome->retry_in == Millis{30'000}));
    BOOST_TEST(heard.outcome->error_message.starts_with("busy"), heard.outcome->error_message);
}

BOOST_DATA_TEST_CASE(progress_lines_and_runs_to_enqueue_are_heard, every_kind, kind) {
    Stage stage(kind);
    const auto heard = stage.run("says");
    BOOST_TEST((heard.outcome->kind == Outcome::Kind::completed), heard.outcome->error_message);
    BOOST_TEST_REQUIRE(heard.progress.size() == 1U);
    BOOST_TEST((heard.progress[0].fraction == 0.5 && heard.progress[0].text == "half"));
    BOOST_TEST(heard.has_line(Level::warning, "careful"));
    BOOST_TEST(json::parse(heard.outcome->enqueue) == json::parse(R"([{"task": "next", "payload": {"n": 1}}])"));
    BOOST_TEST(heard.outcome->result == "1");
}

BOOST_DATA_TEST_CASE(a_name_that_is_none_is_told_where_it_is_enqueued, data::make(client_kinds()), kind) {
    Stage stage(kind);
    const auto heard = stage.run("misnames");
    BOOST_TEST((heard.outcome->kind == Outcome::Kind::failed));
    BOOST_TEST(heard.outcome->error_message.find("there is no attempts; there are") != std::string::npos,
               heard.outcome->error_message);
    BOOST_TEST(!heard.has_line(Level::info, "the work is done"));
}

BOOST_DATA_TEST_CASE(a_failure_says_what_it_came_from, data::make(client_kinds()), kind) {
    Stage stage(kind);
    const auto heard = stage.run("fails_because");
    BOOST_TEST(heard.outcome->error_class == "ValueError");
    const std::string& message = heard.outcome->error_message;
    BOOST_TEST(message.starts_with("no such thing"), message);
    BOOST_TEST(message.find("the disk is full") != std::string::npos, message);
    BOOST_TEST((kind == Kind::warm_go || message.find("warm_tasks.") != std::string::npos), message);
}

BOOST_DATA_TEST_CASE(a_result_that_is_too_large_fails_that_run_alone, every_kind, kind) {
    config::Limits limits;
    limits.result_bytes = 10'000;
    Stage stage(kind, limits);
    BOOST_TEST((stage.run("sized", "10000").outcome->kind == Outcome::Kind::completed));
    const auto large = stage.run("sized", "20000");
    BOOST_TEST((large.outcome->kind == Outcome::Kind::failed));
    BOOST_TEST(large.outcome->error_class == "result_too_large");
    BOOST_TEST(large.outcome->permanent);
    BOOST_TEST(large.outcome->result == "");
    const auto larger = stage.run("sized", "2000000");
    BOOST_TEST((larger.outcome->kind == Outcome::Kind::failed));
    BOOST_TEST(larger.outcome->error_class == "result_too_large", larger.outcome->error_message);
    BOOST_TEST(larger.outcome->permanent);
    BOOST_TEST((kind == Kind::exec || !larger.outcome->signal));  // no process is lost for it but the run's own
    BOOST_TEST((stage.run("echo").outcome->kind == Outcome::Kind::completed));
}

// More than a pipe takes at once, and what the language keeps in its own buffers: the last line is the run's, whatever
// it answers.
BOOST_DATA_TEST_CASE(all_that_is_printed_before_the_answer_is_in_the_log, every_process, kind) {
    config::Limits limits;
    limits.log_bytes = 8'000'000;
    Stage stage(kind, limits);
    for (const char* answer : {"completes", "fails"}) {
        const auto heard = stage.run("prints", json(answer).dump());
        BOOST_TEST((heard.outcome->kind ==
                    (answer == std::string("fails") ? Outcome::Kind::failed : Outcome::Kind::completed)),
                   heard.outcome->error_message);
        BOOST_TEST(heard.has_line(Level::info, "the last of stderr"), answer << ": " << heard.lines.size() << " lines");
        const bool stdout_is_log = kind != Kind::exec;
        BOOST_TEST((!stdout_is_log || heard.has_line(Level::info, "the last of stdout")),
                   answer << ": " << heard.lines.size() << " lines");
        BOOST_TEST(heard.lines.size() == (stdout_is_log ? 802U : 401U));
    }
}

BOOST_DATA_TEST_CASE(a_flood_of_lines_is_cut_and_the_cut_is_said, every_kind, kind) {
    Stage stage(kind);
    const auto heard = stage.run("floods", "2000");
    BOOST_TEST((heard.outcome->kind == Outcome::Kind::completed), heard.outcome->error_message);
    std::size_t bytes = 0;
    for (const auto& [level, text] : heard.lines) bytes += text.size();
    BOOST_TEST(bytes > 60'000U);
    BOOST_TEST(bytes < 70'000U);
    BOOST_TEST(heard.lines.at(heard.lines.size() - 2).second.find("log cut") != std::string::npos);
    BOOST_TEST(heard.lines.back().second.ends_with(" bytes more were written and are not kept]"),
               heard.lines.back().second);
}

// Each "ü" is two bytes, and none is cut in two.
BOOST_DATA_TEST_CASE(words_that_are_too_long_are_cut_where_a_character_ends, every_kind, kind) {
    Stage stage(kind);
    const auto heard = stage.run("verbose");
    BOOST_TEST((heard.outcome->kind == Outcome::Kind::failed));
    BOOST_TEST(heard.outcome->error_message.size() <= 8'192U);
    BOOST_TEST(count(heard.outcome->error_message) == 4'096);
    BOOST_TEST_REQUIRE(heard.lines.size() == 1U);
    BOOST_TEST(heard.lines[0].second.ends_with(" [line cut at 8192 bytes]"));
    BOOST_TEST(count(heard.lines[0].second) == 4'096);
    BOOST_TEST_REQUIRE(heard.progress.size() == 1U);
    BOOST_TEST(heard.progress[0].text.size() == 200U);
    BOOST_TEST(count(heard.progress[0].text) == 100);
}

BOOST_DATA_TEST_CASE(what_is_enqueued_is_bounded_as_results_are, every_kind, kind) {
    config::Limits limits;
    limits.result_bytes = 10'000;
    Stage stage(kind, limits);
    BOOST_TEST(stage.run("hoards", "9000").outcome->enqueue.find(std::string(9'000, 'x')) != std::string::npos);
    for (const char* size : {"20000", "2000000"}) {  // within one message, and not
        const auto heard = stage.run("hoards", size);
        BOOST_TEST((heard.outcome->kind == Outcome::Kind::failed));
        const bool killed = kind == Kind::exec && size == std::string("2000000");
        BOOST_TEST(heard.outcome->error_class == (killed ? "message_too_large" : "result_too_large"),
                   heard.outcome->error_message);
        BOOST_TEST(heard.outcome->permanent);
        BOOST_TEST((killed || !heard.outcome->signal));
        BOOST_TEST(heard.outcome->enqueue == "");
    }
    BOOST_TEST((stage.run("echo").outcome->kind == Outcome::Kind::completed));
}

BOOST_DATA_TEST_CASE(a_run_that_takes_too_long_has_timed_out, every_kind, kind) {
    Stage stage(kind);
    stage.run("nothing");  // what takes long to start is started
    const auto heard = stage.run("waits", "null", Millis{1'500});
    BOOST_TEST((heard.outcome->kind == Outcome::Kind::timed_out), heard.outcome->error_message);
    BOOST_TEST(heard.outcome->error_class == "timeout");
    BOOST_TEST((stage.run("echo").outcome->kind == Outcome::Kind::completed));
}

BOOST_DATA_TEST_CASE(a_heartbeat_that_stays_away_is_a_timeout, every_kind, kind) {
    Stage stage(kind);
    const auto heard = stage.run("quiet");
    BOOST_TEST((heard.outcome->kind == Outcome::Kind::timed_out), heard.outcome->error_message);
    BOOST_TEST(heard.outcome->error_message.find("heartbeat") != std::string::npos, heard.outcome->error_message);
}

BOOST_DATA_TEST_CASE(a_run_can_be_canceled, every_kind, kind) {
    Stage stage(kind);
    const Uuid id = stage.start("waits");
    stage.until_began(id);
    stage.stop(id, StopReason::canceled, Millis{20'000});
    const auto& heard = stage.wait(id);
    BOOST_TEST((heard.outcome->kind == Outcome::Kind::stopped), heard.outcome->error_message);
    BOOST_TEST((stage.run("echo").outcome->kind == Outcome::Kind::completed));
}

BOOST_DATA_TEST_CASE(one_that_does_not_stop_is_over_after_the_patience, every_kind, kind) {
    Stage stage(kind);
    const Uuid id = stage.start("stubborn");
    stage.until_began(id);
    const auto begin = BootClock::now();
    stage.stop(id, StopReason::leaving, Millis{300});
    BOOST_TEST((stage.wait(id).outcome->kind == Outcome::Kind::stopped));
    BOOST_TEST((since(begin) >= Millis{290}));
    BOOST_TEST((stage.run("echo").outcome->kind == Outcome::Kind::completed));
}

BOOST_DATA_TEST_CASE(a_handler_that_is_killed_fails_its_run_and_is_replaced, every_process, kind) {
    Stage stage(kind);
    const auto heard = stage.run("dies");
    BOOST_TEST((heard.outcome->kind == Outcome::Kind::failed));
    BOOST_TEST((heard.outcome->signal == SIGKILL));
    BOOST_TEST((stage.run("echo").outcome->kind == Outcome::Kind::completed));
}

BOOST_DATA_TEST_CASE(a_handler_that_somebody_else_kills_fails_its_run_and_is_replaced, every_process, kind) {
    Stage stage(kind);
    const Uuid id = stage.start("says_its_pid");
    const pid_t pid = std::stoi(stage.until_line(id));
    BOOST_TEST_REQUIRE(::kill(pid, SIGKILL) == 0);
    const auto& heard = stage.wait(id);
    BOOST_TEST((heard.outcome->kind == Outcome::Kind::failed));
    BOOST_TEST(!heard.outcome->permanent);
    BOOST_TEST((heard.outcome->signal == SIGKILL));
    BOOST_TEST(heard.outcome->error_message.find("SIGKILL") != std::string::npos, heard.outcome->error_message);
    BOOST_TEST((stage.run("echo").outcome->kind == Outcome::Kind::completed));
}

BOOST_DATA_TEST_CASE(the_arguments_of_a_command_reach_it_as_they_are, every_process, kind) {
    const testing::TemporaryDirectory directory;
    const std::string touch = "touch " + directory.path() + "/touched";
    const std::vector<std::string> arguments{"'; rm -rf " + directory.path() + "; " + touch + " #",
                                             "$(" + touch + ")",
                                             "`" + touch + "`",
                                             "; " + touch,
                                             "two\nlines\n",
                                             "\n" + touch + "\n",
                                             "",
                                             " ",
                                             "*",
                                             "~",
                                             "$HOME ${PATH}",
                                             "%s %n",
                                             "\"\\\t\x01\x1b[31m",
                                             "h\u00e9 \U0001f42d",
                                             "--",
                                             "-c"};
    Stage stage(kind, {}, arguments);
    const auto heard = stage.run("arguments");
    BOOST_TEST_REQUIRE((heard.outcome->kind == Outcome::Kind::completed), heard.outcome->error_message);
    BOOST_TEST(json::parse(heard.outcome->result).get<std::vector<std::string>>() == arguments,
               boost::test_tools::per_element());
    BOOST_TEST(std::filesystem::is_empty(directory.path()));
}

BOOST_DATA_TEST_CASE(what_a_handler_forks_away_is_gone_at_the_end, every_process, kind) {
    Stage stage(kind);
    const pid_t pid = std::stoi(stage.run("forks").outcome->result);
    if (kind == Kind::exec) {
        BOOST_TEST(!process_is_there(pid));  // with the run
    } else {
        BOOST_TEST(process_is_there(pid));  // it may be the process' own; it goes with that
    }
    stage.close();
    BOOST_TEST(!process_is_there(pid));
}

BOOST_DATA_TEST_CASE(what_a_run_has_started_is_gone_before_it_counts_as_stopped, every_process, kind) {
    Stage stage(kind);
    const Uuid id = stage.start("starts");
    const pid_t pid = std::stoi(stage.until_line(id));
    BOOST_TEST_REQUIRE(process_is_there(pid));
    stage.stop(id, StopReason::canceled, Millis{20'000});
    BOOST_TEST((stage.wait(id).outcome->kind == Outcome::Kind::stopped));
    BOOST_TEST(!process_is_there(pid));
    BOOST_TEST((stage.run("echo").outcome->kind == Outcome::Kind::completed));
}

/// Those whose language can fork.
std::vector<Kind> forking_kinds() {
    std::vector<Kind> found = process_kinds();
    std::erase_if(found, [](Kind kind) { return kind == Kind::warm_node || kind == Kind::warm_go; });
    return found;
}

BOOST_DATA_TEST_CASE(a_forked_child_answers_for_nobody, data::make(forking_kinds()), kind) {
    Stage stage(kind);
    for (int i = 0; i < 2; ++i) {
        const auto heard = stage.run("divides");
        BOOST_TEST((heard.outcome->kind == Outcome::Kind::completed), heard.outcome->error_message);
        BOOST_TEST(json::parse(heard.outcome->result) == "once");
        BOOST_TEST(!heard.has_line(Level::info, "the child"));
    }
}

BOOST_DATA_TEST_CASE(a_worker_that_goes_takes_its_handlers_with_it, every_process, kind) {
    Stage stage(kind);
    const Uuid id = stage.start("waits");
    stage.until_began(id);
    stage.close();
    BOOST_TEST((handlers::children_of(::getpid()).empty()));
}

BOOST_AUTO_TEST_SUITE_END()
