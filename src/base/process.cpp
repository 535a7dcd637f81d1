#include "base/process.h"

#include <sys/stat.h>
#include <systemd/sd-id128.h>
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

/// The unit of a cgroup's path, if it is a service: the first one below the slices; of a user manager,
/// user@UID.service, the first one below that. A scope is where a terminal, a session or a container is. Source:
/// systemd's "Control Group APIs and Delegation". sd_pid_get_unit(3) says the same, but wants to look at PID 1, which
/// is hidden in our sandbox.
std::string unit_in(const std::string& path) {
    std::istringstream parts(path);
    for (std::string part; std::getline(parts, part, '/');) {
        if (part.starts_with('_')) part.erase(0, 1);  // as a name is escaped that a controller's file could have
        if (part.ends_with(".scope")) return {};
        if (part.ends_with(".service") && !part.starts_with("user@")) return part;
    }
    return {};
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
        const auto path = line.find('/');
        if (path == std::string::npos || !(line.starts_with("0::") || line.find(":name=systemd:") < path)) continue;
        if (const std::string unit = unit_in(line.substr(path)); !unit.empty()) return unit;
    }
    return {};
}

std::string this_host() {
    std::array<char, 256> host{};
    ::gethostname(host.data(), host.size() - 1);
    return host.data();
}

std::string this_boot() {
    sd_id128_t boot{};
    std::array<char, SD_ID128_UUID_STRING_MAX> text{};
    return sd_id128_get_boot(&boot) < 0 ? "" : sd_id128_to_uuid_string(boot, text.data());
}

std::int64_t this_pid_namespace() {
    struct stat about{};
    return ::stat("/proc/self/ns/pid", &about) == 0 ? static_cast<std::int64_t>(about.st_ino) : 0;
}

bool sees_all_processes() {
    return this_pid_namespace() == first_pid_namespace && start_of(1) >= 0;
}

}  // namespace dormouse
