// What a stopped run has started is gone before its attempt is over, whatever its parents did: of every kind of handler
// that is a process.
#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>

#include "conformance/stage.h"

BOOST_AUTO_TEST_SUITE(leftovers)

using namespace dormouse;
using namespace dormouse::conformance;
using handlers::Outcome;
using handlers::StopReason;
using nlohmann::json;
namespace data = boost::unit_test::data;

namespace {

/// How many processes have this argument.
int processes_with(const std::string& argument) {
    int found = 0;
    for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
        std::ifstream file(entry.path() / "cmdline");
        std::string line;
        try {
            line.assign(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
        } catch (const std::ios_base::failure&) {  // it has ended meanwhile
        }
        if (line.find(std::string("sleep") + '\0' + argument + '\0') != std::string::npos) ++found;
    }
    return found;
}

/// A time to sleep that nobody else sleeps.
std::string some_time() {
    static int last = 0;
    return "3" + std::to_string(::getpid()) + "." + std::to_string(++last);
}

struct Script {
    const char* name;
    const char* text;  ///< T: the time to sleep
    int sleeps;        ///< at once
};
std::ostream& operator<<(std::ostream& out, const Script& script) {
    return out << script.name;
}

constexpr Script scripts[] = {
    {"a shell that waits for its child", "sleep T; echo done", 1},
    {"one that goes on when it is asked to end", "trap 'echo tidy' TERM; sleep T; sleep T; sleep T", 1},
    {"one that leaves a child", "sleep T & exit 0", 1},
    {"one that leaves a child in a session of its own", "setsid sleep T >/dev/null 2>&1 & sleep T", 2},
    {"a child that ends after its parent", "(trap '' TERM; sleep T; sleep T) & sleep T", 2},
};

std::string script_of(const Script& script, const std::string& time) {
    std::string text = script.text;
    for (std::size_t at = 0; (at = text.find('T', at)) != std::string::npos; ++at) {
        const bool alone = at > 0 && text[at - 1] == ' ' && (at + 1 == text.size() || text[at + 1] != 'E');
        if (alone) text.replace(at, 1, time);
    }
    return "exec >/dev/null 2>&1; " + text;
}

std::vector<Kind> kinds_of_several_at_once() {
    std::vector<Kind> found = process_kinds();
    std::erase_if(found, [](Kind kind) { return kind != Kind::warm_node && kind != Kind::warm_go; });
    return found;
}

}  // namespace

BOOST_DATA_TEST_CASE(what_a_shell_has_started_is_gone_before_a_run_counts_as_stopped,
                     data::make(process_kinds()) * data::make(scripts), kind, script) {
    Stage stage(kind);
    stage.run("nothing");
    const std::string time = some_time();
    const Uuid id = stage.start("shells", json(script_of(script, time)).dump());
    stage.until_so([&] { return processes_with(time) == script.sleeps; });
    stage.stop(id, StopReason::canceled, Millis{20'000});
    const auto& heard = stage.wait(id);
    BOOST_TEST(processes_with(time) == 0);
    BOOST_TEST((heard.outcome->kind == Outcome::Kind::stopped), heard.outcome->error_message);
    BOOST_TEST((stage.run("echo").outcome->kind == Outcome::Kind::completed));
}

// Its language tells a function nothing while that waits so: PHP's shell_exec(), Node's spawnSync(), Python's
// os.system(), a command of Go without the context.
BOOST_DATA_TEST_CASE(what_a_function_waits_for_is_ended_while_there_is_time_to_answer,
                     data::make(process_kinds()) * data::make({"canceled", "leaving", "timeout"}), kind, why) {
    Stage stage(kind);
    const auto pid = stage.run("has_pid").outcome->result;
    const std::string time = some_time();
    const bool timeout = why == std::string("timeout");
    const std::string script = script_of(scripts[1], time);
    const Uuid id = stage.start("blocks", json(script).dump(), Millis{timeout ? 1'500 : 0});
    stage.until_so([&] { return processes_with(time) == 1; });
    const auto begin = BootClock::now();
    if (!timeout)
        stage.stop(id, why == std::string("leaving") ? StopReason::leaving : StopReason::canceled, Millis{10'000});
    const auto& heard = stage.wait(id);
    BOOST_TEST(processes_with(time) == 0);
    BOOST_TEST((heard.outcome->kind == (timeout ? Outcome::Kind::timed_out : Outcome::Kind::stopped)),
               heard.outcome->error_message << heard.outcome->result);  // not completed: its command was ended
    BOOST_TEST((since(begin) < Millis{9'000}), since(begin).count());
    BOOST_TEST_MESSAGE(kind << ", " << why << ": over after " << since(begin).count() << " ms");
    if (kind != Kind::exec) BOOST_TEST(stage.run("has_pid").outcome->result == pid);  // its process serves on
}

BOOST_DATA_TEST_CASE(what_may_be_anothers_is_gone_with_the_process_before_the_attempt_is_over,
                     data::make(kinds_of_several_at_once()), kind) {
    Stage stage(kind);
    const Uuid other = stage.start("waits");
    stage.until_began(other);
    const std::string time = some_time();
    const Uuid id = stage.start("shells", json("exec >/dev/null 2>&1; sleep " + time + " & exit 0").dump());
    stage.until_so([&] { return processes_with(time) == 1; });
    stage.until_began(id);
    stage.stop(id, StopReason::canceled, Millis{20'000});
    BOOST_TEST((stage.run("echo").outcome->kind == Outcome::Kind::completed));  // of another process
    BOOST_TEST(!stage.is_over(other));
    BOOST_TEST((!stage.is_over(id) || processes_with(time) == 0));
    stage.stop(other, StopReason::canceled, Millis{20'000});
    BOOST_TEST((stage.wait(id).outcome->kind == Outcome::Kind::stopped));
    BOOST_TEST(processes_with(time) == 0);
    BOOST_TEST((stage.wait(other).outcome->kind == Outcome::Kind::stopped));
}

// The child of a function in Go, started without its context, is known to nobody there; Node's client knows whose it is.
BOOST_DATA_TEST_CASE(what_a_stopped_run_has_left_beside_others_is_gone_before_its_attempt_is_over,
                     data::make(kinds_of_several_at_once()), kind) {
    Stage stage(kind);
    const std::string others = some_time();
    const std::string own = some_time();
    const Uuid other = stage.start("leaves", json(others).dump());
    const Uuid id = stage.start("leaves", json(own).dump());
    stage.until_so([&] { return processes_with(others) == 1 && processes_with(own) == 1; });
    stage.until_began(id);
    stage.until_began(other);
    stage.stop(id, StopReason::canceled, Millis{20'000});
    if (kind == Kind::warm_node) {
        stage.wait(id);
        BOOST_TEST(processes_with(own) == 0);
    }
    BOOST_TEST((stage.run("echo").outcome->kind == Outcome::Kind::completed));
    BOOST_TEST((!stage.is_over(id) || processes_with(own) == 0));
    BOOST_TEST(!stage.is_over(other));
    BOOST_TEST(processes_with(others) == 1);
    stage.stop(other, StopReason::canceled, Millis{20'000});
    BOOST_TEST((stage.wait(id).outcome->kind == Outcome::Kind::stopped));
    BOOST_TEST((stage.wait(other).outcome->kind == Outcome::Kind::stopped));
    BOOST_TEST(processes_with(own) + processes_with(others) == 0);
}

BOOST_AUTO_TEST_SUITE_END()
