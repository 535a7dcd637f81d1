// Which unit a process belongs to, by cgroups as systemd names them, with a process in each. They are made at the top
// of the unified hierarchy; where that cannot be written to the case is skipped by name.
#include "base/process.h"

#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <boost/test/unit_test.hpp>
#include <fstream>
#include <string>
#include <vector>

BOOST_AUTO_TEST_SUITE(process)

using namespace dormouse;

namespace {

std::string unified_root() {
    for (const char* root : {"/sys/fs/cgroup", "/sys/fs/cgroup/unified"})
        if (::access((std::string(root) + "/cgroup.procs").c_str(), W_OK) == 0) return root;
    return {};
}

/// A process in the cgroup of that path, which is made for it.
class Inhabitant {
  public:
    explicit Inhabitant(const std::string& path) {
        std::string directory = unified_root();
        for (std::size_t at = 0; at != std::string::npos;) {
            const auto end = path.find('/', at + 1);
            directory += path.substr(at, end == std::string::npos ? end : end - at);
            if (::mkdir(directory.c_str(), 0755) == 0) made_.push_back(directory);
            at = end;
        }
        pid_ = ::fork();
        if (pid_ == 0) {
            ::pause();
            ::_exit(0);
        }
        std::ofstream(directory + "/cgroup.procs") << pid_ << std::flush;
    }
    ~Inhabitant() {
        ::kill(pid_, SIGKILL);
        ::waitpid(pid_, nullptr, 0);
        for (auto one = made_.rbegin(); one != made_.rend(); ++one) BOOST_TEST(::rmdir(one->c_str()) == 0, *one);
    }
    Inhabitant(const Inhabitant&) = delete;
    Inhabitant& operator=(const Inhabitant&) = delete;
    [[nodiscard]] std::string unit() const { return unit_of(pid_); }
    [[nodiscard]] std::string path() const {
        std::ifstream file("/proc/" + std::to_string(pid_) + "/cgroup");
        for (std::string line; std::getline(file, line);)
            if (line.starts_with("0::")) return line.substr(3);
        return {};
    }

  private:
    std::vector<std::string> made_;
    pid_t pid_ = -1;
};

boost::test_tools::assertion_result can_make_cgroups(boost::unit_test::test_unit_id) {
    const std::string path = "/dormouse-test.slice";
    boost::test_tools::assertion_result answer(!unified_root().empty() && Inhabitant(path).path() == path);
    answer.message() << "no cgroups can be made at the top of a unified hierarchy";
    return answer;
}

}  // namespace

BOOST_AUTO_TEST_CASE(a_process_belongs_to_its_own_service_of_whichever_manager,
                     *boost::unit_test::precondition(can_make_cgroups)) {
    const std::string user = "/user.slice/user-4242.slice/user@4242.service";
    const std::vector<std::pair<std::string, std::string>> cases{
        {"/system.slice/system-dormouse.slice/dormouse@test-4242.service", "dormouse@test-4242.service"},
        {"/system.slice/dormouse@test-4242.service/run-1", "dormouse@test-4242.service"},
        {user + "/app.slice/dormouse-dev-abc.service", "dormouse-dev-abc.service"},
        {user + "/app.slice/app-org.example.Terminal-7.scope", ""},
        {user + "/app.slice/app-org.example.Terminal-7.scope/worker.service", ""},
        {user + "/session.slice/other.service/sub.slice", "other.service"},
        {user + "/init.scope", ""},
        {"/user.slice/user-4242.slice/session-3.scope", ""},
        {"/machine.slice/machine-4242.scope/payload/system.slice/dormouse@mail.service", ""},
        {"/dormouse-4242.slice", ""},
        {"/system.slice/_dormouse-4242.service", "dormouse-4242.service"},
    };
    for (const auto& [path, unit] : cases) {
        const Inhabitant one(path);
        BOOST_TEST_REQUIRE(one.path() == path);
        BOOST_TEST(one.unit() == unit, path << " is taken for " << one.unit() << " and not " << unit);
    }
}

BOOST_AUTO_TEST_CASE(this_boot_is_what_the_kernel_says) {
    std::string said;
    std::getline(std::ifstream("/proc/sys/kernel/random/boot_id"), said);
    BOOST_TEST(this_boot() == said);
    BOOST_TEST(this_boot().size() == 36U);
}

BOOST_AUTO_TEST_SUITE_END()
