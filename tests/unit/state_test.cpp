// The worker's states: which may follow which, and what becomes of a worker that would take another way.
#include "worker/state.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <boost/test/unit_test.hpp>
#include <csignal>
#include <set>
#include <utility>

#include "base/log.h"
#include "base/unique_fd.h"

using namespace dormouse;
using worker::State;

namespace worker_state {

namespace {

constexpr std::array all{State::starting, State::claiming, State::running,    State::idle,
                         State::leaving,  State::parting,  State::abandoning, State::gone};

/// Besides gone, which may follow all: a worker that is given up is.
const std::set<std::pair<State, State>> ways{
    {State::starting, State::claiming}, {State::starting, State::running}, {State::starting, State::idle},
    {State::starting, State::leaving},  {State::claiming, State::running}, {State::claiming, State::idle},
    {State::claiming, State::leaving},  {State::running, State::claiming}, {State::running, State::idle},
    {State::running, State::leaving},   {State::idle, State::claiming},    {State::idle, State::running},
    {State::idle, State::leaving},      {State::leaving, State::parting},  {State::leaving, State::abandoning},
};

struct End {
    int status = 0;
    std::string said;
};

/// A process that takes this way and then exits 0.
End takes(State from, State to) {
    std::array<int, 2> ends{};
    BOOST_REQUIRE(::pipe2(ends.data(), O_CLOEXEC) == 0);
    const UniqueFd read_end(ends[0]);
    UniqueFd write_end(ends[1]);
    const pid_t child = ::fork();
    if (child == 0) {
        ::signal(SIGABRT, SIG_DFL);  // Boost.Test would take it for a failed check
        const rlimit none{0, 0};
        ::setrlimit(RLIMIT_CORE, &none);
        const log::OfThisThread log(log::Level::info, [&](log::Level, auto event, auto text, auto) {
            const std::string line = std::string(event) + ": " + std::string(text);
            static_cast<void>(::write(write_end.get(), line.data(), line.size()) > 0);
        });
        worker::demand_edge(from, to, "the test wants it");
        ::_exit(0);
    }
    write_end.reset();
    End end;
    std::array<char, 4'096> chunk{};
    for (ssize_t count = 0; (count = ::read(read_end.get(), chunk.data(), chunk.size())) > 0;)
        end.said.append(chunk.data(), static_cast<std::size_t>(count));
    BOOST_REQUIRE(::waitpid(child, &end.status, 0) == child);
    return end;
}

}  // namespace

}  // namespace worker_state

BOOST_AUTO_TEST_SUITE(state)

BOOST_AUTO_TEST_CASE(only_the_ways_that_are_drawn_may_be_taken) {
    for (const State from : worker_state::all) {
        for (const State to : worker_state::all) {
            if (from == to) continue;
            const bool drawn = to == State::gone || worker_state::ways.contains({from, to});
            BOOST_TEST(worker::may_follow(from, to) == drawn, to_string(from) << " -> " << to_string(to));
        }
    }
}

BOOST_AUTO_TEST_CASE(each_state_has_a_name_of_its_own) {
    std::set<std::string> names;
    for (const State one : worker_state::all) names.insert(to_string(one));
    BOOST_TEST(names.size() == worker_state::all.size());
}

BOOST_AUTO_TEST_CASE(a_way_that_is_not_drawn_ends_the_process_and_says_which) {
    using worker_state::takes;
    for (const auto& [from, to] :
         {std::pair{State::leaving, State::claiming}, std::pair{State::leaving, State::idle},
          std::pair{State::parting, State::claiming}, std::pair{State::parting, State::abandoning},
          std::pair{State::abandoning, State::leaving}, std::pair{State::idle, State::parting},
          std::pair{State::idle, State::starting}, std::pair{State::gone, State::leaving}}) {
        const worker_state::End end = takes(from, to);
        BOOST_TEST(WIFSIGNALED(end.status));
        BOOST_TEST(WTERMSIG(end.status) == SIGABRT);
        BOOST_TEST(end.said == std::string("state: no way from ") + to_string(from) + " to " + to_string(to) +
                                   ": the test wants it");
    }
    const worker_state::End end = takes(State::leaving, State::parting);
    BOOST_TEST(WIFEXITED(end.status));
    BOOST_TEST(WEXITSTATUS(end.status) == 0);
    BOOST_TEST(end.said == "");
}

BOOST_AUTO_TEST_SUITE_END()
