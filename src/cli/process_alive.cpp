#include "cli/process_alive.h"

#include <dirent.h>
#include <signal.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <fstream>
#include <memory>
#include <sstream>
#include <string_view>

#include "handlers/proc.h"

namespace dormouse::cli {

namespace {

std::string first_line(const std::string& path) {
    std::ifstream file(path);
    std::string line;
    std::getline(file, line);
    return line;
}

std::string directory_of(std::int64_t pid) {
    return "/proc/" + std::to_string(pid);
}

std::vector<pid_t> all_processes() {
    std::vector<pid_t> all;
    const std::unique_ptr<DIR, int (*)(DIR*)> stream(::opendir("/proc"), ::closedir);
    if (!stream) return all;
    while (const dirent* const entry = ::readdir(stream.get())) {
        const std::string_view name = static_cast<const char*>(entry->d_name);
        pid_t pid = 0;
        if (std::from_chars(name.data(), name.data() + name.size(), pid).ptr == name.data() + name.size())
            all.push_back(pid);
    }
    return all;
}

/// Whether the process calls itself `pid` in some namespace below ours.
bool is_called(pid_t process, std::int64_t pid) {
    std::ifstream file(directory_of(process) + "/status");
    for (std::string line; std::getline(file, line);) {
        if (!line.starts_with("NSpid:")) continue;
        std::istringstream numbers(line.substr(6));
        std::int64_t outermost = 0;
        numbers >> outermost;
        for (std::int64_t inner = 0; numbers >> inner;)
            if (inner == pid) return true;
        return false;
    }
    return false;
}

pid_t find_in_container(const ProcessMark& mark) {
    for (const pid_t process : all_processes())
        if (start_of(process) == mark.start && is_called(process, mark.pid)) return process;
    return 0;
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

std::string this_host() {
    std::array<char, 256> host{};
    ::gethostname(host.data(), host.size() - 1);
    return host.data();
}

std::string this_boot() {
    return first_line("/proc/sys/kernel/random/boot_id");
}

Alive alive(const ProcessMark& mark) {
    return presence_of(mark).alive;
}

Presence presence_of(const ProcessMark& mark, bool in_containers) {
    Presence seen;
    if (mark.host != this_host()) return seen;
    seen.alive = Alive::no;
    const std::string number = std::to_string(mark.pid);
    if (mark.boot_id != this_boot()) {
        seen.other_boot = true;
        seen.evidence = "this machine has been started anew since (boot id)";
        return seen;
    }
    const std::int64_t start = start_of(mark.pid);
    seen.pid = start == mark.start ? static_cast<pid_t>(mark.pid) : in_containers ? find_in_container(mark) : 0;
    // with hidepid= other people's processes are not in /proc
    const auto stat = handlers::stat_of(seen.pid);
    if (seen.pid != 0 && stat && stat->state == 'Z') {
        seen.pid = 0;
        seen.evidence = "process " + number + " has ended (a zombie)";
        return seen;
    }
    const bool hidden = start < 0 && (::kill(static_cast<pid_t>(mark.pid), 0) == 0 || errno == EPERM);
    if (seen.pid != 0 || hidden) {
        seen.alive = Alive::yes;
        if (seen.pid == 0) seen.pid = static_cast<pid_t>(mark.pid);
    } else {
        seen.evidence = start < 0 ? "there is no process " + number
                                  : "process " + number + " is another one by now (it started at another time)";
    }
    return seen;
}

std::string unit_of(pid_t pid) {
    std::ifstream file(directory_of(pid) + "/cgroup");
    for (std::string line; std::getline(file, line);) {
        const auto unit = line.find(".service");
        if (unit == std::string::npos) continue;
        const auto start = line.rfind('/', unit) + 1;
        return line.substr(start, unit + 8 - start);
    }
    return {};
}

bool is_worker(pid_t pid) {
    std::ifstream file(directory_of(pid) + "/cmdline");
    std::string program;
    std::string command;
    std::getline(file, program, '\0');
    std::getline(file, command, '\0');
    return program.substr(program.rfind('/') + 1) == "dormouse" && command == "worker";
}

std::vector<pid_t> worker_processes() {
    std::vector<pid_t> found = all_processes();
    std::erase_if(found, [](pid_t pid) { return !is_worker(pid); });
    return found;
}

}  // namespace dormouse::cli
