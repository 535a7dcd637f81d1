#include "handlers/run_cgroup.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <memory>
#include <sstream>
#include <vector>

#include "base/crash_point.h"

namespace dormouse::handlers {

namespace {

constexpr std::string_view run_prefix = "run-";
constexpr std::string_view worker_name = "/worker";
constexpr std::array controllers{"memory", "cpu", "pids"};

std::string read_text(const std::string& path) {
    std::string text;
    const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!fd.valid()) return text;
    std::array<char, 4096> piece;  // NOLINT: filled by read
    for (ssize_t got = 0; (got = ::read(fd.get(), piece.data(), piece.size())) > 0;)
        text.append(piece.data(), static_cast<std::size_t>(got));
    return text;
}

Status write_text(const std::string& path, std::string_view text) {
    const UniqueFd fd(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
    if (!fd.valid() || ::write(fd.get(), text.data(), text.size()) < 0) {
        return tl::unexpected(from_errno(errno, path));
    }
    return {};
}

/// The path in the line "0::/path". Source: cgroups(7), /proc/PID/cgroup.
std::optional<std::string> unified_path(const std::string& text) {
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);) {
        if (line.starts_with("0::/")) return line.substr(3);
    }
    return std::nullopt;
}

/// The number in a line "name number" of a cgroup's flat file.
std::optional<long long> number_in(const std::string& path, const std::string& name) {
    const std::string text = read_text(path);
    std::string_view rest = text;
    while (!rest.empty()) {
        const std::string_view line = rest.substr(0, rest.find('\n'));
        rest.remove_prefix(std::min(line.size() + 1, rest.size()));
        if (!line.starts_with(name) || line.size() <= name.size() || line[name.size()] != ' ') continue;
        long long value = 0;
        const auto read = std::from_chars(line.data() + name.size() + 1, line.data() + line.size(), value);
        return read.ec == std::errc{} ? std::optional(value) : std::nullopt;
    }
    return std::nullopt;
}

/// systemd marks what it has delegated. Being allowed to write is not enough: root may write everywhere, and
/// a user in every scope of the own session, where other people's processes are. Source: systemd NEWS 252,
/// user.delegate.
bool marked_delegated(const std::string& directory) {
    for (const char* name : {"user.delegate", "trusted.delegate"}) {
        char value = '0';
        if (::getxattr(directory.c_str(), name, &value, 1) == 1 && value == '1') return true;
    }
    return false;
}

/// In a container that was given a cgroup of its own nobody marks anything, and nobody else is in it.
bool alone_at_root(const std::string& directory, const std::string& path) {
    return path == "/" && read_text(directory + "/cgroup.procs") == std::to_string(::getpid()) + "\n";
}

/// Removes a cgroup and what is below it; what still has processes stays. Cgroups hold no other directories.
void remove_tree(const std::string& directory) {
    if (::rmdir(directory.c_str()) == 0 || errno != EBUSY) return;
    {
        const std::unique_ptr<DIR, int (*)(DIR*)> stream(::opendir(directory.c_str()), ::closedir);
        while (const dirent* entry = stream ? ::readdir(stream.get()) : nullptr) {
            const std::string name = static_cast<const char*>(entry->d_name);
            if (entry->d_type == DT_DIR && name != "." && name != "..") remove_tree(directory + "/" + name);
        }
    }
    ::rmdir(directory.c_str());
}

/// The cgroups below it whose names begin so.
std::vector<std::string> below(const std::string& base, std::string_view prefix) {
    std::vector<std::string> found;
    const std::unique_ptr<DIR, int (*)(DIR*)> stream(::opendir(base.c_str()), ::closedir);
    while (const dirent* entry = stream ? ::readdir(stream.get()) : nullptr) {
        const std::string name = static_cast<const char*>(entry->d_name);
        if (entry->d_type == DT_DIR && name.starts_with(prefix)) found.push_back(base + "/" + name);
    }
    return found;
}

void add_pids(const std::string& directory, std::vector<pid_t>& found) {
    std::istringstream listed(read_text(directory + "/cgroup.procs"));
    for (pid_t pid = 0; listed >> pid;) found.push_back(pid);
    for (const std::string& one : below(directory, "")) {
        if (!one.ends_with("/.") && !one.ends_with("/..")) add_pids(one, found);
    }
}

/// Of one process.
std::string prefix_of(int process) {
    return std::string(run_prefix) + std::to_string(process) + "-";
}

}  // namespace

RunCgroup::~RunCgroup() {
    if (!directory_.empty()) remove_tree(directory_);
}

void RunCgroup::kill() const {
    (void)write_text(directory_ + "/cgroup.kill", "1");
}

bool RunCgroup::populated() const {
    if (number_in(directory_ + "/cgroup.events", "populated").value_or(0) != 0) return true;
    crash_point("run_cgroup.empty");
    return false;
}

std::vector<pid_t> RunCgroup::pids() const {
    std::vector<pid_t> found;
    add_pids(directory_, found);
    return found;
}

std::optional<Millis> RunCgroup::cpu() const {
    const auto used = number_in(directory_ + "/cpu.stat", "usage_usec");
    if (!used) return std::nullopt;
    return std::chrono::duration_cast<Millis>(std::chrono::microseconds(*used));
}

std::optional<std::int64_t> RunCgroup::peak_memory() const {
    std::int64_t peak = 0;
    std::istringstream text(read_text(directory_ + "/memory.peak"));
    if (!(text >> peak)) return std::nullopt;
    return peak;
}

bool RunCgroup::out_of_memory() const {
    return number_in(directory_ + "/memory.events", "oom_kill").value_or(0) != 0;
}

RunCgroups::RunCgroups(const std::string& root, const std::string& own) : why_not_(set_up(root, own)) {}

std::string RunCgroups::set_up(const std::string& root, const std::string& own) {
    struct statfs mounted{};
    if (::statfs(root.c_str(), &mounted) != 0 || mounted.f_type != CGROUP2_SUPER_MAGIC) {
        return "no unified cgroup hierarchy at " + root;
    }
    auto path = unified_path(read_text(own));
    if (!path) return "no cgroup v2 line in " + own;
    own_ = *path == "/" ? root : root + *path;
    base_ = own_;
    if (base_.ends_with(worker_name)) base_.resize(base_.size() - worker_name.size());  // moved there before
    if (!marked_delegated(base_) && !alone_at_root(base_, *path)) {
        return "cgroup " + *path + " is not delegated (in its unit it is, by Delegate=yes)";
    }
    if (::access((base_ + "/cgroup.kill").c_str(), F_OK) != 0) return "the kernel has no cgroup.kill (5.14)";
    for (const std::string& one : below(base_, run_prefix)) remove_tree(one);
    return {};
}

Status RunCgroups::enable_controllers() {
    const std::string worker = base_ + std::string(worker_name);
    std::istringstream there(read_text(base_ + "/cgroup.controllers"));
    std::set<std::string> available;
    for (std::string name; there >> name;) available.insert(name);
    for (const char* name : controllers) {
        if (!available.contains(name)) continue;
        if (own_ != worker) {
            if (::mkdir(worker.c_str(), 0755) != 0 && errno != EEXIST) return tl::unexpected(from_errno(errno, worker));
            if (auto moved = write_text(worker + "/cgroup.procs", "0"); !moved) return moved;
            own_ = worker;
        }
        if (auto done = write_text(base_ + "/cgroup.subtree_control", std::string("+") + name); !done) return done;
        enabled_.insert(name);
    }
    return {};
}

void RunCgroups::kill_runs_of(int process) const {
    if (!available()) return;
    for (const std::string& one : below(base_, prefix_of(process))) (void)write_text(one + "/cgroup.kill", "1");
}

Status write_limits(const std::string& directory, const CgroupLimits& limits, const std::set<std::string>& enabled) {
    Status done;
    if (limits.memory_max > 0 && enabled.contains("memory")) {
        done = write_text(directory + "/memory.max", std::to_string(limits.memory_max));
        (void)write_text(directory + "/memory.oom.group", "1");  // since Linux 4.19: the whole tree, not some of it
        (void)write_text(directory + "/memory.swap.max", "0");   // not there without swap accounting
    }
    if (done && limits.cpu_weight > 0 && enabled.contains("cpu"))
        done = write_text(directory + "/cpu.weight", std::to_string(limits.cpu_weight));
    if (done && limits.pids_max > 0 && enabled.contains("pids"))
        done = write_text(directory + "/pids.max", std::to_string(limits.pids_max));
    return done;
}

std::function<Result<RunCgroup>()> RunCgroups::maker(const CgroupLimits& limits) const {
    return [base = base_, enabled = enabled_, last = last_, limits]() -> Result<RunCgroup> {
        std::string directory;
        do {
            directory = base + "/" + prefix_of(::getpid()) + std::to_string(++*last);
        } while (::mkdir(directory.c_str(), 0755) != 0 && errno == EEXIST);
        crash_point("run_cgroup.made");
        const std::string procs = directory + "/cgroup.procs";
        UniqueFd fd(::open(procs.c_str(), O_WRONLY | O_CLOEXEC));
        Status limited;
        if (!fd.valid()) {
            limited = tl::unexpected(from_errno(errno, procs));
        } else {
            limited = write_limits(directory, limits, enabled);
        }
        if (!limited) {
            ::rmdir(directory.c_str());
            return tl::unexpected(limited.error());
        }
        return RunCgroup(std::move(directory), std::move(fd));
    };
}

}  // namespace dormouse::handlers
