#include "worker/identity.h"

#include <unistd.h>

#include <array>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <sstream>

namespace dormouse::worker {
namespace {

std::string first_line(const char* path) {
    std::ifstream file(path);
    std::string line;
    std::getline(file, line);
    return line;
}

/// Field 22 of /proc/self/stat; the name in field 2 may hold anything, so count from its closing parenthesis.
std::int64_t start_time_of_this_process() {
    const std::string line = first_line("/proc/self/stat");
    const auto name_end = line.rfind(')');
    if (name_end == std::string::npos) return 0;
    std::istringstream rest(line.substr(name_end + 1));
    std::string field;
    for (int number = 3; number <= 22 && rest >> field; ++number) {
    }
    return std::strtoll(field.c_str(), nullptr, 10);
}

/// The unit whose cgroup we are in; INVOCATION_ID would say nothing, since shells inherit it.
std::string unit_of_this_process() {
    std::ifstream file("/proc/self/cgroup");
    for (std::string line; std::getline(file, line);) {
        const auto unit = line.find(".service");
        if (unit == std::string::npos) continue;
        const auto start = line.rfind('/', unit);
        return line.substr(start + 1, unit + 8 - start - 1);
    }
    return {};
}

}  // namespace

store::Identity make_identity(const std::string& pool, const std::vector<std::string>& queues) {
    store::Identity who;
    who.id = Uuid::random();
    who.pool = pool;
    who.queues = queues;
    who.unit = unit_of_this_process();
    std::array<char, 256> host{};
    if (gethostname(host.data(), host.size() - 1) == 0) who.host = host.data();
    who.pid = getpid();
    who.pid_start = start_time_of_this_process();
    who.boot_id = Uuid::parse(first_line("/proc/sys/kernel/random/boot_id")).value_or(Uuid{});
    who.version = DORMOUSE_VERSION;
    return who;
}

}  // namespace dormouse::worker
