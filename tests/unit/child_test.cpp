// spawn, Child and the /proc reader below the exec kind.
#include "handlers/child.h"

#include <sys/mman.h>
#include <sys/wait.h>

#include <algorithm>
#include <array>
#include <fstream>

#include "exec_fixture.h"

BOOST_AUTO_TEST_SUITE(child)

using namespace dormouse;
using namespace dormouse::handlers;
using namespace dormouse::handlers::test;

namespace {

Launch launch(std::vector<std::string> arguments) {
    const std::string file = arguments.front();
    return {file, std::move(arguments), {"PATH=/usr/bin:/bin"}, ""};
}

Order order(const Launch& launch) {
    return {"it", [launch] { return launch; }, {}};
}

int status_of(const Spawned& child) {
    int status = 0;
    BOOST_REQUIRE(::waitpid(child.pid, &status, 0) == child.pid);
    return status;
}

std::string all_of(const UniqueFd& fd) {
    std::string text;
    std::array<char, 4096> chunk{};
    for (ssize_t got = 0; (got = ::read(fd.get(), chunk.data(), chunk.size())) > 0;) {
        text.append(chunk.data(), static_cast<std::size_t>(got));
    }
    return text;
}

double cpu_of_this_thread_us() {
    timespec time{};
    ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return static_cast<double>(time.tv_sec) * 1e6 + static_cast<double>(time.tv_nsec) / 1e3;
}

}  // namespace

BOOST_AUTO_TEST_CASE(what_is_spawned_leads_a_session_of_its_own) {
    const auto child =
        spawn(launch({"/bin/sh", "-c", "ps -o sid=,pgid= -p $$ | tr -s ' ' '\\n' | sort -u | grep -c ."}), -1);
    BOOST_REQUIRE(child);
    BOOST_TEST(status_of(*child) == 0);
    BOOST_TEST(all_of(child->output) == "1\n");
}

BOOST_AUTO_TEST_CASE(a_failed_start_leaves_nothing_to_reap_and_no_descriptor) {
    const int before = open_descriptors();
    const auto children = children_of(::getpid()).size();
    const auto missing = spawn(launch({"/nowhere/x"}), -1);
    BOOST_REQUIRE(!missing);
    BOOST_TEST((missing.error().kind == ErrorKind::invalid));
    auto astray = launch({"/bin/true"});
    astray.directory = "/nowhere";
    const auto lost = spawn(astray, -1);
    BOOST_REQUIRE(!lost);
    BOOST_TEST(lost.error().message == "cannot change to /nowhere: No such file or directory");
    BOOST_TEST(open_descriptors() == before);
    BOOST_TEST(children_of(::getpid()).size() == children);
}

BOOST_AUTO_TEST_CASE(a_process_without_stdio_can_still_spawn) {
    const pid_t pid = ::fork();
    if (pid == 0) {
        for (const int fd : {0, 1, 2}) ::close(fd);
        const auto child = spawn(launch({"/bin/echo", "x"}), -1);
        int status = -1;
        if (child) ::waitpid(child->pid, &status, 0);
        ::_exit(child && status == 0 && all_of(child->output) == "x\n" ? 0 : 1);
    }
    int status = -1;
    ::waitpid(pid, &status, 0);
    BOOST_TEST(status == 0);
}

BOOST_AUTO_TEST_CASE(no_descriptor_of_ours_is_passed_on_even_without_close_on_exec) {
    int leaky[2];
    BOOST_REQUIRE(::pipe(leaky) == 0);  // NOLINT: that is the point
    const auto child = spawn(launch({"/bin/sh", "-c", "ls /proc/self/fd | tr '\\n' ' '"}), -1);
    BOOST_REQUIRE(child);
    BOOST_TEST(status_of(*child) == 0);
    BOOST_TEST(all_of(child->output) == "0 1 2 3 ");
    ::close(leaky[0]);
    ::close(leaky[1]);
}

BOOST_AUTO_TEST_CASE(our_own_signal_mask_and_dispositions_are_as_before) {
    sigset_t before;
    sigset_t after;
    ::sigprocmask(SIG_SETMASK, nullptr, &before);
    const auto child = spawn(launch({"/bin/true"}), -1);
    BOOST_REQUIRE(child);
    status_of(*child);
    ::sigprocmask(SIG_SETMASK, nullptr, &after);
    for (int number = 1; number < SIGRTMIN; ++number) {
        BOOST_TEST(::sigismember(&before, number) == ::sigismember(&after, number));
    }
}

// A fork copies the tables of all pages, which takes ever longer as a worker grows; so this is about a process of its
// own that has, and has not, written to half a gigabyte. What it costs this thread is compared, not how long it takes:
// that is mostly waiting for the child, and what else the machine does.
BOOST_AUTO_TEST_CASE(spawning_costs_no_more_when_there_is_much_memory) {
    const auto median_of = [](std::size_t bytes) {
        int said[2];
        BOOST_REQUIRE(::pipe2(said, O_CLOEXEC) == 0);
        const pid_t pid = ::fork();
        if (pid == 0) {
            if (bytes > 0) {
                void* all = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
                if (all == MAP_FAILED) ::_exit(1);
                ::madvise(all, bytes, MADV_NOHUGEPAGE);
                for (std::size_t at = 0; at < bytes; at += 4096) static_cast<char*>(all)[at] = 1;
            }
            std::array<double, 50> took{};
            for (double& one : took) {
                const double begin = cpu_of_this_thread_us();
                const auto child = spawn(launch({"/bin/true"}), -1);
                one = cpu_of_this_thread_us() - begin;
                if (!child) ::_exit(1);
                ::waitpid(child->pid, nullptr, 0);
            }
            std::nth_element(took.begin(), took.begin() + took.size() / 2, took.end());
            const double median = took[took.size() / 2];
            ::_exit(::write(said[1], &median, sizeof median) == sizeof median ? 0 : 1);
        }
        int status = -1;
        ::waitpid(pid, &status, 0);
        BOOST_TEST_REQUIRE(status == 0);
        double median = 0;
        BOOST_TEST_REQUIRE(::read(said[0], &median, sizeof median) == static_cast<ssize_t>(sizeof median));
        for (const int fd : said) ::close(fd);
        return median;
    };
    const double small = median_of(0);
    const double large = median_of(std::size_t{512} << 20U);
    BOOST_TEST_MESSAGE("a spawn costs " << small << " us of CPU, with 512 MiB " << large << " us");
    BOOST_TEST(large < 3 * small);
}

BOOST_AUTO_TEST_CASE(a_handler_dies_with_the_process_that_started_it) {
    const Directory directory;
    int alive[2];
    BOOST_REQUIRE(::pipe2(alive, O_CLOEXEC) == 0);
    const pid_t worker = ::fork();
    if (worker == 0) {
        const auto child = spawn(launch({"/bin/sleep", "1000"}), -1);
        std::ofstream(directory / "pid") << (child ? child->pid : 0) << std::endl;
        ::raise(SIGKILL);
    }
    ::waitpid(worker, nullptr, 0);
    const pid_t handler = pid_in(directory, "pid");
    BOOST_REQUIRE(handler > 0);
    ::waitpid(handler, nullptr, 0);  // ours when we adopt orphans; somebody else's, or gone, when not
    const auto begin = BootClock::now();
    while (!is_gone(handler) && stat_of(handler).value_or(ProcessStat{'Z'}).state != 'Z' && since(begin) < deadline) {
    }
    BOOST_TEST(since(begin) < deadline);
    ::close(alive[0]);
    ::close(alive[1]);
}

BOOST_AUTO_TEST_CASE(a_child_reports_its_exit_once_and_after_its_output) {
    loop::Loop loop;
    RunCgroups cgroups("/nowhere");
    Launcher launcher(loop, cgroups);
    Orphans orphans(loop, launcher);
    orphans.adopt();
    std::string said;
    int ends = 0;
    ChildExit last;
    std::unique_ptr<Child> child;
    child = std::make_unique<Child>(ChildHost{loop, launcher, orphans},
                                    order(launch({"/bin/sh", "-c", "cat; echo e >&2; exit 7"})), "in", "1:x",
                                    Child::Events{[&](std::string_view piece) { said += piece; },
                                                  [&](std::string_view piece) { said += piece; },
                                                  {},
                                                  [&](const ChildExit& exit) {
                                                      ++ends;
                                                      last = exit;
                                                      child.reset();  // allowed here
                                                  }});
    const auto begin = BootClock::now();
    while (ends == 0 && since(begin) < deadline) loop.turn();
    loop.turn(false);
    BOOST_TEST(ends == 1);
    BOOST_TEST(said.size() == 4U);
    BOOST_TEST(exit_code(last).value_or(-1) == 7);
}

BOOST_AUTO_TEST_CASE(a_socket_goes_both_ways_and_tells_what_was_printed_first) {
    loop::Loop loop;
    RunCgroups cgroups("/nowhere");
    Launcher launcher(loop, cgroups);
    Orphans orphans(loop, launcher);
    orphans.adopt();
    std::string said;
    bool ended = false;
    bool gone = false;
    std::unique_ptr<Child> child;
    auto plan =
        launch({"/bin/sh", "-c", "read line <&3; echo printed; echo warned >&2; echo \"got $line\" >&3; cat <&3"});
    plan.control = Control::socket;
    child = std::make_unique<Child>(
        ChildHost{loop, launcher, orphans}, order(plan), "", "1:x",
        Child::Events{[&](std::string_view piece) { said += piece; }, [&](std::string_view piece) { said += piece; },
                      [&](std::string_view piece) {
                          said += piece;
                          ended |= piece.empty();
                          if (said.ends_with("got it\n")) child->hang_up();
                      },
                      [&](const ChildExit& /*exit*/) { gone = true; }});
    child->send("it\n");
    const auto begin = BootClock::now();
    while (!gone && since(begin) < deadline) loop.turn();
    BOOST_TEST(said == "printed\nwarned\ngot it\n");
    BOOST_TEST(ended);
}

BOOST_AUTO_TEST_CASE(what_is_not_read_waits_and_blocks_nobody) {
    loop::Loop loop;
    RunCgroups cgroups("/nowhere");
    Launcher launcher(loop, cgroups);
    Orphans orphans(loop, launcher);
    orphans.adopt();
    std::string said;
    bool gone = false;
    auto plan = launch({"/bin/sh", "-c", "read line; wc -c <&3"});
    plan.control = Control::socket;
    const auto child = std::make_unique<Child>(ChildHost{loop, launcher, orphans}, order(plan), "", "1:x",
                                               Child::Events{[&](std::string_view piece) { said += piece; },
                                                             {},
                                                             [](std::string_view /*piece*/) {},
                                                             [&](const ChildExit& /*exit*/) { gone = true; }});
    for (int i = 0; i < 30; ++i) child->send(std::string(1U << 20U, 'x'));
    child->hang_up();
    const auto begin = BootClock::now();
    while (!gone && since(begin) < deadline) loop.turn();
    BOOST_TEST(said == "31457280\n");
}

BOOST_AUTO_TEST_CASE(proc_tells_session_parent_and_environment) {
    const Directory directory;
    const auto odd = directory / "a) S (b";  // becomes the name in /proc/PID/stat
    std::filesystem::copy_file("/bin/sleep", odd);
    auto plan = launch({odd, "1000"});
    plan.environment.emplace_back("DORMOUSE_FENCE=5:x");
    const auto child = spawn(plan, -1);
    BOOST_REQUIRE(child);
    const auto begin = BootClock::now();
    while (is_loading(child->pid) && since(begin) < deadline) {  // spawn returns while the program is being loaded
    }
    BOOST_TEST(!is_loading(child->pid));
    const auto stat = stat_of(child->pid);
    BOOST_REQUIRE(stat.has_value());
    BOOST_TEST(stat->parent == ::getpid());
    BOOST_TEST(stat->session == child->pid);
    BOOST_TEST(variable_of(child->pid, "DORMOUSE_FENCE").value() == "5:x");
    BOOST_TEST(!variable_of(child->pid, "DORMOUSE").has_value());
    const auto children = children_of(::getpid());
    BOOST_TEST((std::find(children.begin(), children.end(), child->pid) != children.end()));
    ::kill(child->pid, SIGKILL);
    status_of(*child);
    BOOST_TEST(!stat_of(child->pid).has_value());
}

BOOST_AUTO_TEST_CASE(a_process_whose_environment_is_empty_is_not_taken_for_one_that_loads) {
    auto plan = launch({"/bin/sleep", "1000"});
    plan.environment.clear();
    const auto child = spawn(plan, -1);
    BOOST_REQUIRE(child);
    const auto begin = BootClock::now();
    while (is_loading(child->pid) && since(begin) < deadline) {
    }
    BOOST_TEST(!is_loading(child->pid));
    ::kill(child->pid, SIGKILL);
    status_of(*child);
}

BOOST_AUTO_TEST_SUITE_END()
