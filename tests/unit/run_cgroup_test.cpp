// Cgroups of runs. What needs a real cgroup v2 that we may write to makes a delegated one of its own and
// moves this process there and back; elsewhere those cases are skipped by name.
#include "handlers/run_cgroup.h"

#include <sys/wait.h>
#include <sys/xattr.h>

#include <csignal>
#include <fstream>

#include "warm_fixture.h"

BOOST_AUTO_TEST_SUITE(run_cgroup)

using namespace dormouse;
using namespace dormouse::handlers;
using namespace dormouse::handlers::test;

namespace {

std::string unified_root() {
    for (const char* root : {"/sys/fs/cgroup", "/sys/fs/cgroup/unified"}) {
        if (::access((std::string(root) + "/cgroup.controllers").c_str(), F_OK) == 0) return root;
    }
    return {};
}

std::string own_path() {
    std::ifstream file("/proc/self/cgroup");
    for (std::string line; std::getline(file, line);) {
        if (line.starts_with("0::/")) return line.substr(3);
    }
    return "/";
}

/// A cgroup as systemd would delegate it, with this process in it.
class Delegated {
  public:
    Delegated() {
        if (root.empty() || ::mkdir(directory.c_str(), 0755) != 0) return;
        enter(directory);
        usable = own_path() == path && ::setxattr(directory.c_str(), "user.delegate", "1", 1, 0) == 0;
    }
    ~Delegated() {
        if (root.empty()) return;
        enter(home);
        left_clean = ::rmdir(directory.c_str()) == 0;
    }
    /// As systemd does for Delegate=yes; false where the controller is not in this hierarchy, or ours is in use.
    [[nodiscard]] bool has(const std::string& controller) const {
        std::ofstream(home + "/cgroup.subtree_control") << "+" + controller << std::flush;
        std::ifstream file(directory + "/cgroup.controllers");
        for (std::string name; file >> name;)
            if (name == controller) return true;
        return false;
    }
    static void enter(const std::string& where) { std::ofstream(where + "/cgroup.procs") << "0" << std::flush; }

    std::string root = unified_root();
    std::string home = root + own_path();
    std::string path = (own_path() == "/" ? "" : own_path()) + "/dormouse-unit-" + std::to_string(::getpid());
    std::string directory = root + path;
    bool usable = false;
    static inline bool left_clean = false;
};

boost::test_tools::assertion_result can_delegate(boost::unit_test::test_unit_id) {
    const Delegated delegated;
    boost::test_tools::assertion_result answer(delegated.usable);
    answer.message() << "no cgroup v2 that this user may write to";
    return answer;
}

const auto real = boost::unit_test::precondition(can_delegate);

template <const char* controller>
boost::test_tools::assertion_result has(boost::unit_test::test_unit_id) {
    const Delegated delegated;
    boost::test_tools::assertion_result answer(delegated.usable && delegated.has(controller));
    answer.message() << "no " << controller << " controller in the unified hierarchy of this machine";
    return answer;
}
constexpr char memory[] = "memory";
constexpr char pids[] = "pids";
constexpr char cpu[] = "cpu";

}  // namespace

BOOST_AUTO_TEST_CASE(a_machine_without_cgroup_v2_is_told_apart_in_one_line) {
    const Directory directory;
    BOOST_TEST(RunCgroups("/nowhere").why_not() == "no unified cgroup hierarchy at /nowhere");
    BOOST_TEST(RunCgroups(directory / "").why_not() == "no unified cgroup hierarchy at " + directory / "");
    Bench bench(shell("true"));
    BOOST_TEST(bench.handlers().isolation() == "a process group for each run: no unified cgroup hierarchy at /nowhere");
}

// What the files below do is the kernel's; that the right words stand in the right files needs no kernel.
BOOST_AUTO_TEST_CASE(limits_are_written_into_the_files_of_their_controllers) {
    const auto written = [](const CgroupLimits& limits, const std::set<std::string>& enabled) {
        const Directory directory;
        const auto files = {"memory.max", "memory.oom.group", "memory.swap.max", "cpu.weight", "pids.max"};
        for (const char* file : files) directory.write(file, "");
        BOOST_TEST(write_limits(directory / "", limits, enabled).has_value());
        std::string all;
        for (const char* file : files) all += directory.read(file) + ";";
        return all;
    };
    const CgroupLimits all{.memory_max = 64 << 20, .cpu_weight = 17, .pids_max = 10};
    BOOST_TEST(written(all, {"memory", "cpu", "pids"}) == "67108864;1;0;17;10;");
    BOOST_TEST(written(all, {"memory"}) == "67108864;1;0;;;");
    BOOST_TEST(written(all, {"cpu"}) == ";;;17;;");
    BOOST_TEST(written(all, {"pids"}) == ";;;;10;");
    BOOST_TEST(written({}, {"memory", "cpu", "pids"}) == ";;;;;");
    const Directory directory;
    directory.write("memory.max", "");  // a kernel without swap accounting, or older than memory.oom.group
    BOOST_TEST(write_limits(directory / "", {.memory_max = 1}, {"memory"}).has_value());
    const auto refused = write_limits(directory / "", {.pids_max = 1}, {"pids"});
    BOOST_TEST_REQUIRE(!refused.has_value());
    BOOST_TEST(refused.error().message.find(directory / "/pids.max: No such file") != std::string::npos,
               refused.error().message);
}

BOOST_AUTO_TEST_CASE(what_a_tree_has_taken_is_read_from_the_files_of_its_cgroup) {
    const Directory directory;
    const RunCgroup cgroup(directory / "", UniqueFd());
    BOOST_TEST((!cgroup.cpu() && !cgroup.peak_memory() && !cgroup.out_of_memory() && !cgroup.populated()));
    directory.write("cgroup.events", "populated 1\nfrozen 0\n");
    directory.write("cpu.stat", "usage_usec 1234567\nuser_usec 1000000\nsystem_usec 234567\n");
    directory.write("memory.peak", "209715200\n");
    directory.write("memory.events", "low 0\nhigh 0\nmax 31\noom 1\noom_kill 0\noom_group_kill 0\n");
    BOOST_TEST(cgroup.populated());
    BOOST_TEST(cgroup.cpu().value().count() == 1234);
    BOOST_TEST(cgroup.peak_memory().value() == 200 << 20);
    BOOST_TEST(!cgroup.out_of_memory());
    directory.write("memory.events", "low 0\nhigh 0\nmax 31\noom 1\noom_kill 1\noom_group_kill 1\n");
    BOOST_TEST(cgroup.out_of_memory());
}

BOOST_AUTO_TEST_CASE(a_cgroup_that_nobody_delegated_is_left_alone, *real) {
    const Delegated delegated;
    ::removexattr(delegated.directory.c_str(), "user.delegate");
    const RunCgroups cgroups(delegated.root);
    BOOST_TEST(!cgroups.available());
    BOOST_TEST(cgroups.why_not() ==
               "cgroup " + delegated.path + " is not delegated (in its unit it is, by Delegate=yes)");
    BOOST_TEST(own_path() == delegated.path);
}

BOOST_AUTO_TEST_CASE(a_delegated_cgroup_is_found_and_swept, *real) {
    const Delegated delegated;
    ::mkdir((delegated.directory + "/run-4242-9").c_str(), 0755);  // of a worker that was killed
    const RunCgroups cgroups(delegated.root);
    BOOST_TEST(cgroups.why_not() == "");
    BOOST_TEST(own_path() == delegated.path);
    BOOST_TEST(!std::filesystem::exists(delegated.directory + "/run-4242-9"));
    const RunCgroups again(delegated.root);
    BOOST_TEST(again.available());
    BOOST_TEST(own_path() == delegated.path);
}

BOOST_AUTO_TEST_CASE(what_another_process_left_is_killed_and_nobody_else, *real) {
    const Delegated delegated;
    const RunCgroups cgroups(delegated.root);
    const auto sleeper_in = [&](const std::string& name) {
        const std::string directory = delegated.directory + "/" + name;
        ::mkdir(directory.c_str(), 0755);
        const pid_t pid = ::fork();
        if (pid == 0)
            for (;;) ::pause();
        std::ofstream(directory + "/cgroup.procs") << pid;
        return pid;
    };
    const pid_t dead = sleeper_in("run-4242-7");
    const pid_t beside = sleeper_in("run-42420-7");
    cgroups.kill_runs_of(4242);
    int status = 0;
    BOOST_TEST(::waitpid(dead, &status, 0) == dead);
    BOOST_TEST(WTERMSIG(status) == SIGKILL);
    BOOST_TEST(::waitpid(beside, &status, WNOHANG) == 0);
    ::kill(beside, SIGKILL);
    ::waitpid(beside, &status, 0);
}

BOOST_AUTO_TEST_CASE(a_run_and_all_it_forks_is_in_its_cgroup_and_goes_with_it, *real) {
    {
        const Delegated delegated;
        const Directory directory;
        Bench bench(shell("cat /proc/self/cgroup | grep ^0:: >" + directory / "cgroup" +
                          "; setsid env -i sh -c 'trap \"\" TERM; sleep 1000 & exec sleep 1000' &"
                          " setsid sh -c 'trap \"\" TERM; echo $$ >" +
                          directory / "pid" +
                          "; exec sleep 1000' &"
                          " while ! [ -s " +
                          directory / "pid" + " ]; do :; done; echo ok; [ ! -e " + directory / "first" +
                          " ] || exec sleep 1000; : >" + directory / "first"),
                    {}, RunCgroups(delegated.root));
        BOOST_TEST(bench.handlers().isolation() == "a cgroup for each run");
        const auto outcome = bench.run();
        BOOST_TEST(outcome.result == "\"ok\"");
        BOOST_TEST(directory.read("cgroup").find(delegated.path + "/run-" + std::to_string(::getpid()) + "-1\n") !=
                   std::string::npos);
        BOOST_TEST(outcome.cpu.has_value());
        const auto pid = pid_in(directory, "pid");
        BOOST_TEST((is_gone(pid) || stat_of(pid).value_or(ProcessStat{'Z'}).state == 'Z'));  // its reaper is another
        BOOST_TEST(!std::filesystem::exists(delegated.directory + "/run-" + std::to_string(::getpid()) + "-1"));
        const auto id = bench.start();  // does not end by itself
        bench.handler().stop(id, StopReason::canceled, Millis{0});
        BOOST_TEST((bench.wait(id).kind == Outcome::stopped));
    }
    BOOST_TEST(Delegated::left_clean);
}

BOOST_AUTO_TEST_CASE(cgroups_that_a_handler_made_are_removed_with_its_own, *real) {
    {
        const Delegated delegated;
        RunCgroups cgroups(delegated.root);
        auto made = cgroups.make();
        BOOST_REQUIRE(made);
        std::filesystem::create_directories(made->directory() + "/a/b");
        BOOST_TEST(!made->populated());
    }
    BOOST_TEST(Delegated::left_clean);
}

BOOST_AUTO_TEST_CASE(what_a_stopped_run_of_a_warm_process_has_started_is_gone_and_what_it_keeps_is_not, *real) {
    {
        const Delegated delegated;
        const Directory directory;
        directory.write("script.py", prelude + R"(
import subprocess
kept = []
def answer(run):
    if run["type"] == "cancel": return say(type="failed", id=run["id"], message="cancelled", keep=[kept[0].pid])
    if run["payload"] != "bad": return done(run)
    kept.append(subprocess.Popen(["sleep", "300"]))
    subprocess.run(["sh", "-c", "setsid sleep 300 >/dev/null 2>&1 & echo $! >" + os.path.dirname(sys.argv[0]) + "/left"])
    with open(os.path.dirname(sys.argv[0]) + "/kept", "w") as file: file.write(f"{kept[0].pid}\n")
    mark("ready")
serve(answer)
)");
        auto one = task({"/usr/bin/python3", "-S", "-E", directory / "script.py"});
        one.handler = config::HandlerKind::warm;
        Bench bench(one, {}, RunCgroups(delegated.root));
        const auto id = bench.start("\"bad\"");
        bench.until([&] { return !directory.read("ready").empty(); });
        bench.handler().stop(id, StopReason::canceled, Millis{20'000});
        BOOST_TEST((bench.wait(id).kind == Outcome::stopped));
        const auto left = stat_of(pid_in(directory, "left"));  // whoever has adopted it may not have reaped it yet
        BOOST_TEST((!left || left->state == 'Z'));
        BOOST_TEST(!is_gone(pid_in(directory, "kept")));
        BOOST_TEST((bench.run("1").kind == Outcome::completed));
    }
    BOOST_TEST(Delegated::left_clean);
}

BOOST_AUTO_TEST_CASE(a_limit_that_has_no_effect_here_is_said) {
    auto one = shell("true");
    one.memory_max = 1 << 20;
    Bench bench(one);
    BOOST_TEST(bench.handlers().limits_without_effect() ==
               "task t: memory_max has no effect: no unified cgroup hierarchy at /nowhere");
    BOOST_TEST((bench.run().kind == Outcome::completed));
    BOOST_TEST(Bench(shell("true")).handlers().limits_without_effect() == "");
}

BOOST_AUTO_TEST_CASE(a_controller_that_is_not_there_is_said, *real) {
    {
        const Delegated delegated;
        if (delegated.has("memory")) return;
        auto one = shell("true");
        one.memory_max = 1 << 20;
        Bench bench(one, {}, RunCgroups(delegated.root));
        BOOST_TEST(bench.handlers().limits_without_effect().find("memory_max has no effect: this cgroup has no such") !=
                   std::string::npos);
        BOOST_TEST((bench.run().kind == Outcome::completed));
    }
    BOOST_TEST(Delegated::left_clean);
}

BOOST_AUTO_TEST_CASE(a_tree_that_forks_without_end_meets_pids_max, *boost::unit_test::precondition(has<pids>)) {
    {
        const Delegated delegated;
        BOOST_REQUIRE(delegated.has("pids"));
        auto one =
            task({"/usr/bin/python3", "-c",
                  "import os,sys,time\nmade = 0\n"
                  "try:\n  for i in range(100):\n    if os.fork() == 0: time.sleep(60); os._exit(0)\n    made += 1\n"
                  "except OSError: print(made, end='')\n"});
        one.pids_max = 10;
        Bench bench(one, {}, RunCgroups(delegated.root));
        BOOST_TEST(bench.handlers().limits_without_effect() == "");
        BOOST_TEST(own_path() == delegated.path + "/worker");
        BOOST_TEST(bench.run().result == "9");
        const RunCgroups again(delegated.root);  // as after a new configuration
        BOOST_TEST(again.why_not() == "");
        Delegated::enter(delegated.directory + "/..");
        ::rmdir((delegated.directory + "/worker").c_str());
    }
    BOOST_TEST(Delegated::left_clean);
}

BOOST_AUTO_TEST_CASE(the_cpu_weight_of_a_task_is_that_of_its_cgroup, *boost::unit_test::precondition(has<cpu>)) {
    {
        const Delegated delegated;
        BOOST_REQUIRE(delegated.has("cpu"));
        auto one = shell("printf %s $(cat " + delegated.root + "$(sed s/^0::// /proc/self/cgroup)/cpu.weight)");
        one.cpu_weight = 17;
        Bench bench(one, {}, RunCgroups(delegated.root));
        BOOST_TEST(bench.run().result == "17");
        Delegated::enter(delegated.directory + "/..");
        ::rmdir((delegated.directory + "/worker").c_str());
    }
    BOOST_TEST(Delegated::left_clean);
}

BOOST_AUTO_TEST_CASE(a_tree_that_takes_too_much_memory_is_ended_and_said_so,
                     *boost::unit_test::precondition(has<memory>)) {
    {
        const Delegated delegated;
        BOOST_REQUIRE(delegated.has("memory"));
        auto one = task({"/usr/bin/python3", "-c", "x = bytearray(256 << 20)"});
        one.memory_max = 32 << 20;
        Bench bench(one, {}, RunCgroups(delegated.root));
        const auto outcome = bench.run();
        BOOST_TEST(outcome.error_class == "out_of_memory");
        BOOST_TEST(outcome.error_message.find("(memory_max of task t)") != std::string::npos);
        Delegated::enter(delegated.directory + "/..");
        ::rmdir((delegated.directory + "/worker").c_str());
    }
    BOOST_TEST(Delegated::left_clean);
}

BOOST_AUTO_TEST_CASE(a_warm_process_that_takes_too_much_memory_fails_its_run_and_is_replaced,
                     *boost::unit_test::precondition(has<memory>)) {
    {
        const Delegated delegated;
        BOOST_REQUIRE(delegated.has("memory"));
        const Directory directory;
        directory.write("script.py", prelude + "serve(lambda run: done(run, len(b'x' * (run['payload'] << 20))))");
        auto one = task({"/usr/bin/python3", "-S", "-E", directory / "script.py"});
        one.handler = config::HandlerKind::warm;
        one.memory_max = 64 << 20;
        Bench bench(one, {}, RunCgroups(delegated.root));
        BOOST_TEST(bench.run("1").result == "1048576");
        const auto outcome = bench.run("256");
        BOOST_TEST((outcome.kind == Outcome::failed));
        BOOST_TEST(outcome.error_class == "out_of_memory", outcome.error_message);
        BOOST_TEST(outcome.error_message.find("(memory_max of task t)") != std::string::npos, outcome.error_message);
        BOOST_TEST(outcome.signal.value() == SIGKILL);
        BOOST_TEST(bench.run("2").result == "2097152");
        Delegated::enter(delegated.directory + "/..");
        ::rmdir((delegated.directory + "/worker").c_str());
    }
    BOOST_TEST(Delegated::left_clean);
}

BOOST_AUTO_TEST_SUITE_END()
