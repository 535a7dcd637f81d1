// Warm processes that do not behave, and runs that are stopped: what becomes of the runs, and that processes are
// replaced.
#include <nlohmann/json.hpp>

#include "warm_fixture.h"

BOOST_AUTO_TEST_SUITE(warm_trouble)

using namespace dormouse;
using namespace dormouse::handlers;
using namespace dormouse::handlers::test;

namespace {

/// The outcome of one run, and that the next one finds a process that serves.
Outcome outcome_of(const std::string& answer, const std::function<void(config::Task&)>& change = {},
                   config::Limits limits = {}) {
    WarmScene scene(
        "def bad(run):\n" + answer + "\nserve(lambda run: bad(run) if run['payload'] == 'bad' else done(run))", change,
        limits);
    const auto outcome = scene.bench.run("\"bad\"");
    BOOST_TEST(kind(scene.bench.run("1")) == number(Outcome::completed));
    return outcome;
}

Outcome outcome_of_start(const std::string& script, const std::function<void(config::Task&)>& change = {}) {
    WarmScene scene(script, change);
    return scene.bench.run();
}

bool contains(const Outcome& outcome, const std::string& words) {
    return outcome.error_message.find(words) != std::string::npos;
}

}  // namespace

BOOST_AUTO_TEST_CASE(a_process_that_dies_fails_its_run_with_the_last_of_its_stderr) {
    const auto outcome = outcome_of("    print('why', file=sys.stderr, flush=True)\n    os._exit(3)");
    BOOST_TEST(kind(outcome) == number(Outcome::failed));
    BOOST_TEST(outcome.error_class == "process_died");
    BOOST_TEST(outcome.error_message == "the process died: exit 3\nwhy");
    BOOST_TEST(!outcome.permanent);
    const auto killed = outcome_of("    os.kill(os.getpid(), signal.SIGKILL)");
    BOOST_TEST(killed.error_message == "the process died: killed by signal 9 (SIGKILL)");
}

BOOST_AUTO_TEST_CASE(an_answer_just_before_death_counts) {
    for (int i = 0; i < 3; ++i) {
        WarmScene scene("serve(lambda run: (done(run, 5), os._exit(3)))");
        BOOST_TEST(scene.bench.run().result == "5");
    }
}

BOOST_AUTO_TEST_CASE(nonsense_kills_the_process_and_fails_its_runs) {
    const std::map<std::string, std::string> cases{
        {"    door.sendall(b'hello?\\n'); time.sleep(1000)", "it sent an invalid message: it is not JSON: hello?"},
        {"    say(type='completed'); time.sleep(1000)", "without an id"},
        {"    say(type='completed', id='01a203aa-64db-726e-88bd-89d26dc6467f'); time.sleep(1000)",
         "answered a run that it does not have"},
        {"    hello(); time.sleep(1000)", "hello twice"},
        {"    door.shutdown(socket.SHUT_RDWR); time.sleep(1000)", "closed its socket"},
    };
    for (const auto& [answer, words] : cases) {
        const auto outcome = outcome_of(answer);
        BOOST_TEST(kind(outcome) == number(Outcome::failed));
        BOOST_TEST(outcome.error_class == "protocol");
        BOOST_TEST(contains(outcome, words), outcome.error_message);
    }
}

BOOST_AUTO_TEST_CASE(a_second_answer_kills_the_process_but_not_the_first_answer) {
    WarmScene scene(
        "mark('up')\ndef twice(run):\n    line = json.dumps({'type': 'completed', 'id': run['id'], 'result': 1}) + "
        "'\\n'\n"
        "    door.sendall((line * 2).encode())\n    time.sleep(1000)\nserve(twice)");
    BOOST_TEST(scene.bench.run().result == "1");
    BOOST_TEST(scene.bench.run().result == "1");
    BOOST_TEST(scene.marks("up").size() == 2U);
}

BOOST_AUTO_TEST_CASE(a_line_of_a_run_that_has_been_answered_does_no_harm) {
    WarmScene scene("mark('up')\nserve(lambda run: (done(run, 1), say(type='log', id=run['id'], text='late')))");
    for (int i = 0; i < 5; ++i) BOOST_TEST(scene.bench.run().result == "1");
    BOOST_TEST(scene.marks("up").size() == 1U);
}

BOOST_AUTO_TEST_CASE(a_message_over_the_limit_kills_the_process) {
    const auto outcome = outcome_of("    door.sendall(b'x' * 3000000); time.sleep(1000)");
    BOOST_TEST(outcome.error_class == "message_too_large");
    BOOST_TEST(outcome.permanent);  // it was alone
    BOOST_TEST(contains(outcome, "1114112 bytes"));
}

BOOST_AUTO_TEST_CASE(a_flood_of_printing_is_cut_and_counted_and_kills_nobody) {
    config::Limits limits;
    limits.log_bytes = 8192;
    WarmScene scene(
        "def flood(run):\n    sys.stdout.write('line\\n' * 2000000)\n    sys.stdout.flush()\n    done(run, "
        "1)\nserve(flood)",
        {}, limits);
    for (int i = 0; i < 2; ++i) {
        BOOST_TEST(scene.bench.run().result == "1");
        BOOST_TEST(scene.bench.lines.back().ends_with(" bytes more were written and are not kept]"),
                   scene.bench.lines.back());
    }
}

BOOST_AUTO_TEST_CASE(a_flood_does_not_starve_another_process) {
    WarmScene scene("serve(lambda run: os.system('cat /dev/zero >&2') if run['payload'] == 1 else done(run, 2))");
    const auto flood = scene.bench.start("1");
    for (int i = 0; i < 10; ++i) BOOST_TEST(scene.bench.run("2").result == "2");
    scene.bench.handler().stop(flood, StopReason::canceled, Millis{0});
    scene.bench.wait(flood);
}

BOOST_AUTO_TEST_CASE(a_process_that_does_not_read_blocks_nobody) {
    WarmScene scene("hello(concurrency=8)\nrun = hear()\nmark('began')\ntime.sleep(1000)",
                    [](auto& task) { task.processes = 1; });
    const std::string big = "\"" + std::string(1U << 20U, 'x') + "\"";
    std::vector<Uuid> ids;
    for (int i = 0; i < 8; ++i) ids.push_back(scene.bench.start(big));
    scene.until_marks("began", 1);
    for (const auto& id : ids) scene.bench.handler().stop(id, StopReason::canceled, Millis{20});
    for (const auto& id : ids) BOOST_TEST(kind(scene.bench.wait(id)) == number(Outcome::stopped));
}

BOOST_AUTO_TEST_CASE(who_ends_before_its_hello_has_not_started) {
    const auto outcome = outcome_of_start("print('no module', file=sys.stderr)\nsys.exit(1)");
    BOOST_TEST(kind(outcome) == number(Outcome::not_started));
    BOOST_TEST(contains(outcome, "ended before its hello: exit 1\nno module"), outcome.error_message);
    auto missing = task({"/nowhere/program"});
    missing.handler = config::HandlerKind::warm;
    Bench bench(missing);
    BOOST_TEST(kind(bench.run()) == number(Outcome::not_started));
    BOOST_TEST(bench.handlers().check().find("does not exist") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(who_hangs_before_its_hello_is_killed_and_has_not_started) {
    const auto outcome = outcome_of_start("print('importing', file=sys.stderr, flush=True)\ntime.sleep(1000)",
                                          [](auto& task) { task.start_timeout = Millis{600}; });
    BOOST_TEST(kind(outcome) == number(Outcome::not_started));
    BOOST_TEST(contains(outcome, "did not say hello within 600ms (start_timeout)\nimporting"), outcome.error_message);
}

BOOST_AUTO_TEST_CASE(a_hello_that_does_not_fit_is_no_start) {
    const auto stranger = outcome_of_start("say(type='hello', protocol=2, tasks=['t'])\ntime.sleep(1000)");
    BOOST_TEST(kind(stranger) == number(Outcome::not_started));
    BOOST_TEST(contains(stranger, "protocol 2, this worker 1"), stranger.error_message);
    const auto silent = outcome_of_start("say(type='completed')\ntime.sleep(1000)");
    BOOST_TEST(kind(silent) == number(Outcome::not_started));
    BOOST_TEST(contains(silent, "its first message was no hello"), silent.error_message);
    const auto other = outcome_of_start("hello(tasks=['x', 'y'])\nhear()");
    BOOST_TEST(kind(other) == number(Outcome::not_started));
    BOOST_TEST(contains(other, "serves x, y, not this task"), other.error_message);
}

BOOST_AUTO_TEST_CASE(a_start_that_fails_is_not_tried_again_at_once) {
    WarmScene scene("mark('up')\nsys.exit(1)");
    scene.bench.run();
    scene.bench.run();  // within the backoff: answered by the last failure
    BOOST_TEST(scene.marks("up").size() == 1U);
    scene.bench.until([&] {
        scene.bench.run();
        return scene.marks("up").size() == 2U;
    });
}

BOOST_AUTO_TEST_CASE(a_task_whose_runs_end_their_process_waits_ever_longer_until_one_completes) {
    WarmScene scene("mark('up')\nserve(lambda run: os._exit(3) if run['payload'] == 'die' else done(run))");
    const auto took = [&](const std::string& payload) {
        const auto begin = BootClock::now();
        scene.bench.run(payload);
        return since(begin).count();
    };
    took("\"die\"");
    BOOST_TEST(scene.bench.lines.empty());
    BOOST_TEST(took("\"die\"") >= 250 - 50);  // half of the pause is for chance; 50 ms may have passed of it
    BOOST_TEST(took("\"work\"") >= 500 - 50);
    BOOST_TEST_REQUIRE(scene.bench.lines.size() == 2U);
    BOOST_TEST(scene.bench.lines.back().ends_with(" for a process: runs of task t have ended 2 in a row"),
               scene.bench.lines.back());
    took("\"die\"");
    took("\"work\"");
    BOOST_TEST(scene.bench.lines.back().ends_with(" have ended 1 in a row"), scene.bench.lines.back());
    BOOST_TEST(scene.marks("up").size() == 4U);
}

BOOST_AUTO_TEST_CASE(a_task_whose_runs_end_their_process_holds_up_no_other_task) {
    const Directory directory;
    directory.write("script.py",
                    prelude + "serve(lambda run: os._exit(3) if run['task'] == 't' else done(run, 1), concurrency=2)");
    std::map<std::string, config::Task> tasks;
    for (const char* name : {"t", "u"}) {
        tasks[name] = task({"/usr/bin/python3", "-S", "-E", directory / "script.py"});
        tasks[name].name = name;
        tasks[name].handler = config::HandlerKind::warm;
        tasks[name].processes = 1;
    }
    Bench bench(tasks);
    const auto start = [&](const std::string& name) {
        RunSpec spec;
        spec.id = Uuid::random();
        spec.task = name;
        spec.payload = "{}";
        return bench.start(std::move(spec), name);
    };
    for (int i = 0; i < 5; ++i) BOOST_TEST(kind(bench.wait(start("t"))) == number(Outcome::failed));
    const auto poison = start("t");
    const auto innocent = start("u");
    BOOST_TEST(kind(bench.wait(innocent)) == number(Outcome::completed));
    BOOST_TEST(!bench.outcomes.contains(poison));  // its pause is four to eight seconds
    BOOST_TEST(bench.lines.back().starts_with("waits "), bench.lines.back());
    BOOST_TEST(kind(bench.wait(poison)) == number(Outcome::failed));
}

BOOST_AUTO_TEST_CASE(a_canceled_run_is_told_and_its_process_stays) {
    WarmScene scene(R"(
mark('up')
def answer(run):
    if run["payload"] == 1: return done(run)
    mark('began')
    word = hear()
    say(type="failed", id=word["id"], message=word["type"] + " " + word["reason"])
serve(answer)
)");
    const auto id = scene.bench.start("0");
    scene.until_marks("began", 1);
    scene.bench.handler().stop(id, StopReason::leaving, Millis{20'000});
    const auto outcome = scene.bench.wait(id);
    BOOST_TEST(kind(outcome) == number(Outcome::stopped));
    BOOST_TEST(outcome.error_message == "stopped: the worker is leaving");
    BOOST_TEST(kind(scene.bench.run("1")) == number(Outcome::completed));
    BOOST_TEST(scene.marks("up").size() == 1U);
}

BOOST_AUTO_TEST_CASE(a_run_that_completes_although_it_was_canceled_has_completed) {
    WarmScene scene("serve(lambda run: (mark('began'), hear(), done(run, 3)))");
    const auto id = scene.bench.start();
    scene.until_marks("began", 1);
    scene.bench.handler().stop(id, StopReason::canceled, Millis{20'000});
    BOOST_TEST(scene.bench.wait(id).result == "3");
}

BOOST_AUTO_TEST_CASE(a_timeout_is_told_and_is_a_timeout_whatever_is_answered) {
    WarmScene scene("serve(lambda run: (hear()['reason'] == 'timeout' and done(run, 3)))");
    const auto outcome = scene.bench.run("{}", Millis{50});
    BOOST_TEST(kind(outcome) == number(Outcome::timed_out));
    BOOST_TEST(outcome.error_message == "timed out after 50ms");
}

BOOST_AUTO_TEST_CASE(a_missed_heartbeat_is_a_timeout) {
    WarmScene scene("serve(lambda run: (say(type='heartbeat', id=run['id'], within=0.05), hear(), done(run)))");
    const auto outcome = scene.bench.run();
    BOOST_TEST(kind(outcome) == number(Outcome::timed_out));
    BOOST_TEST(outcome.error_message == "no heartbeat within 50ms");
}

BOOST_AUTO_TEST_CASE(a_run_that_does_not_stop_costs_its_process_and_the_others_no_attempt) {
    WarmScene scene(R"(
mark('up')
hello(concurrency=2)
for line in ear:
    message = json.loads(line)
    if message["type"] == "run" and message["payload"] == 1: done(message)
    elif message["type"] == "run": mark('began')
)",
                    [](auto& task) { task.processes = 1; });
    const auto stubborn = scene.bench.start();
    const auto neighbour = scene.bench.start();
    scene.until_marks("began", 2);
    scene.bench.handler().stop(stubborn, StopReason::canceled, Millis{50});
    const auto outcome = scene.bench.wait(stubborn);
    BOOST_TEST(kind(outcome) == number(Outcome::stopped));
    BOOST_TEST(outcome.error_message == "stopped: the run was canceled");
    const auto other = scene.bench.wait(neighbour);
    BOOST_TEST(kind(other) == number(Outcome::stopped));
    BOOST_TEST(contains(other, "killed because of another run, " + stubborn.to_string()), other.error_message);
    BOOST_TEST(kind(scene.bench.run("1")) == number(Outcome::completed));
    BOOST_TEST(scene.marks("up").size() == 2U);
}

BOOST_AUTO_TEST_CASE(a_run_that_waits_for_a_process_is_stopped_from_a_later_turn) {
    WarmScene scene("time.sleep(1000)");
    const auto id = scene.bench.start();
    scene.bench.handler().stop(id, StopReason::canceled, Millis{10'000});
    BOOST_TEST(!scene.bench.outcomes.contains(id));
    BOOST_TEST(kind(scene.bench.wait(id)) == number(Outcome::stopped));
}

BOOST_AUTO_TEST_CASE(a_run_that_is_still_at_work_is_not_started_twice) {
    WarmScene scene("serve(lambda run: (mark('began'), hear(), done(run)))");
    RunSpec spec;
    spec.id = scene.bench.start();
    scene.until_marks("began", 1);
    struct Second : RunListener {
        void on_line(const Uuid& /*id*/, const Line& /*line*/) override {}
        void on_progress(const Uuid& /*id*/, Progress /*progress*/) override {}
        void on_done(const Uuid& /*id*/, Outcome outcome) override { ended = std::move(outcome); }
        std::optional<Outcome> ended;
    } second;
    scene.bench.handler().start(spec, second);
    scene.bench.until([&] { return second.ended.has_value(); });
    BOOST_TEST(kind(*second.ended) == number(Outcome::not_started));
    scene.bench.handler().stop(spec.id, StopReason::canceled, Millis{10'000});
    BOOST_TEST(kind(scene.bench.wait(spec.id)) == number(Outcome::completed));
}

BOOST_AUTO_TEST_CASE(what_a_process_forked_away_is_gone_with_it) {
    WarmScene scene(
        "import subprocess\nserve(lambda run: (subprocess.Popen(['/usr/bin/setsid', '/bin/sh', '-c', 'echo $$ > ' + "
        "os.path.dirname(sys.argv[0]) + '/orphan; exec sleep 1000']), mark('began'), time.sleep(1000)))");
    const auto id = scene.bench.start();
    scene.bench.until([&] { return scene.directory.read("orphan").ends_with('\n'); });
    scene.bench.handler().stop(id, StopReason::canceled, Millis{0});
    scene.bench.wait(id);
    BOOST_TEST(is_gone(pid_in(scene.directory, "orphan")));
}

BOOST_AUTO_TEST_SUITE_END()
