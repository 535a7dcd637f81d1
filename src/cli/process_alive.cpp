#include "cli/process_alive.h"

#include <unistd.h>

#include <array>
#include <fstream>
#include <sstream>

namespace dormouse::cli {

namespace {

std::string first_line(const std::string& path) {
    std::ifstream file(path);
    std::string line;
    std::getline(file, line);
    return line;
}

/// The program's name, the second field, may hold anything: count from its closing bracket on.
std::int64_t start_of(std::int64_t pid) {
    const std::string stat = first_line("/proc/" + std::to_string(pid) + "/stat");
    const std::size_t bracket = stat.rfind(')');
    if (bracket == std::string::npos) return -1;
    std::istringstream rest(stat.substr(bracket + 1));
    std::string field;
    for (int number = 3; number < 22; ++number) rest >> field;
    std::int64_t start = -1;
    rest >> start;
    return start;
}

}  // namespace

Alive alive(const ProcessMark& mark) {
    std::array<char, 256> host{};
    ::gethostname(host.data(), host.size() - 1);
    if (mark.host != host.data()) return Alive::elsewhere;
    if (mark.boot_id != first_line("/proc/sys/kernel/random/boot_id")) return Alive::no;
    return start_of(mark.pid) == mark.start ? Alive::yes : Alive::no;
}

}  // namespace dormouse::cli
