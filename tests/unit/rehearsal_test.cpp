// What `worker --check` tries of handlers: warm processes as far as their hello, commands as exec would find them.
#include "warm_fixture.h"

BOOST_AUTO_TEST_SUITE(rehearsal)

using namespace dormouse;
using namespace dormouse::handlers;
using namespace dormouse::handlers::test;

namespace {

using Seen = std::map<std::string, Rehearsed>;

Seen rehearse(const std::map<std::string, config::Task>& tasks, Millis within = deadline) {
    const config::Limits limits;
    Bench bench(tasks, limits);
    Seen seen;
    bool done = false;
    bench.handlers().rehearse(tasks, limits, within, [&](const Seen& all) {
        seen = all;
        done = true;
    });
    BOOST_TEST(!done, "done was called from inside rehearse()");
    bench.until([&] { return done; });
    BOOST_TEST(seen.size() == tasks.size());
    return seen;
}

config::Task named(config::Task one, const std::string& name) {
    one.name = name;
    return one;
}

config::Task warm(const Directory& directory, const std::string& name, const std::string& script) {
    auto one = task({"/usr/bin/python3", "-S", "-E", directory.write(name + ".py", prelude + script)});
    one.name = name;
    one.handler = config::HandlerKind::warm;
    return one;
}

bool holds(const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
}

}  // namespace

BOOST_AUTO_TEST_CASE(each_warm_task_is_started_as_far_as_its_hello_and_leaves_again) {
    const Directory directory;
    const auto t = warm(directory, "t", "mark('begun'); serve(done, tasks=['t', 'u']); mark('left')");
    auto seen = rehearse({{"t", t}, {"u", named(t, "u")}, {"v", named(t, "v")}});
    BOOST_TEST(seen["t"].problem == "");
    BOOST_TEST(seen["u"].problem == "");
    BOOST_TEST(holds(seen["t"].text, "has said hello"), seen["t"].text);
    BOOST_TEST(holds(seen["v"].problem, "task v: its process (/usr/bin/python3) serves t, u, not this task"),
               seen["v"].problem);
    const std::string begun = directory.read("begun");
    BOOST_TEST(std::count(begun.begin(), begun.end(), '\n') == 1);  // one process for the three
    BOOST_TEST(directory.read("left") == begun);
    BOOST_TEST(is_gone(pid_in(directory, "begun")));
}

BOOST_AUTO_TEST_CASE(one_that_cannot_be_started_is_told_for_each_of_its_tasks_and_the_others_are_tried) {
    const Directory directory;
    const auto broken = warm(directory, "a", "import no_such_module");
    auto missing = warm(directory, "c", "");
    missing.command.front() = "/nowhere/python3";
    auto seen = rehearse({{"a", broken},
                          {"b", named(broken, "b")},
                          {"c", missing},
                          {"d", warm(directory, "d", "serve(done, tasks=['d'])")},
                          {"e", warm(directory, "e", "say(type='completed')")}});
    for (const std::string name : {"a", "b"}) {
        BOOST_TEST(holds(seen[name].problem, "task " + name + ": /usr/bin/python3 ended before its hello: exit 1"),
                   seen[name].problem);
        BOOST_TEST(holds(seen[name].problem, "no_such_module"), seen[name].problem);
    }
    BOOST_TEST(holds(seen["c"].problem, "/nowhere/python3 does not exist"), seen["c"].problem);
    BOOST_TEST(seen["d"].problem == "");
    BOOST_TEST(holds(seen["e"].problem, "its first message was no hello"), seen["e"].problem);
}

BOOST_AUTO_TEST_CASE(one_that_is_slow_is_killed_when_the_time_is_up_and_one_that_is_too_slow_is_a_problem) {
    const Directory directory;
    const auto slow = warm(directory, "slow", "mark('slow'); time.sleep(1000)");
    auto late = warm(directory, "late", "time.sleep(1000)");
    late.start_timeout = Millis{50};
    auto seen = rehearse({{"slow", slow}, {"late", late}}, Millis{1'500});
    BOOST_TEST(seen["slow"].problem == "");
    BOOST_TEST(seen["slow"].unfinished);
    BOOST_TEST(holds(seen["slow"].text, "has not said hello within 1500ms; start_timeout allows it 30s"),
               seen["slow"].text);
    BOOST_TEST(is_gone(pid_in(directory, "slow")));
    BOOST_TEST(!seen["late"].unfinished);
    BOOST_TEST(holds(seen["late"].problem, "did not say hello within 50ms (start_timeout)"), seen["late"].problem);
}

BOOST_AUTO_TEST_CASE(a_command_is_found_as_exec_would_find_it_and_is_not_started) {
    const Directory directory;
    const auto with_line = [&](const std::string& name, const std::string& text) {
        return named(task({directory.write(name, text, 0755)}), name);
    };
    auto by_path = named(task({"only_here"}), "by_path");
    by_path.environment_file = directory.write("env", "PATH=/nowhere:" + directory / "" + "\n");
    directory.write("only_here", "#!/bin/sh\n", 0755);
    auto in_place = named(task({"./only_here"}), "in_place");
    in_place.working_directory = directory / "";
    auto unreadable = named(task({"/bin/true"}), "unreadable");
    unreadable.environment_file = directory / "missing";
    auto not_ours = named(task({directory.write("plain", "#!/bin/sh\n", 0644)}), "not_ours");
    const std::map<std::string, config::Task> tasks{
        {"good", with_line("good", "#! /bin/sh -e\ntouch " + directory / "harm\n")},
        {"by_path", by_path},
        {"in_place", in_place},
        {"by_env", with_line("by_env", "#!/usr/bin/env python3\n")},
        {"nested", with_line("nested", "#!" + directory / "good" + "\n")},
        {"broken", with_line("broken", "#!/nowhere/ruby\n")},
        {"windows", with_line("windows", "#!/bin/sh\r\necho\r\n")},
        {"inner", with_line("inner", "#!" + directory / "broken" + "\n")},
        {"bare", with_line("bare", "echo hello\n")},
        {"empty", with_line("empty", "")},
        {"circle", with_line("circle", "#!" + directory / "circle" + "\n")},
        {"unreadable", unreadable},
        {"not_ours", not_ours}};
    auto seen = rehearse(tasks);
    for (const char* name : {"good", "by_path", "in_place", "by_env", "nested"})
        BOOST_TEST(seen[name].problem == "", seen[name].problem);
    const std::map<std::string, std::string> expected{
        {"broken", "has the interpreter \"/nowhere/ruby\" in its #! line: No such file or directory"},
        {"windows", "has the line ends of Windows"},
        {"inner", "has the interpreter \"/nowhere/ruby\""},
        {"bare", "needs a #! line"},
        {"empty", "needs a #! line"},
        {"circle", "Too many levels"},
        {"unreadable", "missing"},
        {"not_ours", "is not executable"}};
    for (const auto& [name, words] : expected)
        BOOST_TEST(holds(seen[name].problem, words), name << ": " << seen[name].problem);
    BOOST_TEST(!std::filesystem::exists(directory / "harm"));
    // A run tells the same of what the check finds, and the other way round.
    for (const auto& [name, one] : tasks) {
        Bench bench(one);
        const bool started = bench.run().kind != Outcome::not_started;
        BOOST_TEST(started == seen[name].problem.empty(), name);
    }
}

BOOST_AUTO_TEST_SUITE_END()
