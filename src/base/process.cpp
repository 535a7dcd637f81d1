#include "base/process.h"

#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <fstream>
#include <sstream>

namespace dormouse {

namespace {

/// PROC_PID_INIT_INO of the kernel, the same on every machine.
constexpr std::int64_t first_pid_namespace = 0xEFFFFFFC;

std::string first_line(const std::string& path) {
    std::ifstream file(path);
    std::string line;
    std::getline(file, line);
    return line;
}

std::string directory_of(std::int64_t pid) {
    return "/proc/" + (pid == this_process ? "self" : std::to_string(pid));
}

}  // namespace

/// The program's name, the second field, may hold anything: count from its closing bracket on.
std::int64_t start_of(std::int64_t pid) {
    const std::string stat = first_line(directory_of(pid) + "/stat");
    const std::size_t bracket = stat.rfind(')');
    if (bracket == std::string::npos) return -1;
    std::istringstream rest(stat.substr(bracket + 1));
    std::string field;
    for (int number = 3; number < 22; ++number) rest >> field;
    std::int64_t start = -1;
    rest >> start;
    return start;
}

std::string unit_of(std::int64_t pid) {
    std::ifstream file(directory_of(pid) + "/cgroup");
    for (std::string line; std::getline(file, line);) {
        const auto unit = line.find(".service");
        if (unit == std::string::npos) continue;
        const auto start = line.rfind('/', unit) + 1;
        return line.substr(start, unit + 8 - start);
    }
    return {};
}

std::string this_host() {
    std::array<char, 256> host{};
    ::gethostname(host.data(), host.size() - 1);
    return host.data();
}

std::string this_boot() {
    return first_line("/proc/sys/kernel/random/boot_id");
}

std::int64_t this_pid_namespace() {
    struct stat about{};
    return ::stat("/proc/self/ns/pid", &about) == 0 ? static_cast<std::int64_t>(about.st_ino) : 0;
}

bool sees_all_processes() {
    return this_pid_namespace() == first_pid_namespace && start_of(1) >= 0;
}

}  // namespace dormouse
