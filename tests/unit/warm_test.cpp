// Runs through warm processes that behave: what goes in and out, how many processes there are, and how long.
#include <nlohmann/json.hpp>
#include <set>

#include "warm_fixture.h"

BOOST_AUTO_TEST_SUITE(warm)

using namespace dormouse;
using namespace dormouse::handlers;
using namespace dormouse::handlers::test;

namespace {

const std::string echo = "mark('up')\nserve(lambda run: done(run, run['payload']))\n";
/// Answers when a file "go" is there.
const std::string patient = R"(
mark('up')
def answer(run):
    mark('began')
    while not os.path.exists(os.path.join(os.path.dirname(sys.argv[0]), 'go')): time.sleep(0.01)
    done(run, os.getpid())
serve(answer)
)";

}  // namespace

BOOST_AUTO_TEST_CASE(runs_go_through_one_process_and_results_come_back_as_they_were_written) {
    WarmScene scene(
        "serve(lambda run: door.sendall(b'{\"type\":\"completed\",\"result\":{\"n\": 1.0, \"pid\":%d},"
        "\"enqueue\":[{\"task\":\"b\"}],\"id\":\"%s\"}\\n' % (os.getpid(), run['id'].encode())))");
    for (int i = 0; i < 10; ++i) scene.bench.loop().turn(false);
    BOOST_TEST(children_of(::getpid()).empty());  // none before it is needed
    const auto first = scene.bench.run();
    BOOST_TEST(children_of(::getpid()).size() == 1U);
    BOOST_TEST(kind(first) == number(Outcome::completed));
    BOOST_TEST(first.result.starts_with("{\"n\": 1.0, \"pid\":"));
    BOOST_TEST(first.enqueue == R"([{"task":"b"}])");
    BOOST_TEST(first.cpu.has_value());
    for (int i = 0; i < 10; ++i) BOOST_TEST(scene.bench.run().result == first.result);
}

BOOST_AUTO_TEST_CASE(a_run_is_told_everything_about_itself) {
    WarmScene scene("serve(lambda run: done(run, [run, os.environ.get('DORMOUSE_RUN_ID'), sys.stdin.read()]))");
    RunSpec spec;
    spec.id = Uuid::random();
    spec.task = "t";
    spec.queue = "q";
    spec.payload = "{\"a\":\n [1, \"\\n\"]}";  // with a raw line break
    spec.fence = "7:abc";
    spec.traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    spec.attempt = 2;
    spec.max_attempts = 5;
    spec.timeout = Millis{60'000};
    scene.bench.start(spec);
    const auto result = nlohmann::json::parse(scene.bench.wait(spec.id).result);
    const auto& run = result[0];
    BOOST_TEST(run["type"] == "run");
    BOOST_TEST(run["id"] == spec.id.to_string());
    BOOST_TEST(run["queue"] == "q");
    BOOST_TEST(run["payload"] == nlohmann::json::parse(spec.payload));
    BOOST_TEST(run["fence"] == "7:abc");
    BOOST_TEST(run["traceparent"] == "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");
    BOOST_TEST(run["attempt"] == 2);
    BOOST_TEST(run["max_attempts"] == 5);
    BOOST_TEST(run["deadline"].get<double>() - static_cast<double>(std::time(nullptr)) > 50);
    BOOST_TEST(result[1].is_null());
    BOOST_TEST(result[2] == "");
}

BOOST_AUTO_TEST_CASE(failures_and_wishes_are_heard) {
    WarmScene scene(R"(
def answer(run):
    if run["payload"] == 1: say(type="failed", id=run["id"], **{"class": "KeyError"}, message="no key", permanent=True)
    else: say(type="retry", id=run["id"], message="busy", **{"in": 2})
serve(answer)
)");
    const auto failed = scene.bench.run("1");
    BOOST_TEST(kind(failed) == number(Outcome::failed));
    BOOST_TEST((failed.error_class == "KeyError" && failed.error_message == "no key" && failed.permanent));
    const auto later = scene.bench.run("2");
    BOOST_TEST(kind(later) == number(Outcome::try_again));
    BOOST_TEST(later.retry_in.value().count() == 2000);
}

BOOST_AUTO_TEST_CASE(ten_thousand_runs_go_through_one_process) {
    WarmScene scene(echo, [](auto& task) { task.processes = 1; });
    scene.bench.run();
    const int before = open_descriptors();
    for (int i = 0; i < 100; ++i) {
        std::map<Uuid, int> numbers;
        for (int j = 0; j < 100; ++j) numbers[scene.bench.start(std::to_string(j))] = j;
        scene.bench.until([&] { return scene.bench.outcomes.size() >= 101; });
        int right = 0;
        for (const auto& [id, j] : numbers) right += scene.bench.outcomes.at(id).result == std::to_string(j) ? 1 : 0;
        BOOST_TEST(right == 100);
        while (scene.bench.outcomes.size() > 1) scene.bench.outcomes.erase(scene.bench.outcomes.begin());
    }
    BOOST_TEST(scene.marks("up").size() == 1U);
    BOOST_TEST(open_descriptors() == before);
}

BOOST_AUTO_TEST_CASE(a_payload_larger_than_any_buffer_arrives_and_a_result_of_the_limit_comes_back) {
    WarmScene scene("serve(lambda run: done(run, 'x' * (run['payload'][0] - 2)))");
    const std::string filler(1U << 20U, 'x');
    const auto outcome = scene.bench.run("[1048576,\"" + filler + "\"]");
    BOOST_TEST(kind(outcome) == number(Outcome::completed));
    BOOST_TEST(outcome.result.size() == 1048576U);
    const auto more = scene.bench.run("[1048577]");
    BOOST_TEST(more.error_class == "result_too_large");
    BOOST_TEST(kind(scene.bench.run("[10]")) == number(Outcome::completed));
}

BOOST_AUTO_TEST_CASE(runs_wait_while_the_process_starts) {
    WarmScene scene(
        "mark('up')\nwhile not os.path.exists(os.path.dirname(sys.argv[0]) + '/go'): time.sleep(0.01)\n" + echo,
        [](auto& task) { task.processes = 1; });
    std::vector<Uuid> ids;
    for (int i = 0; i < 5; ++i) ids.push_back(scene.bench.start(std::to_string(i)));
    scene.until_marks("up", 1);
    BOOST_TEST(scene.bench.outcomes.empty());
    scene.directory.write("go", "");
    for (int i = 0; i < 5; ++i) BOOST_TEST(scene.bench.wait(ids[i]).result == std::to_string(i));
}

BOOST_AUTO_TEST_CASE(a_process_is_added_only_when_all_are_full_and_never_more_than_allowed) {
    WarmScene scene(patient, [](auto& task) { task.processes = 2; });
    std::vector<Uuid> ids(1, scene.bench.start());
    scene.until_marks("began", 1);
    for (int i = 0; i < 4; ++i) ids.push_back(scene.bench.start());
    scene.until_marks("began", 2);
    scene.directory.write("go", "");
    std::set<std::string> pids;
    for (const auto& id : ids) pids.insert(scene.bench.wait(id).result);
    BOOST_TEST(pids.size() == 2U);
    BOOST_TEST(scene.marks("up").size() == 2U);
    for (int i = 0; i < 10; ++i) BOOST_TEST(pids.contains(scene.bench.run().result));
}

BOOST_AUTO_TEST_CASE(one_process_gets_as_many_runs_at_once_as_it_said_and_no_more) {
    WarmScene scene(R"(
hello(concurrency=3)
heard = b""
while heard.count(b"\n") < 3: heard += door.recv(65536)
door.settimeout(0.3)
try: heard += door.recv(65536)
except TimeoutError: pass
door.settimeout(None)
runs = [json.loads(line) for line in heard.splitlines()]
for run in reversed(runs[:3]): done(run, len(runs))
for run in runs[3:]: done(run, "too early")
for line in ear: done(json.loads(line), "later")
)",
                    [](auto& task) { task.processes = 1; });
    std::vector<Uuid> ids;
    for (int i = 0; i < 4; ++i) ids.push_back(scene.bench.start());
    for (int i = 0; i < 3; ++i) BOOST_TEST(scene.bench.wait(ids[i]).result == "3");
    BOOST_TEST(scene.bench.wait(ids[3]).result == "\"later\"");
}

BOOST_AUTO_TEST_CASE(tasks_with_the_same_command_share_processes) {
    const Directory directory;
    directory.write("script.py", prelude + "serve(lambda run: done(run, [run['task'], os.getpid()]))");
    auto one = task({"/usr/bin/python3", "-S", "-E", directory / "script.py"});
    one.handler = config::HandlerKind::warm;
    auto other = one;
    other.name = "u";
    auto apart = one;
    apart.name = "v";
    apart.working_directory = "/";
    Bench bench({{"t", one}, {"u", other}, {"v", apart}});
    const auto run_of = [&](const std::string& name) {
        RunSpec spec;
        spec.id = Uuid::random();
        spec.task = name;
        return nlohmann::json::parse(bench.wait(bench.start(spec, name)).result);
    };
    const auto first = run_of("t");
    const auto second = run_of("u");
    BOOST_TEST(second[0] == "u");
    BOOST_TEST(first[1] == second[1]);
    RunSpec spec;
    spec.id = Uuid::random();
    spec.task = "v";
    const auto third = bench.wait(bench.start(spec, "v"));
    BOOST_TEST(kind(third) == number(Outcome::not_started));
    BOOST_TEST(third.error_message.find("serves t, u, not this task") != std::string::npos, third.error_message);
}

BOOST_AUTO_TEST_CASE(lines_and_progress_are_those_of_the_run) {
    WarmScene scene(R"(
def answer(run):
    print("out", flush=True)
    print("err", file=sys.stderr, flush=True)
    say(type="log", id=run["id"], level="warning", text="said")
    say(type="progress", id=run["id"], fraction=0.25, text="a quarter")
    print("no line break", end="", flush=True)
    done(run)
print("before any run", flush=True)
serve(answer)
)");
    for (int i = 0; i < 20; ++i) {
        scene.bench.lines.clear();
        scene.bench.run();
        BOOST_TEST_REQUIRE(scene.bench.lines.size() == 4U);
        // Two pipes: which of them is heard first is chance. Both are before what is said after them.
        std::sort(scene.bench.lines.begin(), scene.bench.lines.begin() + 2);
        BOOST_TEST(scene.bench.lines == (std::vector<std::string>{"err", "out", "said", "no line break"}),
                   boost::test_tools::per_element());
    }
    BOOST_TEST(scene.bench.progress.size() == 20U);
}

BOOST_AUTO_TEST_CASE(what_is_printed_with_several_runs_in_flight_is_in_the_log_of_each) {
    WarmScene scene(R"(
hello(concurrency=2)
runs = [hear(), hear()]
print("whose?", flush=True)
say(type="log", text="whose?")
say(type="log", id=runs[1]["id"], text="mine")
for run in runs: done(run)
hear()
)");
    const auto one = scene.bench.start();
    const auto two = scene.bench.start();
    scene.bench.wait(one);
    scene.bench.wait(two);
    BOOST_TEST(scene.bench.lines == (std::vector<std::string>{"whose?", "whose?", "whose?", "whose?", "mine"}),
               boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(each_run_has_a_log_limit_of_its_own) {
    config::Limits limits;
    limits.log_bytes = 50;
    WarmScene scene("serve(lambda run: (print('x' * 60, flush=True), done(run)))", {}, limits);
    for (int i = 0; i < 2; ++i) scene.bench.run();
    BOOST_REQUIRE(scene.bench.lines.size() == 6U);
    BOOST_TEST(scene.bench.lines[4] == "[log cut: the handler wrote more than 50 bytes]");
    BOOST_TEST(scene.bench.lines[5] == "[10 bytes more were written and are not kept]");
}

BOOST_AUTO_TEST_CASE(a_process_without_work_is_told_to_leave_and_the_next_run_has_a_new_one) {
    WarmScene scene(echo + "mark('left')\n", [](auto& task) { task.warm_idle = Millis{50}; });
    scene.bench.run();
    scene.until_marks("left", 1);
    BOOST_TEST(scene.bench.run("7").result == "7");
    BOOST_TEST(scene.marks("up").size() == 2U);
}

BOOST_AUTO_TEST_CASE(a_process_that_does_not_leave_is_killed) {
    WarmScene scene(echo + "mark('told')\ntime.sleep(1000)\n", [](auto& task) { task.warm_idle = Millis{1}; });
    scene.bench.run();
    scene.until_marks("told", 1);
    const pid_t pid = scene.marks("told").at(0);
    scene.bench.until([&] { return is_gone(pid); });
}

BOOST_AUTO_TEST_CASE(a_process_is_replaced_after_so_many_runs_or_so_much_memory) {
    WarmScene scene("serve(lambda run: done(run, os.getpid()))", [](auto& task) {
        task.recycle_runs = 3;
        task.processes = 1;
    });
    std::map<std::string, int> runs;
    std::vector<Uuid> ids;
    for (int i = 0; i < 9; ++i) ids.push_back(scene.bench.start());
    for (const auto& id : ids) ++runs[scene.bench.wait(id).result];
    BOOST_TEST(runs.size() == 3U);
    for (const auto& [pid, count] : runs) BOOST_TEST(count == 3);

    WarmScene fat(
        "kept = []\ndef answer(run):\n    kept.append(b'x' * (run['payload'] << 20))\n    done(run, "
        "os.getpid())\nserve(answer)",
        [](auto& task) { task.recycle_memory = 100 << 20; });
    const auto first = fat.bench.run("1");
    BOOST_TEST(fat.bench.run("1").result == first.result);
    BOOST_TEST(fat.bench.run("150").result == first.result);
    BOOST_TEST(fat.bench.run("1").result != first.result);
}

BOOST_AUTO_TEST_CASE(destroying_the_handlers_ends_their_processes_and_what_they_started) {
    std::vector<pid_t> pids;
    {
        WarmScene scene(
            "import subprocess\nchild = subprocess.Popen(['/bin/sleep', '1000'])\nserve(lambda run: done(run, "
            "[os.getpid(), child.pid]))");
        for (const auto& pid : nlohmann::json::parse(scene.bench.run().result)) pids.push_back(pid.get<pid_t>());
    }
    const auto begin = BootClock::now();
    const auto dead = [](pid_t pid) { return is_gone(pid) || stat_of(pid).value_or(ProcessStat{'Z'}).state == 'Z'; };
    while (!(dead(pids[0]) && dead(pids[1])) && since(begin) < deadline) {
    }
    BOOST_TEST(dead(pids[0]));
    BOOST_TEST(dead(pids[1]));
}

BOOST_AUTO_TEST_CASE(processes_come_and_go_without_leaving_a_descriptor) {
    WarmScene scene(echo, [](auto& task) { task.recycle_runs = 1; });
    scene.bench.run();
    const auto settled = [&] {
        scene.bench.until([&] { return children_of(::getpid()).empty(); });
        scene.bench.loop().turn(false);
        return open_descriptors();
    };
    const int before = settled();
    for (int i = 0; i < 20; ++i) scene.bench.run();
    BOOST_TEST(settled() == before);
}

BOOST_AUTO_TEST_SUITE_END()
