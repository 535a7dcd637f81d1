// Cgroups of runs. What needs a real cgroup v2 that we may write to makes a delegated one of its own and
// moves this process there and back; elsewhere those cases are skipped by name.
#include "handlers/run_cgroup.h"

#include <sys/xattr.h>

#include "exec_fixture.h"

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

}  // namespace

BOOST_AUTO_TEST_SUITE(run_cgroup)

BOOST_AUTO_TEST_CASE(a_machine_without_cgroup_v2_is_told_apart_in_one_line) {
    const Directory directory;
    BOOST_TEST(RunCgroups("/nowhere").why_not() == "no unified cgroup hierarchy at /nowhere");
    BOOST_TEST(RunCgroups(directory / "").why_not() == "no unified cgroup hierarchy at " + directory / "");
    Bench bench(shell("true"));
    BOOST_TEST(bench.handlers().isolation() == "a process group for each run: no unified cgroup hierarchy at /nowhere");
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
    ::mkdir((delegated.directory + "/run-9").c_str(), 0755);  // of a worker that was killed
    const RunCgroups cgroups(delegated.root);
    BOOST_TEST(cgroups.why_not() == "");
    BOOST_TEST(own_path() == delegated.path);
    BOOST_TEST(!std::filesystem::exists(delegated.directory + "/run-9"));
    const RunCgroups again(delegated.root);
    BOOST_TEST(again.available());
    BOOST_TEST(own_path() == delegated.path);
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
                          directory / "pid" + " ]; do :; done; echo ok"),
                    {}, RunCgroups(delegated.root));
        BOOST_TEST(bench.handlers().isolation() == "a cgroup for each run");
        const auto outcome = bench.run();
        BOOST_TEST(outcome.result == "\"ok\"");
        BOOST_TEST(directory.read("cgroup").find(delegated.path + "/run-1\n") != std::string::npos);
        BOOST_TEST(outcome.cpu.has_value());
        const auto pid = pid_in(directory, "pid");
        BOOST_TEST((is_gone(pid) || stat_of(pid).value_or(ProcessStat{'Z'}).state == 'Z'));  // its reaper is another
        BOOST_TEST(!std::filesystem::exists(delegated.directory + "/run-1"));
        const auto id = bench.start();
        bench.handler().stop(id, StopReason::canceled, Millis{0});
        BOOST_TEST((bench.wait(id).verdict == Verdict::stopped));
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

BOOST_AUTO_TEST_SUITE_END()
