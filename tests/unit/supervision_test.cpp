// Whether a process takes itself for the worker of its pool's unit: by the environment that systemd would give it, and
// where there are cgroups to be made, inside of the unit's.
#include "worker/supervision.h"

#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <boost/test/unit_test.hpp>
#include <cstdlib>
#include <fstream>
#include <map>
#include <string>

BOOST_AUTO_TEST_SUITE(supervision)

using namespace dormouse;

namespace {

using Variables = std::map<std::string, std::string>;

/// The due file's directory as a process sees it that has this environment and is in this cgroup (if there is one).
std::string where_the_due_file_goes(const Variables& variables, const std::string& cgroup = {}) {
    std::array<int, 2> ends{};
    BOOST_REQUIRE(::pipe(ends.data()) == 0);
    const pid_t child = ::fork();
    if (child == 0) {
        if (!cgroup.empty()) std::ofstream(cgroup + "/cgroup.procs") << ::getpid() << std::flush;
        for (const char* const name : {"RUNTIME_DIRECTORY", "STATE_DIRECTORY", "SYSTEMD_EXEC_PID"}) ::unsetenv(name);
        for (const auto& [name, value] : variables)
            ::setenv(name.c_str(), (value == "own" ? std::to_string(::getpid()) : value).c_str(), 1);
        config::Sources sources;
        sources.pool = "mail";
        sources.environment = {variables.begin(), variables.end()};
        const auto found = worker::supervision_of(sources);
        const std::string text = found ? found->runtime_directory + " " + found->state_directory : "none";
        ::_exit(::write(ends[1], text.data(), text.size()) > 0 ? 0 : 1);
    }
    ::close(ends[1]);
    std::array<char, 256> text{};
    const ssize_t size = ::read(ends[0], text.data(), text.size());
    ::close(ends[0]);
    ::waitpid(child, nullptr, 0);
    return {text.data(), static_cast<std::size_t>(std::max<ssize_t>(size, 0))};
}

std::string unified_root() {
    for (const char* root : {"/sys/fs/cgroup", "/sys/fs/cgroup/unified"})
        if (::access((std::string(root) + "/cgroup.procs").c_str(), W_OK) == 0) return root;
    return {};
}

/// The cgroup of a unit, at the top of the hierarchy.
class Unit {
  public:
    explicit Unit(const std::string& name) : directory(unified_root() + "/" + name) {
        made_ = !unified_root().empty() && ::mkdir(directory.c_str(), 0755) == 0;
    }
    ~Unit() {
        if (made_) ::rmdir(directory.c_str());
    }
    Unit(const Unit&) = delete;
    Unit& operator=(const Unit&) = delete;
    const std::string directory;
    [[nodiscard]] bool made() const { return made_; }

  private:
    bool made_;
};

boost::test_tools::assertion_result can_make_units(boost::unit_test::test_unit_id) {
    boost::test_tools::assertion_result answer(Unit("dormouse@test.service").made());
    answer.message() << "no cgroups can be made at the top of a unified hierarchy";
    return answer;
}

}  // namespace

BOOST_AUTO_TEST_CASE(a_runtime_directory_alone_makes_no_unit_of_the_pool) {
    const auto of = where_the_due_file_goes;
    BOOST_TEST(of({}, {}) == "none");
    BOOST_TEST(of({{"RUNTIME_DIRECTORY", "/run/nightly"}}, {}) == "none");        // a service of somebody's
    BOOST_TEST(of({{"RUNTIME_DIRECTORY", "/run/mail"}}, {}) == "none");           // called as the pool is
    BOOST_TEST(of({{"RUNTIME_DIRECTORY", "/run/dormouse/mail"}}, {}) == "none");  // but not in the unit
}

BOOST_AUTO_TEST_CASE(who_makes_a_unit_of_another_name_says_where_the_pools_are) {
    const auto of = where_the_due_file_goes;
    BOOST_TEST(of({{"RUNTIME_DIRECTORY", "/tmp/run/mail"}, {"DORMOUSE_PATHS_RUNTIME_DIRECTORY", "/tmp/run"}}, {}) ==
               "/tmp/run ");
    BOOST_TEST(of({{"RUNTIME_DIRECTORY", "/run/nightly"}, {"DORMOUSE_PATHS_RUNTIME_DIRECTORY", "/tmp/run"}}, {}) ==
               "none");
    BOOST_TEST(of({{"RUNTIME_DIRECTORY", "/tmp/run/other"}, {"DORMOUSE_PATHS_RUNTIME_DIRECTORY", "/tmp/run"}}, {}) ==
               "none");
}

BOOST_AUTO_TEST_CASE(the_main_process_of_the_pools_unit_is_its_worker,
                     *boost::unit_test::precondition(can_make_units)) {
    const Unit own("dormouse@mail.service");
    BOOST_TEST_REQUIRE(own.made());
    const Variables given{{"RUNTIME_DIRECTORY", "/run/other:/run/dormouse/mail"},
                          {"STATE_DIRECTORY", "/var/lib/dormouse/mail:/var/lib/other"}};
    const auto with = [&](const std::string& name, const std::string& value) {
        Variables more = given;
        more[name] = value;
        return more;
    };
    const std::string is = "/run/dormouse /var/lib/dormouse/mail";
    BOOST_TEST(where_the_due_file_goes(given, own.directory) == is);
    BOOST_TEST(where_the_due_file_goes(with("SYSTEMD_EXEC_PID", "own"), own.directory) == is);
    BOOST_TEST(where_the_due_file_goes(with("DORMOUSE_PATHS_RUNTIME_DIRECTORY", "/srv/run"), own.directory) == is);
    BOOST_TEST(where_the_due_file_goes(with("SYSTEMD_EXEC_PID", "1"), own.directory) == "none");  // a handler
    const Unit other("dormouse@mail2.service");
    BOOST_TEST(where_the_due_file_goes(given, other.directory) == "none");
}

BOOST_AUTO_TEST_SUITE_END()
