#include "cli/process_alive.h"

#include <signal.h>

#include <cerrno>
#include <fstream>
#include <sstream>

#include "base/process.h"
#include "handlers/proc.h"

namespace dormouse::cli {

namespace {

/// Whether the process calls itself `pid` in some namespace below ours.
bool is_called(pid_t process, std::int64_t pid) {
    std::ifstream file("/proc/" + std::to_string(process) + "/status");
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
    for (const pid_t process : handlers::all_processes())
        if (start_of(process) == mark.start && is_called(process, mark.pid)) return process;
    return 0;
}

}  // namespace

Liveness alive(const ProcessMark& mark) {
    return presence_of(mark).alive;
}

Presence presence_of(const ProcessMark& mark, bool in_containers) {
    Presence seen;
    const bool of_this_name = mark.host == this_host();
    const bool of_this_boot = mark.boot_id == this_boot();
    const bool of_this_namespace = mark.pid_namespace == this_pid_namespace();
    const bool certain = of_this_boot && (of_this_namespace || sees_all_processes());
    const bool called_so_here =
        mark.pid > 0 && (of_this_namespace || mark.pid_namespace == 0) && (of_this_boot || of_this_name);
    const std::string number = std::to_string(mark.pid);
    const std::int64_t start = called_so_here ? start_of(mark.pid) : -1;
    // in a container of systemd-nspawn a sandbox shows another boot id than the container does
    if (start >= 0 && start == mark.start && (of_this_boot || is_worker(static_cast<pid_t>(mark.pid))))
        seen.pid = static_cast<pid_t>(mark.pid);
    else if (certain && in_containers && !of_this_namespace)
        seen.pid = find_in_container(mark);
    if (seen.pid == 0 && !certain) {
        if (!of_this_name) return seen;
        seen.alive = Liveness::no;
        seen.unseen = true;
        seen.evidence = of_this_boot ? "it was in another container (PID namespace), which is not visible from here"
                                     : "this machine has rebooted since (boot id)";
        return seen;
    }
    seen.alive = Liveness::no;
    // with hidepid= other people's processes are not in /proc
    const auto stat = handlers::stat_of(seen.pid);
    if (seen.pid != 0 && stat && stat->state == 'Z') {
        seen.pid = 0;
        seen.evidence = "process " + number + " has ended (a zombie)";
        return seen;
    }
    const bool hidden = called_so_here && start < 0 && (::kill(static_cast<pid_t>(mark.pid), 0) == 0 || errno == EPERM);
    if (seen.pid != 0 || hidden) {
        seen.alive = Liveness::yes;
        if (seen.pid == 0) seen.pid = static_cast<pid_t>(mark.pid);
    } else {
        seen.evidence = start < 0 ? "there is no process " + number
                                  : "process " + number + " is another one by now (it started at another time)";
    }
    return seen;
}

bool is_worker(pid_t pid) {
    std::ifstream file("/proc/" + std::to_string(pid) + "/cmdline");
    std::string program;
    std::string command;
    std::getline(file, program, '\0');
    std::getline(file, command, '\0');
    return program.substr(program.rfind('/') + 1) == "dormouse" && command == "worker";
}

std::vector<pid_t> worker_processes() {
    std::vector<pid_t> found = handlers::all_processes();
    std::erase_if(found, [](pid_t pid) { return !is_worker(pid); });
    return found;
}

}  // namespace dormouse::cli
